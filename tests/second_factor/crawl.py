"""
Go to every URL of the example project with sessions that nobody has approved.

Print as JSON which views there are, and which ran for each way to log in, or for those
ways that are named.
"""

import json
import re
import sys
from uuid import uuid4

import django
from django.conf import settings
from django.contrib.auth import SESSION_KEY, get_user_model
from django.contrib.auth.tokens import default_token_generator
from django.core.management import call_command
from django.test import Client
from django.test.utils import setup_test_environment
from django.urls import resolve
from django.utils.deprecation import MiddlewareMixin
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode

PASSWORD = {"username": "admin", "password": "secret"}
#: What parts of addresses are, so that each pattern gets one that leads to it.
EXAMPLES = [
    (r"<int:\w+>", "1"),
    (r"<uuid:\w+>", str(uuid4())),
    (r"<(\w+:)?\w+>", "1"),
    (r"\\\.\(\?P<format>[^)]*\)/\?", ".json"),
    (r"<drf_format_suffix:\w+>", ".json"),
    (r"\(\?P<app_label>(\w+)[^)]*\)", r"\1"),
    (r"\(\?P<\w+>[^)]*\)", "1"),
    (r"\(\?P<\w+>\.\*\)", "1"),
    (r"[$^]|\\Z", ""),
]


class Recorder(MiddlewareMixin):
    ran: set[str] = set()

    def process_view(self, request, view, args, kwargs):
        if request.user.is_authenticated:
            self.ran.add(request.resolver_match.view_name)


def address(route):
    for pattern, example in EXAMPLES[:2] + EXAMPLES[3:] + EXAMPLES[2:3]:
        route = re.sub(pattern, example, route)
    return f"/{route}"


def by_form(path):
    return lambda client: client.post(path, PASSWORD)


def by_reset(client):
    user = get_user_model().objects.get(username="admin")
    uid = urlsafe_base64_encode(force_bytes(user.pk))
    link = f"/reset/{uid}/{default_token_generator.make_token(user)}/"
    new = dict.fromkeys(["new_password1", "new_password2"], "a-Secret-of-7-boats")
    client.post(client.get(link)["Location"], new)


def by_server(client):
    client.defaults["REMOTE_USER"] = "admin"
    client.get("/login/")


WAYS = {
    "login view": by_form("/login/"),
    "admin login": by_form("/admin/login/"),
    "password reset": by_reset,
    "remote user": by_server,
    "callback": lambda client: client.get("/sso/callback/"),
}


def crawl(come_in, addresses):
    """Return which views ran, with no session that had more than a login."""
    client, ran = Client(raise_request_exception=False), set()
    for path in addresses:
        for method in ("get", "post"):
            if SESSION_KEY not in client.session:
                come_in(client)
            assert SESSION_KEY in client.session, (come_in, path, method)
            Recorder.ran.clear()
            getattr(client, method)(path)
            ran |= Recorder.ran
    return sorted(ran)


def main():
    from django_magiclink.inventory import walk

    get_user_model().objects.create_superuser("admin", password="secret")
    routes = {str(match.route): match.view_name for match in walk()}
    addresses = {address(route): name for route, name in routes.items()}
    lost = [path for path, name in addresses.items() if leads_to(path) != name]
    ways = {way: WAYS[way] for way in sys.argv[1:] or WAYS}
    result = {way: crawl(come_in, addresses) for way, come_in in ways.items()}
    names = sorted(set(addresses.values()))
    json.dump({"lost": lost, "views": names, "ran": result}, sys.stdout)


def leads_to(path):
    try:
        return resolve(path).view_name
    except django.urls.Resolver404:
        return None


if __name__ == "__main__":
    django.setup()
    setup_test_environment(debug=False)
    settings.LOGGING_CONFIG = None
    call_command("migrate", verbosity=0)
    # Not this module under its other name, whose set stays empty.
    from tests.second_factor.crawl import main

    main()
