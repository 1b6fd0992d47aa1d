import pickle

import pytest
from cryptography.fernet import Fernet
from django.core import serializers
from django.core.exceptions import FieldError, ImproperlyConfigured

from django_magiclink.exceptions import DecryptionError, NoEndpoint
from django_magiclink.fields import Sealed
from django_magiclink.models import ApiKey, Endpoint

ADDRESS = "https://mideye.example.com:8443"
SECRET = "c3859cad-479a-4d65-9253-459ea4a12b34"
NEW_KEY = Fernet.generate_key().decode()


@pytest.fixture
def endpoint(db):
    return Endpoint.objects.create(name="main", base_url="https://m.example.com:8443")


@pytest.fixture
def key(endpoint):
    key = ApiKey(endpoint=endpoint, name="web")
    key.enter(SECRET)
    return ApiKey.objects.get()


def test_a_secret_is_sealed_and_opened(key):
    assert key.reveal() == SECRET
    assert key.last_four == "2b34"
    assert key.origin == "https://m.example.com:8443"
    assert str(key) == "web (…2b34)"


def test_a_secret_shows_nowhere(key):
    shown = [
        repr(key),
        repr(vars(key)),
        repr(ApiKey.objects.values()),
        repr(key.endpoint.client()),
        str(pickle.dumps(key)),
        serializers.serialize("json", ApiKey.objects.all()),
        str(ApiKey.objects.raw("select * from django_magiclink_apikey")[0].__dict__),
    ]

    assert not [text for text in shown if SECRET in text]
    assert key.sealed.token not in repr(key.sealed)


def test_a_fixture_carries_the_ciphertext(key):
    fixture = serializers.serialize("json", ApiKey.objects.all())
    ApiKey.objects.all().delete()

    for row in serializers.deserialize("json", fixture):
        row.save()

    assert ApiKey.objects.get().reveal() == SECRET


def test_a_new_key_encrypts_and_the_old_still_decrypts(key, settings):
    settings.MAGICLINK_FIELD_KEYS = [NEW_KEY, *settings.MAGICLINK_FIELD_KEYS]

    assert ApiKey.objects.get().reveal() == SECRET
    assert Fernet(NEW_KEY).decrypt(Sealed.seal("a", "b").token)


@pytest.mark.covers("R34", "A55")
def test_a_wrong_key_raises_and_passes_no_ciphertext_on(key, settings):
    settings.MAGICLINK_FIELD_KEYS = [NEW_KEY]

    with pytest.raises(DecryptionError, match="MAGICLINK_FIELD_KEYS"):
        key.reveal()
    with pytest.raises(DecryptionError):
        key.endpoint.client()


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ([], "magiclink_field_key"),
        (["short"], "list of keys"),
        ([None], "list of keys"),
        (["ä"], "list of keys"),
    ],
)
def test_keys_that_cannot_encrypt_are_said(endpoint, settings, keys, said):
    settings.MAGICLINK_FIELD_KEYS = keys

    with pytest.raises(ImproperlyConfigured, match=said) as error:
        ApiKey(endpoint=endpoint, name="web").enter(SECRET)

    assert error.value.__cause__ is None
    assert not ApiKey.objects.exists()


@pytest.mark.covers("R34", "A56")
def test_ciphertext_of_one_row_is_of_no_use_in_another(key):
    other = Endpoint.objects.create(name="other", base_url="https://m.example.com:8443")
    stolen = ApiKey(endpoint=other, name="other", origin=key.origin, sealed=key.sealed)
    stolen.save()

    with pytest.raises(DecryptionError):
        ApiKey.objects.get(pk=stolen.pk).reveal()


def test_a_key_is_of_the_host_it_was_entered_for(key, endpoint):
    endpoint.base_url = "https://other.example.com"
    endpoint.save()

    with pytest.raises(NoEndpoint):
        endpoint.client()
    ApiKey.objects.update(origin="https://other.example.com:443")
    with pytest.raises(DecryptionError):
        endpoint.client()


def test_clear_text_cannot_be_saved(key):
    key.sealed = SECRET

    with pytest.raises(TypeError, match="never clear text"):
        key.save()


def test_a_secret_cannot_be_searched_for(key):
    with pytest.raises(FieldError):
        ApiKey.objects.filter(sealed=key.sealed).exists()


def test_an_empty_secret_is_null(key):
    field = ApiKey._meta.get_field("sealed")

    assert field.get_prep_value(None) is None
    assert field.from_db_value(None, None, None) is None


def test_a_new_key_retires_the_old_one(key, endpoint):
    other = Endpoint.objects.create(name="other", base_url="https://m.example.com:8443")
    ApiKey(endpoint=other, name="other").enter("other")

    ApiKey(endpoint=endpoint, name="next").enter("next")

    active = ApiKey.objects.filter(retired=None).values_list("name", flat=True)
    assert set(active) == {"next", "other"}
    assert endpoint.client().api_key == "next"


@pytest.mark.covers("R35")
def test_an_endpoint_can_come_from_the_settings_alone(db, settings):
    settings.MAGICLINK_SERVER_URL = ADDRESS
    settings.MAGICLINK_API_KEY = SECRET
    settings.MAGICLINK_ENDPOINT_NAME = "web"

    client = Endpoint.objects.named().client()

    assert (client.base_url, client.api_key, client.endpoint_name) == (
        ADDRESS,
        SECRET,
        "web",
    )
    assert Endpoint.objects.of_approval(None).client().api_key == SECRET
    assert not Endpoint.objects.exists()
