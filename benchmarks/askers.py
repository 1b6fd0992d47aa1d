"""The servers of ``waiting``, and how approvals come to wait in each."""

import socket
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress

from tests.servers import Site, until
from tests.storms import start_of

from .servers import PATIENCE

#: What may not matter here: how long anything waits.
_TIMEOUT = 300
#: Seconds within which a phone rings whose request a worker has taken.
_SETTLED = 1


class Workers(Site):
    """Two sync workers of gunicorn, with a site or with another ``application``."""

    def __init__(self, folder, database, phones, application):
        super().__init__(
            folder,
            database,
            phones,
            DJANGO_SETTINGS_MODULE="benchmarks.sites.waits",
            MAGICLINK_MAX_WAITING="1000",
            MAGICLINK_TIMEOUT=str(_TIMEOUT),
        )
        self._command = (
            *("gunicorn", application, "--bind=fd://{fd}", "--workers=2"),
            *("--worker-class=sync", f"--timeout={_TIMEOUT}"),
        )

    def _answers(self):
        if self.process.poll() is not None:
            raise RuntimeError(self._log.read_text())
        with suppress(OSError):
            return self.send("GET", "/page/", {}).status == 200


class Asker:
    """A server that asks phones."""

    is_ours = False

    def __init__(self, name, application):
        self.name = name
        self._application = application

    @contextmanager
    def serve(self, folder, database, phones):
        """Run it while the block does."""
        self._phones, self._database = phones, database
        with Workers(folder, database, phones, self._application) as self.site:
            yield

    @property
    def port(self):
        """Where it listens."""
        return self.site.port


class Blocking(Asker):
    """One that waits in the view. More than its workers wait in front of them."""

    most = 50

    @contextmanager
    def waiting(self, level):
        """Let that many phones be asked, and tell how many rang in a second."""
        self._phones.hold()
        with ExitStack() as stack:
            callers = [stack.enter_context(self._ask(each)) for each in range(level)]
            time.sleep(_SETTLED)
            yield self._phones.rang()[0]
            self._phones.answer()
            # All at a time: gunicorn's worker lingers until its caller has hung up.
            with ThreadPoolExecutor(level) as pool:
                list(pool.map(_hang_up, callers))

    def _ask(self, number):
        caller = socket.create_connection(("127.0.0.1", self.port), PATIENCE)
        path = f"/ask/?number=%2B4670{number:07}"
        caller.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
        return caller


def _hang_up(caller):
    with caller:
        if not caller.recv(65536).startswith(b"HTTP/1.1 200"):
            raise ConnectionError


class Ours(Asker):
    """This package, as a program meets it: refused, it starts the approval."""

    is_ours = True
    most = 10_000
    _crowd = ()

    @contextmanager
    def waiting(self, level):
        """Let that many phones be asked, and tell how many rang."""
        if len(self._crowd) < level:
            self._crowd = self.site.crowd(level)
        self._phones.hold()
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(self._ask, self._crowd[:level]))
        self._phones.wait_for(level)
        yield self._phones.ringing()
        self._phones.answer()
        accepted = "django_magiclink_approval WHERE status = 'accepted'"
        until(lambda: self._database.count(accepted) == level)
        time.sleep(_SETTLED)
        self._database.query("DELETE FROM django_magiclink_approval RETURNING 1")

    def _ask(self, visitor):
        started = start_of(visitor, "/guarded/").send()
        if started.status >= 400:
            raise ConnectionError(started.text)
