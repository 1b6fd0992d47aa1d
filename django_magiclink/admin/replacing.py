"""The guided way to another key: enter it, try it, put it to use, and back."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import date
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin.widgets import AdminDateWidget, AdminTextInputWidget
from django.core.exceptions import ValidationError
from django.http import (
    Http404,
    HttpRequest,
    HttpResponseBase,
)
from django.template.response import TemplateResponse
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.debug import sensitive_variables

from .. import health, keys
from ..challenges import Clearance
from ..conf import app_settings
from ..models import ApiKey
from ..models.api_key import today
from ..stepup import PREFLIGHT_HEADER
from .pages import EndpointView
from .proving import Proof


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
        if expires_on is not None and expires_on < today():
            raise forms.ValidationError(_("That day has passed."))
        return expires_on


class ReplaceKeyView(EndpointView):
    """
    Enter a key, try it, put it to use, go back: each within minutes of a proof.

    The request that asks for that is never one that carries a key: a guard keeps the
    fields of what it refuses.
    """

    template_name = "admin/django_magiclink/endpoint/key.html"
    http_method_names = ["get", "post"]

    def may(self, request: HttpRequest) -> bool:
        return bool(self.model_admin.has_regenerate_permission(request))

    @cached_property
    def proof(self) -> Proof:
        return Proof(self.request, self.endpoint)

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        return self._steps(KeyForm())

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        actions = {
            "enter": self._enter,
            "issue": self._issue,
            "use": self._use,
            "discard": self._discard,
            "back": self._back,
        }
        action = request.POST.get("action", "")
        asks = action == "unlock" and self.proof.by_phone is not None
        if PREFLIGHT_HEADER in request.headers and not asks:
            # Nothing here waits for an approval, and nothing is done for a question.
            return Clearance().response()
        if action == "unlock":
            return self._unlock()
        if action not in actions:
            raise Http404
        if problem := self._problem():
            self.tell(problem, messages.ERROR)
            return self.again("key")
        return actions[action]()

    def _problem(self) -> str:
        """Return what must be done first, if anything must."""
        if not self.proof.holds:
            return _("Confirm that it is you first.")
        if self.request.POST.get("origin") != self.endpoint.origin:
            # The key would be sent where nobody has meant it to go.
            return _("The endpoint has moved meanwhile. Look again.")
        return ""

    def _steps(self, form: KeyForm, status: int = 200) -> TemplateResponse:
        user: Any = self.request.user
        response = self.page(
            title=_("Replace the key of %s") % self.endpoint,
            form=form,
            media=form.media,
            proof=self.proof,
            phone=self.phone(),
            has_password=user.has_usable_password(),
            in_use=health.key_in_use(self.endpoint),
            staged=keys.staged(self.endpoint),
            previous=keys.previous(self.endpoint),
            may_issue=app_settings.KEY_ISSUER is not None,
            test_url=self.model_admin.address(self.endpoint, "test"),
        )
        response.status_code = status
        return response

    @sensitive_variables()
    def _unlock(self) -> HttpResponseBase:
        if self.proof.by_phone is not None:
            return self.proof.ask(self.proof.by_phone) or self.again("key")
        if not self.proof.take(self.request.POST.get("password", "")):
            self.tell(_("That was not your password."), messages.ERROR)
        return self.again("key")

    @sensitive_variables()
    def _enter(self) -> HttpResponseBase:
        form = KeyForm(self.request.POST)
        if not form.is_valid():
            return self._steps(form, 400)
        return self._stage(**form.cleaned_data)

    @sensitive_variables()
    def _issue(self) -> HttpResponseBase:
        try:
            secret, expires_on = keys.issue(self.endpoint)
        except ValidationError as error:
            self.tell(" ".join(error.messages), messages.ERROR)
            return self.again("key")
        return self._stage(secret, self.endpoint.name, expires_on)

    @sensitive_variables()
    def _stage(self, secret: str, name: str, expires_on: Any) -> HttpResponseBase:
        key = keys.stage(
            self.endpoint,
            secret,
            name=name,
            expires_on=expires_on,
            user=self.request.user,
        )
        return self._done(_("The key %s was entered. It is not in use yet.") % key)

    def _use(self) -> HttpResponseBase:
        return self._with(keys.staged(self.endpoint), self._put_to_use)

    def _back(self) -> HttpResponseBase:
        return self._with(keys.previous(self.endpoint), self._put_to_use)

    def _discard(self) -> HttpResponseBase:
        return self._with(keys.staged(self.endpoint), self._delete)

    def _with(
        self, key: ApiKey | None, act: Callable[[ApiKey], HttpResponseBase]
    ) -> HttpResponseBase:
        """Act on ``key``, if it is the one that the page has shown."""
        if key is not None and self.request.POST.get("key") == str(key.pk):
            with suppress(ApiKey.DoesNotExist):
                return act(key)
        self.tell(_("That key is not there any more. Look again."), messages.ERROR)
        return self.again("key")

    def _put_to_use(self, key: ApiKey) -> HttpResponseBase:
        if not key.is_usable:
            self.tell(_("That key cannot be used. Discard it."), messages.ERROR)
            return self.again("key")
        keys.use(key, self.request.user)
        said = _("The key %s is in use.") % key
        self.tell(said)
        return self._done(said)

    def _delete(self, key: ApiKey) -> HttpResponseBase:
        keys.discard(key, self.request.user)
        return self._done(_("The key %s was discarded.") % key)

    def _done(self, message: str) -> HttpResponseBase:
        self.model_admin.log_change(self.request, self.endpoint, message)
        return self.again("key")
