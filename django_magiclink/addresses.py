"""Where the key and the numbers may be sent: base URLs and endpoint names."""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv6Address, ip_address

from django.http.request import validate_host
from django.utils.translation import gettext as _

from .conf import app_settings

_BASE_URL = re.compile(
    r"(?P<scheme>https?)://"
    r"(?P<host>[a-z0-9_-]+(?:\.[a-z0-9_-]+)*|\[[0-9a-f]*:[0-9a-f:.]+\])"
    r"(?::(?P<port>[0-9]{1,5}))?"
    r"(?:/(?!\.{1,2}(?:/|\Z))[a-z0-9._~-]+)*/?",
    re.ASCII | re.IGNORECASE,
)
# The resolver takes 2852039166, 0x7f.1 and 127.1 for addresses; ip_address() does not.
_NUMERIC = re.compile(r"(?:.*\.)?(?:[0-9]+|0x[0-9a-f]*)|\[.*")
_ENDPOINT_NAME = re.compile(r"(?!\.{1,2}\Z)[^/\\?#%\x00-\x1f\x7f-\x9f]{1,255}")
_PORTS = {"https": "443", "http": "80"}
_METADATA = ip_address("fd00:ec2::254")  # the one that is not link-local


def validate_base_url(url: str) -> None:
    """
    Raise :exc:`ValueError` unless the key and a number may be sent to ``url``.

    The text says what to do, in the active language, and does not repeat the URL.
    """
    scheme, host, _port = _split(url)
    address = _address(host)
    if address and (
        address.is_link_local
        or address.is_multicast
        or address.is_unspecified
        or address == _METADATA
        or getattr(address, "ipv4_mapped", None)
    ):
        raise ValueError(_("Use the server's own name; this address is no server's."))
    allowed = app_settings.ALLOWED_SERVERS
    if allowed and not validate_host(host, allowed):
        raise ValueError(_("Use a server that MAGICLINK_ALLOWED_SERVERS names."))
    loopback = address.is_loopback if address else host == "localhost"
    if scheme != "https" and not (loopback and app_settings.SANDBOX):
        raise ValueError(_("Use https; only MAGICLINK_SANDBOX on loopback needs none."))


def validate_endpoint_name(name: str) -> None:
    """Raise :exc:`ValueError` unless ``name`` can be one segment of the path."""
    if not _ENDPOINT_NAME.fullmatch(name):
        raise ValueError(
            _(
                "Use the endpoint's name as in Mideye: at most 255 characters, without "
                "slash, backslash, question mark, hash and percent sign."
            )
        )


def origin(url: str) -> str:
    """
    Return scheme, host and port of a base URL in the one spelling to compare by.

    Raises :exc:`ValueError` if ``url`` is none.
    """
    scheme, host, port = _split(url)
    return f"{scheme}://{host}:{port}"


def _split(url: str) -> tuple[str, str, int]:
    match = _BASE_URL.fullmatch(url)
    if match:
        scheme, host = match["scheme"].lower(), match["host"].lower()
        port, address = int(match["port"] or _PORTS[scheme]), _address(host)
        if address:
            host = f"[{address}]" if address.version == 6 else str(address)
        if 0 < port < 65536 and (address or not _NUMERIC.fullmatch(host)):
            return scheme, host, port
    raise ValueError(
        _("Write the address as https://host:port, without user, query or fragment.")
    )


def _address(host: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(host.strip("[]"))
    except ValueError:
        return None
