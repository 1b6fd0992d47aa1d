"""Real servers: a database of their own, and gunicorn with the tests' site."""

import fcntl
import json
import os
import pwd
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass
from http.client import HTTPConnection
from http.cookies import SimpleCookie
from itertools import count
from pathlib import Path
from threading import Event, Thread
from urllib.parse import urlencode

import psycopg

from .needs import postgres

ROOT = Path(__file__).parent.parent
#: Seconds after which something that does not come to be is given up.
PATIENCE = 90
HELD = """
    SELECT count(*), count(*) FILTER (WHERE state LIKE 'idle in transaction%')
    FROM pg_stat_activity
    WHERE backend_type = 'client backend' AND application_name <> 'tests'
"""
#: The connections that are told what changes.
LISTENING = "pg_stat_activity WHERE query LIKE 'LISTEN %'"

_serial = count(1)


def until(condition):
    """Return what ``condition`` returns, once that is true."""
    end = time.monotonic() + PATIENCE
    while not (found := condition()):
        if time.monotonic() > end:
            raise TimeoutError(f"It did not come to be within {PATIENCE} s.")
        time.sleep(0.05)
    return found


class Database:
    """
    One that only a test's servers use, with the tables of all apps.

    A context manager; ``url`` is its address.
    """

    def __enter__(self):
        try:
            self.start()
            migrate = [sys.executable, "-m", "django", "migrate", "--run-syncdb"]
            subprocess.run(
                [*migrate, "--verbosity=0"],
                check=True,
                cwd=ROOT,
                env=os.environ | surroundings(self),
                timeout=PATIENCE,
            )
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *error):
        self.stop()

    def start(self):
        """Make it ready for connections."""

    def stop(self):
        """Remove it."""

    def count(self, rows):
        """Return how many ``rows`` there are: the rest of a SELECT, from the table."""
        return self.query(f"SELECT count(*) FROM {rows}")[0][0]


class SQLite(Database):
    """A file."""

    def __init__(self, folder):
        self._path = folder / "database.sqlite3"
        self.url = f"sqlite:///{self._path}"

    def query(self, sql):
        """Return the rows of a SELECT, or of what a change is RETURNING."""
        with closing(self.connect()) as connection:
            return connection.execute(sql).fetchall()

    def connect(self):
        """Return a connection, which commits by itself."""
        return sqlite3.connect(self._path, timeout=PATIENCE, isolation_level=None)


class PostgreSQL(Database):
    """A cluster in a temporary directory, reached by a socket in it."""

    OPTIONS = (
        "listen_addresses=",
        "max_connections=300",
        "fsync=off",
        "full_page_writes=off",
        "synchronous_commit=off",
    )

    def __init__(self):
        # Not pytest's directory: another user may not enter it, and a socket's path
        # must be short.
        self._folder = Path(tempfile.mkdtemp(prefix="magiclink-pg-"))
        self._process = None
        # Kept open, as most sites do: a new one costs more than most requests.
        self.url = f"postgres://postgres@/{self._folder}/postgres?conn_max_age=900"

    def start(self):
        owner = _somebody_else()
        if owner:
            shutil.chown(self._folder, owner["user"], owner["group"])
        programs, data = Path(postgres()), self._folder / "data"
        options = ["--username=postgres", "--auth=trust", "--encoding=UTF8"]
        command = [programs / "initdb", "--no-locale", "--no-sync", *options, data]
        subprocess.run(
            command, check=True, timeout=PATIENCE, stdout=subprocess.DEVNULL, **owner
        )
        self.up()

    def stop(self):
        self.down()
        shutil.rmtree(self._folder)

    def up(self):
        """Let it run, also again after :meth:`down`."""
        programs, data = Path(postgres()), self._folder / "data"
        command = [programs / "postgres", "-D", data, "-k", self._folder]
        settings = [f"--{option}" for option in self.OPTIONS]
        with self._log.open("w") as log:
            self._process = subprocess.Popen(
                [*command, *settings], stdout=log, stderr=log, **_somebody_else()
            )
        until(self._answers)

    def down(self):
        """Shut it down, which breaks every connection."""
        if self._process is not None:
            end(self._process, signal.SIGINT)

    def query(self, sql):
        """Return the rows of a SELECT, or of what a change is RETURNING."""
        with self.connect() as connection:
            return connection.execute(sql).fetchall()

    def held(self):
        """Return how many connections there are, and how many idle in a transaction."""
        return self.query(HELD)[0]

    def listeners(self):
        """Return how many connections are told what changes."""
        return self.count(LISTENING)

    def connect(self):
        """Return a connection."""
        return psycopg.connect(
            host=str(self._folder),
            user="postgres",
            dbname="postgres",
            application_name="tests",
            autocommit=True,
        )

    @property
    def _log(self):
        return self._folder / "log"

    def _answers(self):
        if self._process.poll() is not None:
            raise RuntimeError(self._log.read_text())
        with suppress(psycopg.OperationalError):
            return self.query("SELECT 1")


class Peak:
    """The most connections that a database had at a time while the block ran."""

    def __init__(self, database):
        self.connections = 0
        self._database = database
        self._over = Event()
        self._watcher = Thread(target=self._watch)

    def __enter__(self):
        self._watcher.start()
        return self

    def __exit__(self, *error):
        self._over.set()
        self._watcher.join()

    def _watch(self):
        with self._database.connect() as connection:
            while not self._over.wait(0.02):
                now, _ = connection.execute(HELD).fetchone()
                self.connections = max(self.connections, now)


#: How each server is told where to listen, by what is opened already.
COMMANDS = {
    "gunicorn": (
        *("gunicorn", "{application}", "--bind=fd://{fd}", "--preload"),
        *("--workers={workers}", "--threads={threads}", f"--timeout={PATIENCE}"),
    ),
    "uvicorn": (
        *("uvicorn", "{application}", "--fd={fd}", "--lifespan=off"),
        *("--timeout-graceful-shutdown=5", "--log-level=warning"),
    ),
}


APPLICATIONS = {
    "gunicorn": "tests.wsgi:application",
    "uvicorn": "tests.asgi:application",
}


class Site:
    """
    The tests' site in gunicorn: several processes with several threads each.

    Or in uvicorn, which has one process.

    A context manager. Its Mideye Server is a sandbox of the test's process. What else
    is given goes into its environment.
    """

    WORKERS = 4
    THREADS = 4

    def __init__(
        self,
        folder,
        database,
        sandbox,
        *,
        server="gunicorn",
        workers=WORKERS,
        threads=THREADS,
        **more,
    ):
        self.database = database
        self._command = COMMANDS[server]
        self._options = {"workers": workers, "threads": threads}
        self._options["application"] = APPLICATIONS[server]
        self._gate = folder / "gate"
        self._gate.touch()
        self._log = folder / "server.log"
        self._read = 0
        self._environment = surroundings(database) | {
            "MIDEYE_URL": sandbox.url,
            "MIDEYE_API_KEY": sandbox.api_key,
            "GATE": str(self._gate),
            # Where gunicorn puts a socket of its own.
            "XDG_RUNTIME_DIR": str(folder),
            **more,
        }

    def __enter__(self):
        with (
            # As long as all that a test sends at one moment.
            socket.create_server(("127.0.0.1", 0), backlog=1024) as listener,
            self._log.open("w") as log,
        ):
            self.port = listener.getsockname()[1]
            options = self._options | {"fd": listener.fileno()}
            self.process = subprocess.Popen(
                [
                    *(sys.executable, "-m"),
                    *(part.format(**options) for part in self._command),
                ],
                cwd=ROOT,
                env=os.environ | self._environment,
                pass_fds=[listener.fileno()],
                stdout=log,
                stderr=log,
            )
        try:
            until(self._answers)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *error):
        end(self.process, signal.SIGTERM)

    def said(self):
        """Return what it has logged since this was last asked."""
        with self._log.open() as log:
            log.seek(self._read)
            text = log.read()
            self._read = log.tell()
        return text

    def together(self, times, act):
        """
        Call ``act`` with 0, 1 and so on, each in a thread; return the results.

        What they send first is let into the site at one moment: when all its threads
        have some of it, or there is no more.
        """
        with ThreadPoolExecutor(times) as pool, self._gate.open() as gate:
            fcntl.flock(gate, fcntl.LOCK_EX)
            before = self._arrived()
            acts = [pool.submit(act, number) for number in range(times)]
            until(lambda: self._arrived() > before or acts[0].done())
            self._see_all_that_comes()
            fcntl.flock(gate, fcntl.LOCK_UN)
            return [each.result() for each in acts]

    def took(self, method="POST"):
        """Return the ids of the processes that took such requests, in order."""
        lines = [line.split() for line in self._gate.read_text().splitlines()]
        return [int(process) for kind, process in lines if kind == method]

    def visitor(self, **query):
        """Return the browser of a new user, who has a phone and is logged in."""
        serial = next(_serial)
        known = {"name": f"user{serial}", "number": f"+4670{serial:07}"}
        return Visitor(self, **known | query)

    def crowd(self, size):
        """Return as many visitors, who are made at once: 20 times faster."""
        serials = [next(_serial) for _ in range(size)]
        made = self.send("GET", f"/crowd/?first={serials[0]}&size={size}", {})
        return [Visitor(self, **each) for each in made.json]

    def send(self, method, path, headers, fields=None):
        """Send one request on a connection of its own."""
        body = urlencode(fields) if fields else None
        form = {"Content-Type": "application/x-www-form-urlencoded"} if fields else {}
        connection = HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        with closing(connection):
            connection.request(method, path, body, headers | form)
            response = connection.getresponse()
            return Answer(
                status=response.status,
                text=response.read().decode(),
                cookies=response.headers.get_all("Set-Cookie", []),
            )

    def _arrived(self):
        return self._gate.stat().st_size

    def _see_all_that_comes(self):
        seen, now = 0, self._arrived()
        while now > seen:
            time.sleep(0.1)
            seen, now = now, self._arrived()

    def _answers(self):
        if self.process.poll() is not None:
            raise RuntimeError(self._log.read_text())
        with suppress(OSError):
            return self.send("GET", "/login/", {}).status == 200


class Sites(ExitStack):
    """
    The sites of some tests: each, and its database, runs from when it is asked for.

    A context manager, which ends them all.
    """

    def __init__(self, sandbox, folders):
        super().__init__()
        self._sandbox = sandbox
        self._folders = folders
        self._running = {}

    def __call__(self, kind, **options):
        """Return the site with a database of this ``kind`` and such ``options``."""
        key = (kind, *sorted(options.items()))
        if key not in self._running:
            folder = self._folders.mktemp("site")
            site = Site(folder, self.database(kind), self._sandbox, **options)
            self._running[key] = self.enter_context(site)
        return self._running[key]

    def database(self, kind):
        """Return the database of this ``kind``."""
        if kind not in self._running:
            started = (
                PostgreSQL()
                if kind == "postgres"
                else SQLite(self._folders.mktemp("sqlite"))
            )
            self._running[kind] = self.enter_context(started)
        return self._running[kind]


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What came back."""

    status: int
    text: str
    cookies: list

    @property
    def json(self):
        """The content, decoded."""
        return json.loads(self.text)


class Visitor:
    """The browser of one user; any number of threads may use it at a time."""

    def __init__(self, site, *, name, number, cookies="", **query):
        self.name = name
        self.number = number
        self.site = site
        self.headers = {"Cookie": cookies or self._join(query)}

    def _join(self, query):
        fields = {"name": self.name, "number": self.number} | query
        joined = self.site.send("GET", f"/join/?{urlencode(fields)}", {})
        crumbs = SimpleCookie("; ".join(joined.cookies))
        return "; ".join(f"{name}={crumb.value}" for name, crumb in crumbs.items())

    def elsewhere(self):
        """Return another browser, in which the same user is logged in too."""
        return Visitor(self.site, name=self.name, number=self.number)

    def get(self, path):
        """Send a GET."""
        return self.site.send("GET", path, self.headers)

    def post(self, path, fields):
        """Send a form, which has a CSRF token among its ``fields``."""
        return self.site.send("POST", path, self.headers, fields)

    def start(self, refused, path=None):
        """Ask the phone, as a program does that got the problem in ``refused``."""
        problem = refused.json
        fields = {
            "challenge": problem["challenge"],
            "csrfmiddlewaretoken": problem["csrf_token"],
        }
        return self.post(path or problem["start_url"], fields)

    def approve(self, path, sandbox):
        """Ask for an approval of ``path``, and accept it on the phone."""
        sandbox.script("accept", self.number)
        started = self.start(self.get(path)).json
        until(lambda: self.get(started["status_url"]).json["final"])

    def approvals(self, where="TRUE"):
        """Return how many approvals the user has for which ``where`` holds."""
        return self.site.database.count(
            f"django_magiclink_approval AS a JOIN auth_user AS u ON u.id = a.user_id"
            f" WHERE u.username = '{self.name}' AND {where}"
        )


def surroundings(database):
    """Return the environment of a program that has the tests' settings."""
    return {"DJANGO_SETTINGS_MODULE": "tests.settings", "DATABASE_URL": database.url}


def _somebody_else():
    """Return how to run PostgreSQL as another user, as it refuses root."""
    if os.geteuid() != 0:
        return {}
    users = {user.pw_name: user for user in pwd.getpwall()}
    user = users.get("postgres") or users["nobody"]
    them = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
    # Not here: they may not be allowed in.
    return them | {"cwd": "/"}


def end(process, number):
    """Send it a signal, and return once it has ended."""
    process.send_signal(number)
    try:
        process.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        raise
