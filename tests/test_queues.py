"""Dispatchers whose workers are elsewhere: what they are given, and what is checked."""

import uuid
from types import SimpleNamespace

import django
import pytest
from celery import Celery, current_app
from celery.contrib.testing.worker import start_worker
from celery.signals import setup_logging

from django_magiclink.dispatchers import celery, tasks
from django_magiclink.models import Approval
from django_magiclink.status import Status

from .brokers import CELERY
from .test_checks import ids
from .test_lifecycle import ask, state

TASKS = "django_magiclink.dispatchers.tasks.TasksDispatcher"
FRAMEWORK = "django.tasks" if django.VERSION >= (6, 0) else "django_tasks"
BACKENDS = f"{FRAMEWORK}.backends"

# The endpoint's fixture waits for threads that write.
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def app():
    before = current_app._get_current_object()
    app = Celery("tests", set_as_current=True, broker="memory://")
    app.conf.worker_redirect_stdouts = False
    yield app
    before.set_current()


@pytest.fixture
def own_logging():
    def leave_it_alone(**kwargs):
        """With a receiver, Celery does not set up that of the whole process."""

    setup_logging.connect(leave_it_alone)
    yield
    setup_logging.disconnect(leave_it_alone)


@pytest.fixture
def clean_project(settings):
    settings.ROOT_URLCONF = "tests.inventory.clean"
    return settings


@pytest.mark.usefixtures("own_logging")
def test_a_celery_worker_asks_the_phone(app, user, endpoint, sandbox):
    sandbox.script("accept")
    dispatcher = celery.CeleryDispatcher()

    with start_worker(app, pool="solo", perform_ping_check=False):
        approval, _ = ask(user, dispatcher.dispatch)
        sandbox.wait_for_calls(1)
        app.control.shutdown()

    assert state(approval) == Status.ACCEPTED


@pytest.mark.parametrize("scheme", ["redis", "amqp"])
def test_a_broker_that_is_down_is_no_wait(app, user, endpoint, sandbox, scheme):
    # Nobody listens there.
    app.conf.broker_url = f"{scheme}://127.0.0.1:1//"

    approval, _ = ask(user, celery.CeleryDispatcher().dispatch)

    failed = Approval.objects.get(pk=approval.pk)
    assert (failed.status, failed.error_kind) == (Status.FAILED, "dispatch")
    assert failed.live_slot is None
    assert not sandbox.calls


@pytest.mark.covers("R50", "A52")
@pytest.mark.usefixtures("clean_project")
def test_celery_tasks_that_run_where_they_are_sent_are_an_error(app, settings):
    settings.MAGICLINK_DISPATCHER = CELERY
    app.conf.task_always_eager = True

    assert ids() == ["E022"]
    settings.DEBUG = True
    assert ids() == []


@pytest.mark.covers("R50", "A47")
@pytest.mark.usefixtures("clean_project")
@pytest.mark.parametrize(("seconds", "found"), [(339, ["W010"]), (340, [])])
def test_a_visibility_timeout_is_longer_than_the_longest_wait(
    app, settings, seconds, found
):
    settings.MAGICLINK_DISPATCHER = CELERY
    app.conf.broker_transport_options = {"visibility_timeout": seconds}

    assert ids() == found


@pytest.mark.covers("R50")
@pytest.mark.usefixtures("clean_project")
def test_a_process_without_the_celery_app_is_an_error(app, settings):
    settings.MAGICLINK_DISPATCHER = CELERY
    assert ids() == []

    Celery("default", set_as_current=True)

    assert ids() == ["E024"]


@pytest.mark.covers("R50", "A47")
def test_a_message_is_acknowledged_before_the_phone_rings(app):
    app.conf.task_acks_late = True

    assert celery.perform.acks_late is False
    assert celery.perform.ignore_result is True


def test_celery_finds_the_tasks(app):
    app.autodiscover_tasks(["django_magiclink"], force=True)

    assert {f"django_magiclink.{name}" for name in ("expire", "perform", "purge")} <= (
        app.tasks.keys()
    )


def test_a_task_of_the_tasks_framework_asks_the_phone(
    user, endpoint, sandbox, settings
):
    settings.TASKS = {"default": {"BACKEND": f"{BACKENDS}.immediate.ImmediateBackend"}}
    sandbox.script("accept")

    approval, _ = ask(user, tasks.TasksDispatcher().dispatch)

    assert state(approval) == Status.ACCEPTED


def test_a_subclass_has_a_queue_of_its_own(user, endpoint, sandbox, settings):
    backend = f"{BACKENDS}.dummy.DummyBackend"
    settings.TASKS = {
        name: {"BACKEND": backend, "QUEUES": [queue]}
        for name, queue in [("default", "default"), ("phones", "approvals")]
    }

    class Own(tasks.TasksDispatcher):
        backend, queue_name = "phones", "approvals"

    approval, _ = ask(user, Own().dispatch)
    Own().dispatch_of_stranger(approval.pk)

    backend = tasks.perform.using(backend="phones", queue_name="approvals")
    results = backend.get_backend().results
    told = [(result.task.queue_name, result.args) for result in results]
    assert told == [("approvals", [str(approval.pk)])] * 2


@pytest.mark.covers("R10", "A28")
def test_what_strangers_ask_for_may_have_a_queue_of_its_own(settings):
    backend = f"{BACKENDS}.dummy.DummyBackend"
    queues = ["default", "strangers"]
    settings.TASKS = {"default": {"BACKEND": backend, "QUEUES": queues}}

    class Own(tasks.TasksDispatcher):
        stranger_queue_name = "strangers"

    Own().dispatch(uuid.uuid4())
    Own().dispatch_of_stranger(uuid.uuid4())

    results = tasks.perform.using(backend="default").get_backend().results
    assert [result.task.queue_name for result in results] == queues


@pytest.mark.covers("R10", "A28")
def test_what_strangers_ask_for_may_have_a_queue_of_celery(app, monkeypatch):
    queues = []
    sent = SimpleNamespace(
        app=app, apply_async=lambda *args, queue, **_: queues.append(queue)
    )
    monkeypatch.setattr(celery, "perform", sent)

    class Own(celery.CeleryDispatcher):
        stranger_queue = "strangers"

    for dispatcher in (celery.CeleryDispatcher(), Own()):
        dispatcher.dispatch(uuid.uuid4())
        dispatcher.dispatch_of_stranger(uuid.uuid4())

    assert queues == [None, None, None, "strangers"]


@pytest.mark.covers("R50", "A52")
@pytest.mark.usefixtures("clean_project")
@pytest.mark.parametrize(
    ("backend", "debug", "found"),
    [
        ("immediate.ImmediateBackend", False, ["E023"]),
        ("immediate.ImmediateBackend", True, []),
        ("dummy.DummyBackend", False, ["E023"]),
        ("dummy.DummyBackend", True, ["E023"]),
    ],
)
def test_a_backend_without_workers_is_an_error(settings, backend, debug, found):
    settings.DEBUG = debug
    settings.MAGICLINK_DISPATCHER = TASKS
    settings.TASKS = {"default": {"BACKEND": f"{BACKENDS}.{backend}"}}

    assert ids() == found


@pytest.mark.usefixtures("clean_project")
def test_a_backend_with_workers_is_fine(settings):
    settings.MAGICLINK_DISPATCHER = TASKS
    settings.TASKS = {"default": {"BACKEND": "tests.test_queues.Backend"}}

    assert ids() == []


if django.VERSION >= (6, 0):
    from django.tasks.backends.base import BaseTaskBackend
else:
    from django_tasks.backends.base import BaseTaskBackend


class Backend(BaseTaskBackend):
    """One whose workers are elsewhere."""

    def enqueue(self, task, args, kwargs):
        """Do nothing: nobody calls this."""
