"""The parts of the audit's benchmark that run with one database, in Django."""

import sys
import threading
import uuid
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from subprocess import PIPE, Popen
from time import perf_counter, sleep

from django.contrib.auth import get_user_model
from django.db import connection
from django.test import Client
from django.urls import NoReverseMatch, reverse
from django.utils import timezone

from django_magiclink import retention
from django_magiclink.models import Approval
from django_magiclink.status import Status

from .audit import PAGES, RANGES, SMALL, milliseconds
from .audit_rows import make, tidy

#: Seconds for which the other writer is watched before the purge.
BEFORE = 10


def measure(rows, times):
    """Return what all pages take with few rows and with many, and the purge."""
    make(SMALL)
    small = pages(times)
    if rows > SMALL:
        # So that these are not copied as well.
        Approval.objects.update(language="sv")
        make(rows - SMALL)
    large = pages(times)
    return {
        "version": version(),
        "rows": Approval.objects.count(),
        "small": small,
        "large": large,
        "purge": purge(),
    }


def version():
    """Return the database's version."""
    sqlite = connection.vendor == "sqlite"
    with connection.cursor() as cursor:
        cursor.execute("SELECT sqlite_version()" if sqlite else "SHOW server_version")
        return str(cursor.fetchone()[0])


def pages(times):
    """Return the milliseconds of each page, at the median."""
    users = get_user_model()
    root = users.objects.filter(username="root").first()
    client = Client()
    client.force_login(root or users.objects.create_superuser("root"))
    values = {
        "approval": Approval.objects.values_list("pk", flat=True).first(),
        "user": users.objects.get(username="user0042").pk,
    }
    urls = {name: url.format(**values) for name, url in PAGES.items()} | dashboard()
    return {
        name: milliseconds(partial(got, client, url), times)
        for name, url in urls.items()
    }


def dashboard():
    """Return the addresses of the dashboard, if the app has one."""
    try:
        url = reverse("admin:django_magiclink_dashboard")
    except NoReverseMatch:
        return {}
    return {f"dashboard, {each}": f"{url}?range={each}" for each in RANGES}


def got(client, url):
    """Read a page, or of a stream only the first rows."""
    answer = client.get(url)
    assert answer.status_code == 200, (url, answer.status_code)
    if answer.streaming:
        pieces = iter(answer.streaming_content)
        next(pieces), next(pieces, None)
        # The connection, which close() would end, is wanted again.
        answer._resource_closers.clear()


def purge():
    """Delete the older half in batches while somebody else writes."""
    longest = 0

    def timed(execute, *args):
        nonlocal longest
        start = perf_counter()
        try:
            return execute(*args)
        finally:
            longest = max(longest, perf_counter() - start)

    with writer() as before:
        sleep(BEFORE)
    with writer() as meanwhile, connection.execute_wrapper(timed):
        start = perf_counter()
        rows = retention.purge(days=15, grants=1)
        seconds = perf_counter() - start
    tidy()
    return {
        "rows": rows,
        "seconds": seconds,
        "statement": longest * 1000,
        "writes": meanwhile["writes"],
        "wait": meanwhile["wait"],
        "wait_before": before["wait"],
    }


@contextmanager
def writer():
    """Let another process write during the block, and learn how it fared."""
    command = [sys.executable, "-m", "benchmarks.audit", "--inside=write"]
    with Popen(command, stdin=PIPE, stdout=PIPE, text=True) as process:
        process.stdout.readline()
        fared = {}
        yield fared
        said, _ = process.communicate("")
        writes, wait = said.split()
        fared |= {"writes": int(writes), "wait": float(wait)}


def write():
    """Insert approvals and move them on until stdin ends; print the longest wait."""
    is_over = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), is_over.set())).start()
    longest = writes = 0
    print("ready", flush=True)
    while not is_over.is_set():
        for step in (_insert, _move):
            start = perf_counter()
            step()
            longest = max(longest, perf_counter() - start)
            writes += 1
        sleep(0.005)
    print(writes, longest * 1000)


def _insert():
    Approval.objects.create(
        scope="written", binding=uuid.uuid4().hex, session_hash=uuid.uuid4().hex
    )


def _move():
    since = timezone.now() - timedelta(minutes=1)
    pk = Approval.objects.filter(scope="written", created__gte=since).first().pk
    Approval.objects.advance(pk, Status.SENT)
