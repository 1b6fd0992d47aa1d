"""The form that asks who wants to log in."""

from __future__ import annotations

from django import forms
from django.utils.translation import gettext_lazy as _


class NameForm(forms.Form):
    """Who wants to log in."""

    name = forms.CharField(
        label=_("Phone number or user name"),
        max_length=150,
        help_text=_("A number begins with its country code, such as +46."),
        widget=forms.TextInput(
            attrs={
                "autocomplete": "username",
                "autocapitalize": "none",
                "spellcheck": "false",
                "autofocus": True,
            }
        ),
    )
