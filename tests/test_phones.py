import pytest
from django.core.exceptions import ValidationError

from django_magiclink.exceptions import NoPhone
from django_magiclink.models import PhoneNumber
from django_magiclink.phones import hash_number, mask, parse


@pytest.mark.parametrize(
    "typed",
    [
        "+46701740605",
        "+46 70 174 06 05",
        "+46 (0)70-174 06 05",
        "tel:+46-70-174-06-05",
        "+４６７０１７４０６０５",
        "070-174 06 05",
    ],
)
def test_one_number_has_one_form(typed, settings):
    settings.MAGICLINK_PHONE_REGION = "SE"

    assert parse(typed) == "+46701740605"


@pytest.mark.parametrize(
    "typed",
    ["", "x", "070-174 06 05", "+46", "+4670", "+467017406051234567", "+0701740605"]
    + ["+46701740605 ext. 5"],
)
def test_what_cannot_be_a_number_is_refused_without_repeating_it(typed):
    with pytest.raises(ValidationError) as error:
        parse(typed)

    assert error.value.messages == [
        "Enter the number with its country code, such as +46 70 123 45 67."
    ]


def test_a_mask_shows_five_characters():
    assert mask("+46701740605") == "+46*******05"
    assert mask("+1234567890") == "+12******90"


def test_a_hash_is_keyed(settings):
    before = hash_number("+46701740605")
    settings.SECRET_KEY = "another"

    assert len(before) == 64
    assert hash_number("+46701740605") != before


def lookup(user):
    return {"anna": "070-174 06 99", "bo": "", "cy": "nonsense"}[user.username]


@pytest.mark.parametrize("setting", [lookup, "tests.test_phones.lookup"])
def test_a_project_can_keep_the_numbers(user, settings, setting, caplog):
    settings.MAGICLINK_PHONE_REGION = "SE"
    settings.MAGICLINK_GET_PHONE_NUMBER = setting

    assert PhoneNumber.objects.of(user) == "+46701740699"
    user.username = "bo"
    with pytest.raises(NoPhone):
        PhoneNumber.objects.of(user)
    user.username = "cy"
    with pytest.raises(NoPhone):
        PhoneNumber.objects.of(user)
    assert "cannot be read" in caplog.text
    assert "nonsense" not in caplog.text


def test_a_stored_number_is_canonical_and_shown_masked(user):
    phone = PhoneNumber(user=user, number="+46 70 174 06 99")

    phone.clean_fields()

    assert phone.number == "+46701740699"
    assert str(phone) == "+46*******99"


def test_a_number_that_is_wrong_is_said_at_its_field(user):
    with pytest.raises(ValidationError) as error:
        PhoneNumber(user=user, number="070").clean_fields()

    assert "number" in error.value.error_dict
