"""The users of the sites: with a session each, and a way to approve."""

import re
from contextlib import suppress
from html.parser import HTMLParser
from itertools import count
from urllib.parse import urljoin

import requests
from playwright.sync_api import TimeoutError as PlaywrightTimeout

from .servers import PATIENCE, until

PASSWORD = "correct horse battery staple"  # noqa: S105
#: What a browser says when its user follows a link or sends a form.
NAVIGATION = {"Accept": "text/html", "Sec-Fetch-Dest": "document"}

_serial = count(1)


class Form:
    """A form of a page, as a browser would send it."""

    def __init__(self, attributes):
        self.attributes = attributes
        self.fields = []

    def add(self, attributes):
        """Take up one of its inputs."""
        unsent = ("file", "submit", "button", "checkbox")
        if attributes.get("name") and attributes.get("type") not in unsent:
            # As browsers do with the line ends of what they send.
            value = re.sub(r"\r\n|\r|\n", "\r\n", attributes.get("value") or "")
            self.fields.append((attributes["name"], value))

    def has(self, name):
        """Tell whether it has a field of that name."""
        return name in dict(self.fields)

    def body(self, **values):
        """Return what to send, with the user's ``values``, as requests wants it."""
        kept = [pair for pair in self.fields if pair[0] not in values]
        pairs = [*kept, *values.items()]
        if self.attributes.get("enctype") == "multipart/form-data":
            return {"files": [(name, (None, value)) for name, value in pairs]}
        return {"data": pairs}


class _Forms(HTMLParser):
    def __init__(self):
        super().__init__()
        self.found = []
        self.status_url = ""

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        self.status_url = attributes.get("data-status-url") or self.status_url
        if tag == "form":
            self.found.append(Form(attributes))
        elif tag == "input" and self.found:
            self.found[-1].add(attributes)


def parse(page):
    """Return the forms of a page, and where the status of its approval is."""
    parser = _Forms()
    parser.feed(page)
    return parser.found, parser.status_url


class Visitor:
    """A user and their browser. ``guard`` knows how they approve."""

    def __init__(self, guard, with_password=True):
        serial = next(_serial)
        self.guard = guard
        self.name = f"user{serial}"
        self.number = f"+4670{serial:07}"
        self.session = requests.Session()
        guard.enter(self, PASSWORD if with_password else "")
        self.get(guard.path("form")).raise_for_status()

    def get(self, path, **options):
        """Send a GET, and follow where it leads."""
        return self.session.get(self.address(path), timeout=PATIENCE, **options)

    def post(self, path, **options):
        """Send a POST, and follow where it leads."""
        return self.session.post(self.address(path), timeout=PATIENCE, **options)

    def fill_in(self, response, name, **values):
        """Send the form of a page that has the field ``name``, or return nothing."""
        forms, _ = parse(response.text)
        form = next((each for each in forms if each.has(name)), None)
        if form is None:
            return None
        address = urljoin(response.url, form.attributes.get("action") or "")
        body = form.body(**values)
        return self.session.post(
            address, timeout=PATIENCE, headers=NAVIGATION | {"Referer": address}, **body
        )

    def send(self, submission):
        """Send what is to be carried out, as its case wants it."""
        path = self.guard.path(submission.view)
        query = f"?{submission.query}" if submission.query else ""
        token = {"X-CSRFToken": self.session.cookies["csrftoken"]}
        return self.session.request(
            submission.method,
            self.address(path + query),
            timeout=PATIENCE,
            data=submission.body or submission.fields,
            headers=submission.headers | token,
        )

    def address(self, path):
        """Return the address of a path of the site."""
        return urljoin(self.guard.site.url, path)


class Theirs:
    """django-allauth: who comes to its page types the password again."""

    def __init__(self, site):
        self.site = site

    def path(self, view):
        """Return where a view of the site is."""
        return f"/{view}/"

    def enter(self, visitor, password):
        """Log in by its own pages: with a password, or through a provider."""
        if password:
            known = {"name": visitor.name, "password": password}
            visitor.post("/register/", data=known).raise_for_status()
            page = visitor.get("/accounts/login/")
            values = {"login": visitor.name, "password": password}
            visitor.fill_in(page, "login", **values).raise_for_status()
            return
        page = visitor.get("/accounts/dummy/login/")
        page = visitor.fill_in(page, "csrfmiddlewaretoken")
        address = f"{visitor.name}@example.com"
        values = {"id": visitor.number[1:], "email": address, "username": visitor.name}
        visitor.fill_in(page, "email", **values).raise_for_status()

    def approve(self, visitor, refusal, submission, observe):
        """Type the password where it is asked for; the answer leads on."""
        return visitor.fill_in(refusal, "password", password=PASSWORD)

    def approve_in_tab(self, tab, visitor, observe):
        """Type the password into the page of a browser."""
        tab.fill("[name=password]", PASSWORD)
        observe()
        with tab.expect_navigation():
            tab.click("form:has([name=password]) [type=submit]")

    def give_way(self, tab, visitor):
        """Let another tab go first."""


class Ours:
    """django_magiclink: the phone is asked, and its owner taps Accept."""

    def __init__(self, site, defect=""):
        self.site = site
        self._prefix = f"/{defect}/" if defect else "/"

    def path(self, view):
        """Return where a view of the site is."""
        return f"{self._prefix}{view}/"

    def enter(self, visitor, password):
        """Come in as a user with a phone; which way is not the guard's concern."""
        known = {"name": visitor.name, "number": visitor.number, "password": password}
        visitor.post("/enter/", data=known).raise_for_status()

    def approve(self, visitor, refusal, submission, observe):
        """Have the phone asked, accept, and repeat the request."""
        if "json" in refusal.headers["Content-Type"]:
            problem = refusal.json()
            return self._approve_as_program(visitor, problem, submission, observe)
        return self._approve_as_person(visitor, refusal, observe)

    def _approve_as_program(self, visitor, problem, submission, observe):
        names = {"challenge": "challenge", "csrfmiddlewaretoken": "csrf_token"}
        fields = {name: problem[member] for name, member in names.items()}
        started = visitor.post(problem["start_url"], data=fields)
        self._accept(visitor, started.json()["status_url"], observe)
        return visitor.send(submission)

    def _approve_as_person(self, visitor, page, observe):
        """Press the buttons of the page, as without JavaScript."""
        page = visitor.fill_in(page, "challenge")
        self._accept(visitor, parse(page.text)[1], observe)
        return visitor.fill_in(page, "_approval_challenge")

    def _accept(self, visitor, status_url, observe):
        observe()
        self.site.sandbox.accept(visitor.number)
        until(lambda: visitor.get(status_url).json()["final"])
        observe()

    def approve_in_tab(self, tab, visitor, observe):
        """Tap Accept; the script does the rest."""
        again = tab.get_by_role("button", name=re.compile("Ask (my phone|again)"))

        def is_ringing():
            # The button is there only while the script has not asked by itself.
            with suppress(PlaywrightTimeout):
                again.click(timeout=300)
            return self.site.sandbox.prompts(visitor.number)

        until(is_ringing)
        observe()
        self.site.sandbox.accept(visitor.number)
        tab.wait_for_selector("#done")

    def give_way(self, tab, visitor):
        """Cancel, and decline what rings, so that another tab can go first."""
        until(lambda: self.site.sandbox.prompts(visitor.number))
        tab.get_by_role("button", name="Cancel").click()
        self.site.sandbox.reject(visitor.number)
        until(lambda: not self.site.sandbox.prompts(visitor.number))
