"""The guided way to another key: enter it, try it, put it to use, and back."""

from __future__ import annotations

import time
from datetime import date
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin.widgets import AdminDateWidget, AdminTextInputWidget
from django.contrib.auth import authenticate
from django.core.exceptions import ValidationError
from django.http import (
    Http404,
    HttpRequest,
    HttpResponseBase,
)
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables

from .. import health, keys
from ..challenges import Challenge, Clearance
from ..conf import app_settings
from ..models import ApiKey
from ..requirements import Requirement
from ..stepup import get_challenge
from .pages import EndpointView

#: Seconds for which an approval, or the password, lets keys be replaced.
UNLOCKED_FOR = 300

_SINCE = "_magiclink_password_since"


class KeyForm(forms.ModelForm):
    """Takes a key, which is not shown again, here or anywhere."""

    secret = forms.CharField(
        label=gettext_lazy("API key"),
        max_length=keys.LONGEST,
        widget=forms.PasswordInput({"autocomplete": "off", "class": "vTextField"}),
    )

    class Meta:
        model = ApiKey
        fields = ["name", "secret", "expires_on"]
        widgets = {"name": AdminTextInputWidget, "expires_on": AdminDateWidget}

    @sensitive_variables()
    def clean_secret(self) -> str:
        secret: str = self.cleaned_data["secret"]
        keys.validate(secret)
        return secret

    def clean_expires_on(self) -> date | None:
        expires_on: date | None = self.cleaned_data["expires_on"]
        if expires_on is not None and expires_on < timezone.localdate():
            raise forms.ValidationError(_("That day has passed."))
        return expires_on


@method_decorator(sensitive_post_parameters("secret", "password"), "dispatch")
class ReplaceKeyView(EndpointView):
    """
    Enter a key, try it, put it to use, go back: each within minutes of an approval.

    That is asked for as long as the present key works, and the password otherwise. A
    request that carries a key is never the one that asks: its fields would be kept.
    """

    template_name = "admin/django_magiclink/endpoint/key.html"
    http_method_names = ["get", "post"]

    def may(self, request: HttpRequest) -> bool:
        return bool(self.model_admin.has_regenerate_permission(request))

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        return self._steps(KeyForm())

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        actions = {
            "unlock": self._unlock,
            "enter": self._enter,
            "issue": self._issue,
            "use": self._use,
            "discard": self._discard,
            "back": self._back,
        }
        action = request.POST.get("action", "")
        if action not in actions:
            raise Http404
        if action != "unlock" and not self._unlocked:
            self.tell(_("Confirm that it is you first."), messages.ERROR)
            return self.again("key")
        return actions[action]()

    def _steps(self, form: KeyForm, status: int = 200) -> TemplateResponse:
        user: Any = self.request.user
        response = self.page(
            title=_("Replace the key of %s") % self.endpoint,
            form=form,
            media=form.media,
            unlocked=self._unlocked,
            by_phone=self._by_phone,
            has_password=user.has_usable_password(),
            in_use=health.key_in_use(self.endpoint),
            staged=keys.staged(self.endpoint),
            previous=keys.previous(self.endpoint),
            may_issue=app_settings.KEY_ISSUER is not None,
            test_url=self.model_admin.address(self.endpoint, "test"),
        )
        response.status_code = status
        return response

    @cached_property
    def _by_phone(self) -> bool:
        return health.of(self.endpoint).works

    @cached_property
    def _unlocked(self) -> bool:
        since = self.request.session.get(_SINCE, 0)
        if 0 <= time.time() - since < UNLOCKED_FOR:
            return True
        return self._by_phone and self._challenge() is None

    def _challenge(self) -> Challenge | Clearance | None:
        requirement = Requirement(
            scope="api-key",
            max_age=UNLOCKED_FOR,
            text=_("Replace the key of the endpoint {endpoint}"),
            params={"endpoint": self.endpoint},
            endpoint=self.endpoint.name,
        )
        return get_challenge(self.request, requirement, {})

    def _unlock(self) -> HttpResponseBase:
        if self._by_phone:
            challenge = self._challenge()
            return self.again("key") if challenge is None else challenge.response()
        if self._proves_password():
            self.request.session[_SINCE] = int(time.time())
        else:
            self.tell(_("That was not your password."), messages.ERROR)
        return self.again("key")

    @sensitive_variables()
    def _proves_password(self) -> bool:
        user: Any = self.request.user
        # By the project's own backends, which may count and lock.
        found = authenticate(
            self.request,
            **{user.USERNAME_FIELD: user.get_username()},
            password=self.request.POST.get("password", ""),
        )
        return found is not None and found.pk == user.pk

    @sensitive_variables()
    def _enter(self) -> HttpResponseBase:
        form = KeyForm(self.request.POST)
        if not form.is_valid():
            return self._steps(form, 400)
        self._stage(form.cleaned_data["secret"], form.cleaned_data["expires_on"])
        return self.again("key")

    @sensitive_variables()
    def _issue(self) -> HttpResponseBase:
        try:
            self._stage(*keys.issue(self.endpoint))
        except ValidationError as error:
            self.tell(" ".join(error.messages), messages.ERROR)
        return self.again("key")

    @sensitive_variables()
    def _stage(self, secret: str, expires_on: Any) -> None:
        key = keys.stage(
            self.endpoint,
            secret,
            name=self.request.POST.get("name", "")[:64] or self.endpoint.name,
            expires_on=expires_on,
            user=self.request.user,
        )
        self._log(f"The key {key} was entered. It is not in use yet.")

    def _use(self) -> HttpResponseBase:
        return self._put_to_use(keys.staged(self.endpoint))

    def _back(self) -> HttpResponseBase:
        return self._put_to_use(keys.previous(self.endpoint))

    def _put_to_use(self, key: ApiKey | None) -> HttpResponseBase:
        if key is None or not key.is_usable:
            self.tell(_("There is no such key any more."), messages.ERROR)
        else:
            keys.use(key, self.request.user)
            self._log(f"The key {key} is in use.")
            self.tell(_("The key %s is in use.") % key)
        return self.again("key")

    def _discard(self) -> HttpResponseBase:
        key = keys.staged(self.endpoint)
        if key is not None:
            key.delete()
            self._log(f"The key {key} was discarded.")
        return self.again("key")

    def _log(self, message: str) -> None:
        self.model_admin.log_change(self.request, self.endpoint, message)
