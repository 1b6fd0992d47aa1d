"""The guards whose cost is compared: what each needs, and a user who has passed it."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count

from django.apps import apps
from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.handlers.wsgi import WSGIRequest
from django.db import connection
from django.test import Client, RequestFactory, override_settings
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django_otp import DEVICE_ID_SESSION_KEY

from .servers import until
from .visitors import PASSWORD

OUR_MIDDLEWARE = "django_magiclink.middleware.ApprovalMiddleware"

_serial = count(1)


@dataclass(frozen=True)
class Guard:
    """How a view is guarded; ``prove`` does what its user must do to pass."""

    name: str
    path: str
    middleware: str = ""
    prove: Callable | None = None


class Stack:
    """
    A guarded view behind the middleware that it needs, called in this process.

    The user's session is kept by ``engine``, and has passed the guard. ``refused`` is
    the SQL of the request before that, which was refused.
    """

    def __init__(self, guard, engine):
        self.name = guard.name
        self.refused = []
        client = Client(headers={"Accept": "application/json"})
        middleware = [*settings.SHARED_MIDDLEWARE, *filter(None, [guard.middleware])]
        with override_settings(MIDDLEWARE=middleware, SESSION_ENGINE=engine):
            client.handler.load_middleware()
            user = _user()
            client.force_login(user)
            if guard.prove is not None:
                self._be_refused(client, guard.path)
                guard.prove(client, user, guard.path)
            if client.get(guard.path).status_code != 200:
                raise AssertionError("It does not let its own user through.")
        self._handler = client.handler
        cookies = [f"{name}={crumb.value}" for name, crumb in client.cookies.items()]
        headers = {"Accept": "application/json", "Cookie": "; ".join(cookies)}
        self._environ = RequestFactory().get(guard.path, headers=headers).environ

    def seconds(self, requests):
        """Return how much processor time one request takes, the mean of some."""
        # Not the clock's: what else runs on the machine would be measured with it.
        start = time.thread_time()
        for _request in range(requests):
            self.call()
        return (time.thread_time() - start) / requests

    def queries(self):
        """Return the SQL of one request."""
        with CaptureQueriesContext(connection) as captured:
            self.call()
        return [query["sql"] for query in captured]

    def call(self):
        """Send one request through the middleware to the view."""
        response = self._handler.get_response(WSGIRequest(dict(self._environ)))
        if response.status_code != 200:
            raise AssertionError(f"{self.name} answered {response.status_code}.")

    def _be_refused(self, client, path):
        with CaptureQueriesContext(connection) as captured:
            response = client.get(path)
        if response.status_code not in (302, 401):
            raise AssertionError("It lets everybody through.")
        self.refused = [query["sql"] for query in captured]


def _user():
    serial = next(_serial)
    user = get_user_model().objects.create_user(f"user{serial}", password=PASSWORD)
    apps.get_model("django_magiclink.PhoneNumber").objects.create(
        user=user, number=f"+4670{serial:07}", verified_at=timezone.now()
    )
    return user


def accept(client, user, path):
    """Have the phone asked, on which somebody accepts whatever comes."""
    problem = client.get(path).json()
    started = client.post(problem["start_url"], {"challenge": problem["challenge"]})
    address = started.json()["status_url"]
    until(lambda: client.get(address).json()["final"])


def type_password(address):
    """Return a proof: the password is typed on the page at ``address``."""

    def prove(client, user, path):
        client.post(address, {"password": PASSWORD})

    return prove


def verify_device(client, user, path):
    """Have a device, and the session say that it was used, as ``django_otp.login``."""
    devices = apps.get_model("otp_static.StaticDevice").objects
    device = devices.create(user=user, name="static", confirmed=True)
    session = client.session
    session[DEVICE_ID_SESSION_KEY] = device.persistent_id
    session.save()
    # With cookies for sessions, the content is the key.
    client.cookies[settings.SESSION_COOKIE_NAME] = session.session_key


BASELINE = Guard("login_required", "/login_required/")
OURS = (
    Guard("ours, decorator", "/decorator/", prove=accept),
    Guard("ours, the last of 10 rules", "/rule/9/", OUR_MIDDLEWARE, accept),
)
OTP = Guard(
    "django-otp otp_required",
    "/otp_required/",
    "django_otp.middleware.OTPMiddleware",
    verify_device,
)
OTHERS = (
    Guard(
        "allauth reauthentication_required",
        "/reauthentication_required/",
        "allauth.account.middleware.AccountMiddleware",
        type_password("/accounts/reauthenticate/"),
    ),
    Guard(
        "django-elevate elevate_required",
        "/elevate_required/",
        "elevate.middleware.ElevateMiddleware",
        type_password("/elevate/"),
    ),
)
UNGUARDED = (
    Guard("without the middleware", "/unguarded/"),
    Guard("with the middleware and 10 rules", "/unguarded/", OUR_MIDDLEWARE),
)
