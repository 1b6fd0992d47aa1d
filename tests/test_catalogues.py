"""The translations: complete, fitting, and of nothing that is gone."""

import copy

import polib
import pytest
from django.contrib import admin
from django.contrib.admin.utils import flatten_fieldsets
from django.utils.functional import Promise

from django_magiclink.models import ApiKey, Approval, Bypass, Endpoint, PhoneNumber
from docs.make_catalogues import CATALOGUES, PACKAGE, extracted, refreshed

from .catalogues import problems, untranslated

TEMPLATES = sorted(PACKAGE.glob("templates/**/*.html"))
ENGLISH = [
    polib.POEntry(msgid="Pay {amount}."),
    polib.POEntry(msgid="%d day", msgid_plural="%d days"),
]
SWEDISH = [
    polib.POEntry(msgid="Pay {amount}.", msgstr="Betala {amount}."),
    polib.POEntry(
        msgid="%d day",
        msgid_plural="%d days",
        msgstr_plural={0: "%d dag", 1: "%d dagar"},
    ),
]

languages = pytest.mark.parametrize("path", CATALOGUES, ids=lambda path: path.parts[-3])


@pytest.fixture(scope="session")
def marked():
    return extracted()


@pytest.fixture
def small():
    """A catalogue of two strings, with nothing wrong in it."""
    catalogue = polib.POFile()
    catalogue.metadata = {"Plural-Forms": "nplurals=2; plural=(n != 1);"}
    catalogue.extend(copy.deepcopy(SWEDISH))
    return catalogue


def test_there_is_swedish():
    assert [path.parts[-3] for path in CATALOGUES] == ["sv"]


@pytest.mark.needs("gettext")
@languages
def test_each_string_is_translated_and_says_no_less(path, marked):
    assert len(marked) > 100
    assert problems(polib.pofile(path), marked) == []


@pytest.mark.needs("gettext")
@languages
def test_a_catalogue_is_as_its_maker_writes_it(path, marked):
    assert str(refreshed(polib.pofile(path), marked)) == path.read_text()


@languages
def test_what_is_compiled_is_the_catalogue(path):
    compiled = path.with_suffix(".mo").read_bytes()

    assert compiled == polib.pofile(path).to_binary()


@languages
def test_a_catalogue_holds_no_date_that_changes_with_each_run(path):
    assert [name for name in polib.pofile(path).metadata if "Date" in name] == []


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_a_template_has_no_words_of_one_language(path):
    assert untranslated(path.read_text()) == []


@pytest.mark.parametrize("model", [ApiKey, Approval, Bypass, Endpoint, PhoneNumber])
def test_the_admin_shows_no_field_whose_name_stays_english(model, rf, admin_user):
    model_admin, request = admin.site._registry[model], rf.get("/")
    request.user = admin_user
    shown = flatten_fieldsets(model_admin.get_fieldsets(request, model()))

    names = {
        field.name: field.verbose_name
        for field in model._meta.fields
        if field.name in {*shown, *model_admin.list_display}
    }

    assert names
    assert [name for name in names if not isinstance(names[name], Promise)] == []


def test_nothing_is_wrong_with_a_catalogue_that_fits(small):
    assert problems(small, ENGLISH) == []


def test_a_string_that_is_missing_is_found(small):
    assert problems(small, [*ENGLISH, polib.POEntry(msgid="New")]) == ["missing: New"]


def test_a_string_that_is_gone_is_found(small):
    assert problems(small, ENGLISH[1:]) == ["of no use: Pay {amount}."]


@pytest.mark.parametrize(
    ("at", "attribute", "value", "problem"),
    [
        (0, "msgstr", "", "empty"),
        (0, "msgstr", "Betala {summa}.", "other placeholders"),
        (0, "msgstr", "Betala.", "other placeholders"),
        (0, "msgstr", "Betala {amount}", "another end"),
        (0, "flags", ["fuzzy"], "fuzzy"),
        (0, "obsolete", True, "obsolete"),
        (1, "msgstr_plural", {0: "%d dag"}, "without a form"),
        (1, "msgstr_plural", {0: "%d dag", 1: ""}, "empty"),
        (1, "msgstr_plural", {0: "%d dag", 1: "%s dagar"}, "other placeholders"),
    ],
)
def test_a_defect_in_a_catalogue_is_found(small, at, attribute, value, problem):
    setattr(small[at], attribute, value)

    assert problems(small, ENGLISH) == [f"{problem}: {small[at].msgid}"]


@pytest.mark.needs("gettext")
def test_strings_are_found_in_python_and_in_templates(tmp_path):
    app = tmp_path / "app"
    app.mkdir()
    python = "from django.utils.translation import gettext as _\n_('Of Python')\n"
    template = "{% load i18n %}{% translate 'Of a template' %}"
    (app / "views.py").write_text(python)
    (app / "page.html").write_text(template)

    found = {entry.msgid for entry in extracted(app)}

    assert found == {"Of Python", "Of a template"}


def test_a_catalogue_gets_what_is_new_and_loses_what_is_gone(small):
    new = refreshed(small, [*ENGLISH[:1], polib.POEntry(msgid="New")])

    assert [(entry.msgid, entry.msgstr) for entry in new] == [
        ("New", ""),
        ("Pay {amount}.", "Betala {amount}."),
    ]


@pytest.mark.parametrize(
    ("template", "words"),
    [
        ("{% load i18n %}<p>{% translate 'Pay' %} 5 s {{ name }}</p>", []),
        ("<p class='left'>Pay {{ sum }}</p>", ["Pay"]),
        ('<i aria-label="{% translate "Pay" %}" title="Pay"></i>', ["Pay"]),
        ("{% comment %} For us {% endcomment %}&rsaquo;", []),
        ("{% blocktranslate %}Pay {{ sum }}{% endblocktranslate %} now", ["now"]),
    ],
)
def test_words_that_a_template_shows_in_every_language_are_found(template, words):
    assert untranslated(template) == words
