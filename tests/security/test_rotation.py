"""Keys are replaced and taken back while phones are asked: nobody notices."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from threading import Event, Thread

import pytest

from django_magiclink.sandbox import Sandbox

from ..servers import PATIENCE, ROOT, Sites, surroundings, until

pytestmark = [
    pytest.mark.processes,
    pytest.mark.slow,
    pytest.mark.needs("postgres"),
    pytest.mark.covers("R33"),
]

ADMIN = "/admin/django_magiclink/endpoint"
#: Approvals that are begun in a second.
RATE = 10
#: Seconds from one key to the next.
PAUSE = 1


@pytest.fixture
def sandbox():
    # Not the shared one, whose prompts end within a second.
    with Sandbox() as sandbox:
        sandbox.script("accept", delay=0.5)
        yield sandbox


@pytest.fixture
def site(sandbox, tmp_path_factory):
    with Sites(sandbox, tmp_path_factory) as sites:
        yield sites("postgres")


class Administrator:
    """Enters keys in the admin, as a superuser with a phone."""

    def __init__(self, site, sandbox):
        self._site, self._sandbox = site, sandbox
        self._visitor = site.visitor()
        #: How many keys were put to use.
        self.turns = 0
        site.database.query(
            "UPDATE auth_user SET is_staff = true, is_superuser = true"
            f" WHERE username = '{self._visitor.name}' RETURNING id"
        )

    def add(self, name):
        """Add an endpoint, whose first key comes from the command line."""
        fields = {"name": name, "base_url": self._sandbox.url, "enabled": "on"}
        assert self._post(f"{ADMIN}/add/", fields).status == 302
        command = ["magiclink_key", "--endpoint", name, "--stdin"]
        subprocess.run(
            [sys.executable, "manage.py", *command],
            input=self._sandbox.issue_key(),
            cwd=ROOT,
            env=os.environ | surroundings(self._site.database),
            stdout=subprocess.DEVNULL,
            timeout=PATIENCE,
            text=True,
            check=True,
        )
        [[pk]] = self._site.database.query(
            f"SELECT id FROM django_magiclink_endpoint WHERE name = '{name}'"
        )
        self._pk = pk
        self.page = f"{ADMIN}/{pk}/key/"

    def unlock(self):
        """Confirm by phone, which holds for five minutes."""
        problem = self._post(self.page, {"action": "unlock"})
        started = self._visitor.start(problem).json
        until(lambda: self._visitor.get(started["status_url"]).json["final"])

    def rotate(self, over, spoil):
        """Replace the key and go back, in turns, until it is ``over``."""
        self.unlock()
        while not over.wait(PAUSE):
            secret = self._sandbox.issue_key()
            if spoil:
                self._sandbox.revoke_key(secret)
            self.act("enter", name=f"key {self.turns}", secret=secret)
            self.act("use", key=self.key("activated IS NULL"))
            self.turns += 1
            if self.turns % 3 == 0:
                self.act("back", key=self.key("retired IS NOT NULL"))

    def key(self, where):
        """Return the id of the key that the page shows then."""
        [[pk]] = self._site.database.query(
            f"SELECT id FROM django_magiclink_apikey WHERE {where} AND"
            f" endpoint_id = {self._pk} ORDER BY retired DESC LIMIT 1"
        )
        return pk

    def act(self, action, **fields):
        fields |= {"action": action, "origin": self._sandbox.url}
        answer = self._post(self.page, fields)
        assert answer.status == 302

    def _post(self, path, fields):
        token = self._visitor.headers["Cookie"].partition("csrftoken=")[2]
        fields = fields | {"csrfmiddlewaretoken": token.partition(";")[0]}
        return self._visitor.post(path, fields)


def approve(visitor):
    """Ask for one approval, and return how it ended."""
    started = visitor.start(visitor.get("/payroll/")).json
    until(lambda: visitor.get(started["status_url"]).json["final"])
    return visitor.get(started["status_url"]).json["status"]


def ended(site, sandbox, seconds, spoil=False):
    """Begin approvals while keys change; return how they ended, and the keys' count."""
    others = Administrator(site, sandbox)
    others.add(f"others {spoil}")
    before = keys_of(site, "others")
    admin = Administrator(site, sandbox)
    admin.add(f"main {spoil}")
    site.database.query(
        "UPDATE django_magiclink_endpoint SET is_default = (name LIKE 'main%')"
        f" WHERE name LIKE '%{spoil}' RETURNING id"
    )
    crowd, over, pace = site.crowd(seconds * RATE), Event(), Event()
    rotation = Thread(target=admin.rotate, args=[over, spoil])
    rotation.start()
    until(lambda: admin.turns)
    with ThreadPoolExecutor(len(crowd)) as pool:
        asked = []
        for visitor in crowd:
            asked.append(pool.submit(approve, visitor))
            pace.wait(1 / RATE)
        over.set()
        results = [each.result() for each in asked]
    rotation.join()
    assert keys_of(site, "others") == before
    return results, admin.turns


def keys_of(site, name):
    return site.database.query(
        "SELECT k.* FROM django_magiclink_apikey k JOIN django_magiclink_endpoint e"
        f" ON e.id = k.endpoint_id WHERE e.name LIKE '{name}%' ORDER BY k.created"
    )


def test_no_approval_fails_while_keys_are_replaced(site, sandbox):
    results, turns = ended(site, sandbox, 60)

    assert results == ["accepted"] * 600
    assert turns >= 5


def test_a_key_that_does_not_work_is_seen(site, sandbox):
    results, _ = ended(site, sandbox, 5, spoil=True)

    assert "failed" in results


def test_of_many_who_replace_a_key_at_once_none_breaks_it(site, sandbox):
    admin = Administrator(site, sandbox)
    admin.add("busy")
    admin.unlock()

    def enter(number):
        admin.act("enter", name=f"key {number}", secret=f"{number:040}")

    site.together(16, enter)
    staged = admin.key("activated IS NULL")
    site.together(16, lambda number: admin.act("use", key=staged))
    site.together(16, lambda number: admin.act("back", key=staged))
    before = admin.key("retired IS NOT NULL")
    site.together(16, lambda number: admin.act("back", key=before))

    keys = site.database.query(
        "SELECT activated IS NOT NULL AND retired IS NULL FROM django_magiclink_apikey"
    )
    # The first one, and the last of the sixteen that was kept.
    assert sorted(in_use for [in_use] in keys) == [False, True]
