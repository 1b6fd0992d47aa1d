"""Guarded views, each of which notes that its body ran and what it saw."""

import hashlib
import secrets
import time
from threading import Thread, active_count

from django.conf import settings
from django.contrib.auth import (
    BACKEND_SESSION_KEY,
    HASH_SESSION_KEY,
    SESSION_KEY,
    get_user_model,
    login,
)
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session
from django.core.exceptions import ValidationError
from django.db import connection, transaction
from django.http import HttpResponse, JsonResponse
from django.middleware.csrf import rotate_token
from django.utils import timezone
from django.utils.crypto import get_random_string
from django.utils.decorators import method_decorator
from django.utils.deprecation import MiddlewareMixin
from django.views import View
from django.views.decorators.cache import cache_page
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import condition

from django_magiclink import approvals
from django_magiclink.binding import NONCE_KEY, renew_nonce
from django_magiclink.bodies import is_form
from django_magiclink.client import Texts
from django_magiclink.decorators import approval_required
from django_magiclink.dispatchers import get_dispatcher
from django_magiclink.enrolment import change_number
from django_magiclink.models import Approval, Endpoint, PhoneNumber
from django_magiclink.phones import hash_number
from django_magiclink.status import UNDECIDED, Status
from django_magiclink.stepup import (
    arequire_approval,
    keeps_nothing,
    require_approval,
)
from django_magiclink.wanted import Wanted

from .models import Run


def ran(request, view):
    fields = dict(request.POST.lists())
    for ours in [name for name in fields if name.startswith(("_approval", "csrf"))]:
        del fields[ours]
    files = {
        name: [file.name, hashlib.sha256(file.read()).hexdigest()]
        for name, file in request.FILES.items()
    }
    body = "" if is_form(request) else request.body.decode("latin-1")
    seen = {
        "method": request.method,
        "path": request.get_full_path(),
        "fields": fields,
        "files": files,
        "body": body,
    }
    Run.objects.create(view=view, seen=seen)
    return HttpResponse(f"{view} ran")


class UserOfEachRequest(MiddlewareMixin):
    """As middleware of a host may: it asks the database who each request is of."""

    def process_view(self, request, *view):
        request.user.is_authenticated  # noqa: B018


@approval_required
def default(request):
    return ran(request, "default")


def phone(request):
    try:
        refused = change_number(request, request.POST["number"])
    except ValidationError as error:
        return HttpResponse(str(error.messages), status=400)
    return refused or ran(request, "phone")


@approval_required(scope="payroll", max_age=60)
def payroll(request):
    return ran(request, "payroll")


@approval_required(scope="once", max_age=0, text="Carry it out")
def once(request):
    return ran(request, "once")


@approval_required(
    scope="transfer",
    max_age=0,
    methods=["POST"],
    text="Pay {amount} to {payee}",
    params=["amount", "payee"],
)
def transfer(request):
    return ran(request, "transfer")


@approval_required(scope="typed", max_age=60, code="type")
def typed(request):
    return ran(request, "typed")


@approval_required(scope="typed", max_age=0, code="type")
def typed_once(request):
    return ran(request, "typed_once")


@approval_required(scope="get", methods=["GET"])
def get_only(request):
    return ran(request, "get_only")


@approval_required(scope="session", max_age="session")
def session(request):
    return ran(request, "session")


@approval_required(
    scope="window", max_age=60, params=["pk", "colour"], text="{pk} {colour}"
)
def params(request, pk):
    return ran(request, "params")


@approval_required(
    scope="called",
    max_age=60,
    when=lambda request, **kwargs: request.GET.get("when") != "no",
    text=lambda request, **kwargs: f"Called {request.GET.get('who', '')}",
    params=lambda request, **kwargs: {"who": request.GET.get("who", "")},
    endpoint=lambda request, **kwargs: request.GET.get("endpoint", ""),
)
def called(request):
    return ran(request, "called")


@approval_required(scope="async", max_age=0)
async def asynchronous(request):
    await Run.objects.acreate(view="asynchronous")
    return HttpResponse("asynchronous ran")


@approval_required(scope="outer", max_age=60)
@approval_required(scope="inner", max_age=0)
def stacked(request):
    return ran(request, "stacked")


@approval_required(scope="once", max_age=0)
@approval_required(scope="once", max_age=0)
def twice(request):
    return ran(request, "twice")


@approval_required(scope="once", max_age=0)
@approval_required(scope="other", max_age=0)
def conflicting(request):
    return ran(request, "conflicting")


class ClassBased(View):
    @method_decorator(approval_required(scope="class", max_age=0))
    def post(self, request):
        return ran(request, "class_based")

    def get(self, request):
        return ran(request, "class_based")


def inline(request):
    refused = require_approval(
        request,
        scope="inline",
        max_age=0,
        text="Pay {amount}",
        params={"amount": request.POST.get("amount", "")},
    )
    return refused or ran(request, "inline")


def inline_window(request):
    refused = require_approval(request, scope="inline", max_age=60)
    return refused or ran(request, "inline_window")


def inline_unnamed(request, number):
    refused = require_approval(
        request,
        scope="inline",
        when=lambda request, number: number != "0",
        text=lambda request, number: f"Open {number}",
    )
    return refused or ran(request, "inline_unnamed")


def inline_rotated(request):
    rotate_token(request)
    refused = require_approval(request, scope="inline", max_age=60)
    return refused or ran(request, "inline_rotated")


def inline_in_transaction(request):
    with transaction.atomic():
        return inline(request)


async def inline_async(request):
    refused = await arequire_approval(request, scope="inline", max_age=60)
    if refused:
        return refused
    await Run.objects.acreate(view="inline_async")
    return HttpResponse("inline_async ran")


@approval_required(scope="crash", max_age=0)
def crash(request):
    with open(request.GET["note"], "a") as note:
        note.write("ran\n")
    Run.objects.create(view="crash")
    raise RuntimeError("the view broke")


@keeps_nothing
@approval_required(scope="secret", max_age=0)
def secret(request):
    return ran(request, "secret")


@approval_required(scope="count", max_age=0)
def count(request):
    Run.objects.create(view="count")
    return HttpResponse("count ran")


@transaction.non_atomic_requests
@approval_required(scope="outside", max_age=60)
def non_atomic_outside(request):
    return HttpResponse(str(transaction.get_connection().in_atomic_block))


@approval_required(scope="inside", max_age=60)
@transaction.non_atomic_requests
def non_atomic_inside(request):
    return HttpResponse(str(transaction.get_connection().in_atomic_block))


@approval_required(scope="plain", max_age=60)
@approval_required(scope="plain2", max_age=60)
def atomic(request):
    return HttpResponse(str(transaction.get_connection().in_atomic_block))


@transaction.non_atomic_requests
@approval_required(scope="plain", max_age=60)
@approval_required(scope="plain2", max_age=60)
def stacked_outside(request):
    return HttpResponse(str(transaction.get_connection().in_atomic_block))


class ClassOutside(View):
    @method_decorator(approval_required(scope="method", max_age=0))
    def get(self, request):
        return HttpResponse(str(transaction.get_connection().in_atomic_block))


class_outside = transaction.non_atomic_requests(ClassOutside.as_view())


@csrf_exempt
@approval_required(scope="exempt", max_age=0)
def exempt(request):
    return ran(request, "exempt")


@csrf_exempt
@approval_required(scope="late", max_age=0)
@csrf_protect
def checked_later(request):
    return ran(request, "checked_later")


cached = cache_page(600)(
    approval_required(scope="cached", max_age=60)(
        lambda request: ran(request, "cached")
    )
)
cached_inline = cache_page(600)(inline_window)
conditional = condition(etag_func=lambda request: '"constant"')(
    approval_required(scope="conditional", max_age=60)(
        lambda request: ran(request, "conditional")
    )
)


# What the races need: many users, jobs in the hands of a test, and planted defects.


def join(request):
    """Log a user in, who has a phone, and who is made at the first time."""
    name, number = request.GET["name"], request.GET["number"]
    user, _ = get_user_model().objects.get_or_create(username=name)
    phone = {"number": number, "verified_at": timezone.now()}
    PhoneNumber.objects.get_or_create(user=user, defaults=phone)
    login(request, user)
    if "older" in request.GET:
        # As a session is that began before the app was installed.
        del request.session[NONCE_KEY]
    return HttpResponse(f"{name} is logged in")


def crowd(request):
    """Make many users, who have phones and are logged in, and tell about them."""
    first, size = int(request.GET["first"]), int(request.GET["size"])
    numbers = {f"user{each}": f"+4670{each:07}" for each in range(first, first + size)}
    model = get_user_model()
    users = model.objects.bulk_create(model(username=name) for name in numbers)
    now, sessions = timezone.now(), []
    PhoneNumber.objects.bulk_create(
        PhoneNumber(user=user, number=numbers[user.username], verified_at=now)
        for user in users
    )
    for user in users:
        session = SessionStore(secrets.token_hex(16))
        session[SESSION_KEY] = str(user.pk)
        session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
        session[HASH_SESSION_KEY] = user.get_session_auth_hash()
        renew_nonce(session)
        sessions.append(session)
    Session.objects.bulk_create(
        each.create_model_instance(dict(each.items())) for each in sessions
    )
    csrf = get_random_string(32)
    made = [
        {
            "name": user.username,
            "number": numbers[user.username],
            "cookies": f"sessionid={session.session_key}; csrftoken={csrf}",
        }
        for user, session in zip(users, sessions, strict=True)
    ]
    return JsonResponse(made, safe=False)


def threads(request):
    """Tell how many threads this process has."""
    return HttpResponse(active_count())


@transaction.non_atomic_requests
def queue(request):
    """Ask for an approval whose job is not delivered to anybody yet."""
    wanted = Wanted(
        purpose="step-up",
        scope="queue",
        max_age=60,
        endpoint="",
        timeout=None,
        code="",
        text="Confirm",
        binding=secrets.token_hex(32),
        session_hash="s" * 64,
    )
    approval, _ = approvals.request(wanted, user=request.user, dispatch=lambda pk: None)
    return HttpResponse(approval.pk)


@transaction.non_atomic_requests
def deliver(request, pk):
    approvals.perform(pk)
    return HttpResponse("delivered")


@transaction.non_atomic_requests
def planted_delivery(request, pk):
    """Claims a job as ``perform`` must not: looks, and marks it later."""
    job = Approval.objects.filter(pk=pk)
    if job.get().status == Status.PENDING:
        time.sleep(0.2)
        job.update(status=Status.SENT)
        client, number = Endpoint.objects.named().client(), _number(request)
        client.authenticate(number, timeout=60, texts=Texts())
    return HttpResponse("delivered")


@transaction.non_atomic_requests
def planted_use(request):
    """Uses an approval up as a guard must not: looks, and marks it later."""
    accepted = _accepted(request)
    if not accepted.exists():
        return HttpResponse(status=401)
    time.sleep(0.2)
    accepted.update(status=Status.CONSUMED)
    Run.objects.create(view="planted_use")
    return HttpResponse("planted_use ran")


def planted_crash(request):
    """Uses an approval up in the transaction of the view, which takes it back."""
    if not _accepted(request).update(status=Status.CONSUMED):
        return HttpResponse(status=401)
    with open(request.GET["note"], "a") as note:
        note.write("ran\n")
    raise RuntimeError("the view broke")


@transaction.non_atomic_requests
def planted_start(request):
    """Asks for an approval without the slot that lets a phone ring once at a time."""
    approval = _approvals(request).filter(status__in=UNDECIDED).first()
    if approval is not None:
        return JsonResponse({"id": str(approval.pk)})
    time.sleep(0.2)
    approval = _without_slot(request)
    get_dispatcher().dispatch(approval.pk)
    return JsonResponse({"id": str(approval.pk)}, status=201)


def planted_wait(request):
    """Waits in a thread that keeps its connection, and a transaction open on it."""
    approval = _without_slot(request)

    def wait():
        with transaction.atomic():
            approvals.perform(approval.pk)
        connection.close()

    transaction.on_commit(Thread(target=wait, daemon=True).start)
    return HttpResponse("waiting")


def _approvals(request):
    return Approval.objects.filter(user=request.user)


def _accepted(request):
    return _approvals(request).filter(status=Status.ACCEPTED)


def _number(request):
    return PhoneNumber.objects.of(request.user)


def _without_slot(request):
    return Approval.objects.create(
        user=request.user, number_hash=hash_number(_number(request))
    )
