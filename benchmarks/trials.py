"""One user's try to have something carried out, and what it takes for that to hold."""

import hashlib
import secrets
from dataclasses import dataclass, field

from . import evidence
from .visitors import Visitor

EARLY = "it ran before it was approved"
KEPT = "kept on the server"
SWAPPED = "the other tab's payload ran"
NOT_FOR_PROGRAMS = "a program was answered with a page"


@dataclass(frozen=True, kw_only=True)
class Submission:
    """What a user sends, and a view must get exactly so."""

    method: str = "POST"
    view: str = "sync"
    query: str = ""
    fields: dict = field(default_factory=dict)
    files: dict = field(default_factory=dict)
    body: str = ""
    headers: dict = field(default_factory=dict)

    @property
    def by_program(self):
        """Whether whoever sends it can read an answer in JSON only."""
        return self.headers.get("Accept") == "application/json"

    def expected(self, guard):
        """Return what the view should note."""
        return {
            "method": self.method,
            "path": guard.path(self.view),
            "query": self.query,
            "fields": self.fields,
            "files": {
                name: [file, len(content), hashlib.sha256(content).hexdigest()]
                for name, (file, content) in self.files.items()
            },
            "body": self.body,
        }


class Trial:
    """A new user of a site, and what went wrong as they had something carried out."""

    def __init__(self, guard, with_password):
        self.guard = guard
        self.visitor = Visitor(guard, with_password)
        self.problems = []
        self._markers = []
        self._done = 0

    def marker(self):
        """Return what to plant in a payload, so that it can be found again."""
        self._markers.append(secrets.token_hex(12))
        return self._markers[-1]

    def carry_out(self, submission):
        """Go through the whole of it, as a client that is no browser."""
        refusal = self.visitor.send(submission)
        self.observe()
        kind = refusal.headers.get("Content-Type", "")
        if submission.by_program and (refusal.ok or "json" not in kind):
            self.problems.append(f"{NOT_FOR_PROGRAMS} ({refusal.status_code} {kind})")
        answer = self.guard.approve(self.visitor, refusal, submission, self.observe)
        status = answer is not None and f", {answer.status_code} came"
        self.finish(submission, status or "")

    def observe(self):
        """See that nothing has run yet, and that nothing of the payload is kept."""
        if len(self._runs()) > self._done:
            self.problems.append(EARLY)
        for marker in self._markers:
            places = evidence.places(self.guard.site.folder, marker)
            self.problems += [f"{KEPT} ({place})" for place in places]

    def finish(self, submission, note="", others=()):
        """See that the view has run once more, with what was submitted."""
        ran = self._runs()[self._done :]
        self._done += len(ran)
        problem = evidence.difference(submission.expected(self.guard), ran)
        if ran in [[other.expected(self.guard)] for other in others]:
            problem = SWAPPED
        if problem:
            self.problems.append(problem if ran else problem + note)

    def _runs(self):
        return evidence.runs(self.guard.site.folder, self.visitor.name)
