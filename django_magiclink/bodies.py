"""What a request carries: its fields, files or body, without what is ours."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from io import BytesIO
from typing import Any, TypeAlias
from urllib.parse import urlsplit

from django.core.exceptions import BadRequest
from django.http import HttpRequest, QueryDict
from django.utils.datastructures import MultiValueDict
from django.utils.http import escape_leading_slashes, url_has_allowed_host_and_scheme

#: Fields of our own pages' forms: which approval, which challenge, the host's fields.
APPROVAL_FIELD = "_approval"
CHALLENGE_FIELD = "_approval_challenge"
FIELDS_FIELD = "_approval_fields"

#: What is not the host's, and what it may look like: a view that reads the raw body
#: must find nothing there that was not approved.
_NOT_THE_HOSTS = {
    "csrfmiddlewaretoken": re.compile(r"[A-Za-z0-9]*"),
    APPROVAL_FIELD: re.compile(r"[\w-]*"),
    CHALLENGE_FIELD: re.compile(r"[\w.:-]*"),
    FIELDS_FIELD: re.compile(r"[\w.*~+%&=-]*"),
}
Fields: TypeAlias = MultiValueDict[str, str]

URLENCODED = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data"
JSON = "application/json"
_NONE: MultiValueDict[str, Any] = MultiValueDict()


def is_form(request: HttpRequest) -> bool:
    """Tell whether Django parses the body of ``request`` into ``request.POST``."""
    return request.method == "POST" and request.content_type in (URLENCODED, MULTIPART)


def own_field(request: HttpRequest, name: str) -> str:
    """Return a field of ours, only where the form has been parsed anyway."""
    parsed = hasattr(request, "_post") and is_form(request)
    return request.POST.get(name, "") if parsed else ""


def host_fields(form: MultiValueDict[str, str]) -> dict[str, list[str]]:
    """Return the fields of ``form`` that the host's own page had."""
    return {
        name: [value.replace("\r\n", "\n") for value in values]
        for name, values in form.lists()
        if not _is_ours(name, values)
    }


def _is_ours(name: str, values: list[str]) -> bool:
    form = _NOT_THE_HOSTS.get(name)
    return form is not None and all(map(form.fullmatch, values))


def full_path(request: HttpRequest) -> str:
    """Return the path and query, also where "//" would make it another host's."""
    return escape_leading_slashes(request.get_full_path())


def is_on_this_site(request: HttpRequest, url: str) -> bool:
    """Tell whether ``url`` leads to no other site, nor from HTTPS to HTTP."""
    hosts, secure = {request.get_host()}, request.is_secure()
    return url_has_allowed_host_and_scheme(url, hosts, require_https=secure)


def page_path(request: HttpRequest) -> str:
    """Return the path and query of this site's page that sent the request, or ""."""
    url = request.headers.get("HX-Current-URL") or request.headers.get("Referer", "")
    # Browsers take a backslash for a slash, and two of them lead to another host.
    if not is_on_this_site(request, url) or "\\" in url:
        return ""
    path = urlsplit(url)._replace(scheme="", netloc="").geturl()
    return escape_leading_slashes(path) if path.startswith("/") else ""


@dataclass(frozen=True)
class Body:
    """The body of a request, parsed once for all that is asked of it."""

    request: HttpRequest

    @cached_property
    def form(self) -> tuple[Fields, MultiValueDict[str, Any]] | None:
        """The fields and files, or ``None`` if the body is no form."""
        if is_form(self.request):
            return self.request.POST, self.request.FILES
        if self.request.content_type == URLENCODED:
            return QueryDict(self.request.body, encoding=self.request.encoding), _NONE
        if self.request.content_type == MULTIPART:
            # Boundaries differ between repeats, so the parts are what counts. The body
            # stays readable for the view.
            stream = BytesIO(self.request.body)
            return self.request.parse_file_upload(self.request.META, stream)
        return None

    def whole(self) -> dict[str, Any]:
        """
        Return all that makes the request this request, for its digest.

        Not the content type: a form may come back in the other encoding.
        """
        request_line = {
            "method": self.request.method,
            "host": self.request.get_host(),
            # Percent-encoded, as our pages repeat it, and as the view reads it.
            "path": full_path(self.request),
            "query": dict(self.request.GET.lists()),
        }
        if self.form is None:
            body = {"body": self.request.body, "encoding": self.request.encoding}
            return request_line | body
        fields, files = self.form
        return request_line | {
            "fields": host_fields(fields),
            "files": dict(files.lists()),
        }

    def named(
        self, names: Collection[str], kwargs: Mapping[str, Any]
    ) -> dict[str, Any]:
        """
        Return the values that ``names`` have in the URL, the query or the body.

        Raise :exc:`~django.core.exceptions.BadRequest` as :func:`named` does.
        """
        return named(names, self._everything(kwargs))

    def _everything(self, kwargs: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
        yield from kwargs.items()
        yield from pairs(self.request.GET)
        if self.form is not None:
            if self.request.content_type == URLENCODED and _is_json(self.request.body):
                raise BadRequest("The body is a form and JSON at once.")
            for part in self.form:
                yield from pairs(part)
        elif self.request.body:
            if self.request.content_type != JSON:
                raise BadRequest("The body is neither a form nor JSON.")
            yield from _json_members(self.request.body)


def named(
    names: Collection[str], everything: Iterable[tuple[str, Any]]
) -> dict[str, Any]:
    """
    Return the value that each of ``names`` has among ``everything``.

    Raise :exc:`~django.core.exceptions.BadRequest` for a name that is missing or stands
    there twice: the view might read another value than the approved one.
    """
    found: dict[str, list[Any]] = {name: [] for name in names}
    for name, value in everything:
        if name in found:
            found[name].append(value)
    for name, values in found.items():
        if len(values) != 1:
            problem = "is missing" if not values else "is given more than once"
            raise BadRequest(f"The parameter {name!r} {problem}.")
    return {name: values[0] for name, values in found.items()}


def pairs(values: MultiValueDict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Return each name with each of its values, as it is digested."""
    for name, items in values.lists():
        for item in items:
            yield (
                name,
                item.replace("\r\n", "\n") if isinstance(item, str) else item,
            )


def _is_json(body: bytes) -> bool:
    try:
        return isinstance(json.loads(body), dict)
    except (ValueError, RecursionError):
        return False


def _json_members(body: bytes) -> list[tuple[str, Any]]:
    try:
        members = json.loads(body, object_pairs_hook=_unique)
    except (ValueError, RecursionError) as error:
        raise BadRequest("The body is not JSON with unique names.") from error
    return list(members.items()) if isinstance(members, dict) else []


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    counted = Counter(name for name, _value in pairs)
    if counted and counted.most_common(1)[0][1] > 1:
        raise ValueError("a name stands there twice")
    return dict(pairs)
