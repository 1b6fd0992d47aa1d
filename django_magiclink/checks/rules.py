"""Checks of ``MAGICLINK_RULES``, and of the middleware that reads them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import urlsplit

from django.apps import apps
from django.conf import settings
from django.contrib.auth.middleware import AuthenticationMiddleware
from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string

from .. import newcomers
from ..conf import app_settings
from ..identities import knows_users_itself
from ..inventory import Door, ListedView, middleware_position
from ..middleware import ApprovalMiddleware
from ..rules import Rule, get_login
from .settings import wrong_values

_FLATPAGES = "django.contrib.flatpages.middleware.FlatpageFallbackMiddleware"


@register(Tags.security)
def check_rules(**kwargs: Any) -> Sequence[CheckMessage]:
    """Say which rules are wrong, and whether anything reads them."""
    if any(wrong_values()):
        return []
    return [*wrong_rules(), *_middleware()]


def wrong_rules() -> Iterator[CheckMessage]:
    """Say which rules no guard can be made of."""
    for index, options in enumerate(app_settings.RULES):
        try:
            Rule.of(options)
        except (ImproperlyConfigured, TypeError) as error:
            yield Error(
                f"MAGICLINK_RULES[{index}]: {error}",
                hint="Correct this rule: ApprovalMiddleware does not start with it.",
                id="django_magiclink.E005",
            )


def _middleware() -> Iterator[CheckMessage]:
    ours = middleware_position(ApprovalMiddleware)
    users = middleware_position(AuthenticationMiddleware)
    if ours is None:
        if app_settings.RULES:
            yield Error(
                "MAGICLINK_RULES is set and ApprovalMiddleware is not in MIDDLEWARE, "
                "so no rule guards anything.",
                hint='Add "django_magiclink.middleware.ApprovalMiddleware" after '
                "AuthenticationMiddleware.",
                id="django_magiclink.E006",
            )
    elif users is not None and ours < users:
        yield Warning(
            "ApprovalMiddleware stands before AuthenticationMiddleware.",
            hint="Move it behind AuthenticationMiddleware, and behind what else may "
            "answer instead of a view.",
            id="django_magiclink.W005",
        )


def unused_rules(
    rules: Sequence[Rule], views: Sequence[ListedView]
) -> Iterator[CheckMessage]:
    """Say which rules guard no view."""
    used = {
        guard.name for view in views for guard in view.guards if guard.door is Door.RULE
    }
    for index, rule in enumerate(rules):
        if str(index) in used:
            continue
        fitting = [view for view in views if rule.fits(view.match)]
        yield Error(
            f"MAGICLINK_RULES[{index}] guards no view.",
            hint=_why_unused(fitting),
            id="django_magiclink.E014",
        )


def _why_unused(fitting: Sequence[ListedView]) -> str:
    if not fitting:
        return (
            'No view has such a name. "manage.py magiclink_urls" lists the names '
            "there are."
        )
    if all(view.exempt for view in fitting):
        return "All views that it fits are exempt."
    return "Earlier rules fit all of its views: move it before them, or leave it out."


def unused_exemptions(views: Sequence[ListedView]) -> Iterator[CheckMessage]:
    """Say which names in ``MAGICLINK_EXEMPT`` are no view's."""
    for name in app_settings.EXEMPT:
        if not any(fnmatchcase(view.name, name) for view in views):
            yield Warning(
                f'MAGICLINK_EXEMPT names "{name}", which no view is called.',
                hint='"manage.py magiclink_urls" lists the names there are.',
                id="django_magiclink.W004",
            )


def lost_login(views: Sequence[ListedView]) -> Iterator[CheckMessage]:
    """Say that those who come to a rule without a login are sent nowhere."""
    by_rules = any(guard.door is Door.RULE for view in views for guard in view.guards)
    if by_rules and not _is_elsewhere(settings.LOGIN_URL) and get_login() is None:
        yield Warning(
            "MAGICLINK_RULES guards views and LOGIN_URL leads to no view of its own.",
            hint="Set LOGIN_URL to the name or the path of the login view, which is "
            "then exempt from the rules. Where the view takes parts of its address, "
            "name it in MAGICLINK_EXEMPT, and silence this check.",
            id="django_magiclink.W003",
        )


def open_logins(rules: Sequence[Rule]) -> Iterator[CheckMessage]:
    """Say which rules for the login let requests run before its second step."""
    for index, rule in enumerate(rules):
        options = app_settings.RULES[index]
        given = [name for name in ("methods", "when") if options.get(name) is not None]
        if rule.for_login and given:
            yield Warning(
                f"MAGICLINK_RULES[{index}] is for the login, and {given[0]} lets "
                "requests run before the second step.",
                hint="Leave it out, and name in MAGICLINK_EXEMPT what is to be open.",
                id="django_magiclink.W015",
            )


def open_phone_page(
    rules: Sequence[Rule], views: Sequence[ListedView]
) -> Iterator[CheckMessage]:
    """Say that a password alone decides which phone is the second step of a login."""
    pages = [view for view in views if view.name == newcomers.VIEW and view.exempt]
    if pages and any(rule.for_login for rule in rules):
        yield Warning(
            f"{newcomers.VIEW} is exempt from the rule for the login: whoever has the "
            "password of a user without a phone adds one of their own.",
            hint="Have staff enter the first numbers. If the password is enough for "
            "that, silence this check.",
            id="django_magiclink.W017",
        )


def fallbacks(rules: Sequence[Rule]) -> Iterator[CheckMessage]:
    """Say that a middleware shows pages which no rule can be for."""
    if not any(rule.for_login for rule in rules):
        return
    # Imported, it wants its app to be installed.
    if not apps.is_installed("django.contrib.flatpages"):
        return
    if middleware_position(import_string(_FLATPAGES)) is not None:
        yield Warning(
            "FlatpageFallbackMiddleware shows pages where there is no view, so before "
            "the second step of a login, also those that want a login.",
            hint="Take it out of MIDDLEWARE, and route the pages to "
            "django.contrib.flatpages.views.flatpage. If all of them are public, "
            "silence this check.",
            id="django_magiclink.W018",
        )


def refused_tokens(
    rules: Sequence[Rule], views: Sequence[ListedView]
) -> Iterator[CheckMessage]:
    """Say that a rule for all logins refuses what has no session."""
    if not any(rule.for_login and rule.all for rule in rules):
        return
    taking = (view for view in views if knows_users_itself(view.match.func))
    refused = [view.name for view in taking if not view.exempt]
    if refused:
        yield Warning(
            f"{refused[0]} takes more than sessions, and a rule for the login refuses "
            "all that comes without one.",
            hint="Give the view only SessionAuthentication. If its tokens need no "
            "second factor, name it in MAGICLINK_EXEMPT. Or silence this check.",
            id="django_magiclink.W016",
        )


def _is_elsewhere(login_url: Any) -> bool:
    return bool(urlsplit(str(login_url)).netloc)
