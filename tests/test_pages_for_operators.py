"""The code on the pages for those who run a site, which is in no project of ours."""

from collections import Counter

import pytest
from django.test import RequestFactory

from django_magiclink.admin.timeline import _ERRORS
from django_magiclink.models import Approval, Endpoint
from django_magiclink.signals import approval_changed, approval_refused
from django_magiclink.status import Status

from .pages import ROOT, blocks_of
from .test_example import KEEPING


def code_of(page, word):
    """Return the block of Python on a how-to page that has ``word`` in it."""
    blocks = blocks_of((ROOT / f"docs/howto/{page}.md").read_text())
    [code] = [each.text for each in blocks if word in each.text]
    return code


def run(code):
    names = {}
    exec(code, names)
    return names


@pytest.mark.parametrize("page", KEEPING)
def test_each_block_is_python(page):
    blocks = blocks_of((ROOT / f"docs/howto/{page}.md").read_text())

    for block in blocks:
        assert block.language != "python" or compile(block.text, page, "exec")


def test_behind_a_proxy_the_address_is_what_the_proxy_wrote():
    client_address = run(code_of("proxy", "def client_address"))["client_address"]
    headers = {"X-Real-IP": "192.0.2.7", "X-Forwarded-For": "203.0.113.9, 192.0.2.7"}

    request = RequestFactory().get("/", headers=headers)

    assert client_address(request) == "192.0.2.7"
    assert client_address(RequestFactory().get("/")) == ""


def test_secrets_come_from_a_file_before_the_environment(tmp_path, monkeypatch):
    file = tmp_path / "key"
    file.write_text("of the file\n")
    monkeypatch.setenv("MIDEYE_URL", "https://mideye.example.com:8443")
    monkeypatch.setenv("MIDEYE_API_KEY", "of the environment")
    monkeypatch.setenv("MIDEYE_API_KEY_FILE", str(file))
    monkeypatch.setenv("MAGICLINK_FIELD_KEYS", "new,old")

    settings = run(code_of("vault", "def secret"))

    assert settings["MAGICLINK_API_KEY"] == "of the file"
    assert settings["MAGICLINK_FIELD_KEYS"] == ["new", "old"]


def test_a_secret_that_is_not_there_stops_the_site(monkeypatch):
    monkeypatch.setenv("MIDEYE_URL", "https://mideye.example.com:8443")
    monkeypatch.delenv("MIDEYE_API_KEY", raising=False)

    with pytest.raises(KeyError, match="MIDEYE_API_KEY"):
        run(code_of("vault", "def secret"))


def test_the_issuer_takes_the_key_that_lies_in_the_vault(tmp_path):
    (tmp_path / "mideye-branch.json").write_text(
        '{"key": "7c8d0a0e", "expires_on": "2027-06-30"}'
    )
    code = code_of("vault", "def issue").replace("/run/secrets", str(tmp_path))

    secret, expires_on = run(code)["issue"](Endpoint(name="branch"))

    assert (secret, expires_on.isoformat()) == ("7c8d0a0e", "2027-06-30")


def test_signals_can_be_counted():
    receivers = run(code_of("monitoring", "counts = Counter()"))
    try:
        approval_changed.send(Approval, pk=None, status=Status.ACCEPTED, by=None)
        approval_refused.send(Approval, user=None, reason="limited")
    finally:
        approval_changed.disconnect(receivers["count"])
        approval_refused.disconnect(receivers["count_refused"])

    assert receivers["counts"] == Counter(accepted=1, refused_limited=1)


def test_the_page_on_monitoring_has_each_kind_of_error():
    page = (ROOT / "docs/howto/monitoring.md").read_text()

    assert [kind for kind in _ERRORS if f"`{kind}`" not in page] == []
