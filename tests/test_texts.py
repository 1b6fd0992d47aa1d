import time
from decimal import Decimal

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.files.base import ContentFile
from django.utils.translation import gettext_lazy

from django_magiclink import texts
from tests.models import Run


@pytest.mark.parametrize(
    "template", ["{a.b}", "{a[0]}", "{}", "{0}", "{a:{b}}", "{", "}", "{a!r}"]
)
def test_a_template_has_plain_names_only(template):
    with pytest.raises(ImproperlyConfigured, match="plain {names}"):
        texts.fields(template)


def test_the_names_of_a_template_are_found():
    assert texts.fields("Pay {amount:.2f} to {payee}, {{not}} {amount}") == {
        "amount",
        "payee",
    }


@pytest.mark.parametrize(
    ("template", "params", "shown"),
    [
        ("Pay {amount} to {payee}", {"amount": 10, "payee": "Bo"}, "Pay 10 to Bo"),
        ("{amount:.2f} {{x}}", {"amount": Decimal("1.5")}, "1.50 {x}"),
        ("{payee}", {"payee": "{amount}"}, "{amount}"),
        ("{file}", {"file": ContentFile(b"", "a.pdf")}, "a.pdf"),
        ("{run}", {"run": Run(view="payroll")}, "payroll"),
        ("{lazy}", {"lazy": gettext_lazy("Status")}, "Status"),
        ("{none}", {"none": None}, "None"),
    ],
)
def test_a_template_is_filled_with_the_params(template, params, shown):
    assert texts.render(template, params) == shown


def test_a_name_without_a_value_is_a_mistake_of_the_project():
    with pytest.raises(ImproperlyConfigured, match="names amount"):
        texts.render("Pay {amount}", {})


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("a\r\nb\tc  d", "a b c d"),
        ("a\u2028b", "a b"),
        ("12\u00a0500 \u00a0\u00a0SEK", "12\u00a0500 SEK"),
        ("\u202e001\u202c", "001"),
        ("a\x00\x1bb\u200b\ufeff", "ab"),
        ("see https://evil.example/x now", "see … now"),
        ("see HTTP://EVIL now", "see … now"),
        ("www.evil.example", "…"),
        ("evil.example/pay me", "… me"),
        ("Nordea AB, 5.5 %", "Nordea AB, 5.5 %"),
        ("Åsa Öberg 李", "Åsa Öberg 李"),
    ],
)
def test_a_text_is_one_line_without_tricks(text, clean):
    assert texts.clean(text) == clean


def test_a_long_value_does_not_push_the_rest_out_of_sight():
    shown = texts.render("{payee} gets {amount} SEK", {"payee": "x" * 500, "amount": 9})

    assert shown == f"{'x' * 79}… gets 9 SEK"


def test_megabytes_take_no_time():
    started = time.process_time()

    assert len(texts.render("{a}", {"a": "aa.bb" * 1_000_000})) == 80

    assert time.process_time() - started < 1


def test_what_is_cut_off_is_not_silently_gone():
    assert texts.render("{a}", {"a": "\x00" * 400 + "hidden"}) == "…"


def test_the_whole_is_bounded():
    assert len(texts.render("x" * 500, {})) == texts.MAX_LENGTH
