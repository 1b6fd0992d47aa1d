"""What is stored, sent or copied, as texts that can be searched."""

import copy
import json
import pickle
import re
from contextlib import suppress
from io import StringIO

from django.core import mail, signing
from django.core.cache import cache
from django.core.management import call_command
from django.db import connection

from django_magiclink.models import ApiKey, Approval, Endpoint, PhoneNumber

#: The one place where a number stands in full, and the form that shows it to staff who
#: may change it.
PHONES = PhoneNumber._meta.db_table
NUMBER_FIELD = r'(<input[^>]*name="number"[^>]*value=")[^"]*'
TOKEN = re.compile(r"[\w.-]+:[\w-]+:[\w-]{20,}")


def is_html(response):
    return response.headers.get("Content-Type", "").startswith("text/html")


def challenges(answers):
    for answer in answers:
        for token in TOKEN.findall(f"{answer.text} {answer.items()}"):
            with suppress(signing.BadSignature):
                yield repr(signing.loads(token, salt="django_magiclink.challenge"))


def form_left_out(response):
    return re.sub(NUMBER_FIELD, r"\1", response.text)


def dump():
    out = StringIO()
    call_command("dumpdata", stdout=out)
    rows = json.loads(out.getvalue())
    for row in rows:
        if row["model"] == PhoneNumber._meta.label_lower:
            del row["fields"]["number"]
    return json.dumps(rows)


def rows():
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            if table != PHONES:
                cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")
                yield from map(repr, cursor.fetchall())
    yield repr(PhoneNumber.objects.values("user", "verified_at", "pending_number"))


def cached():
    for model in (Approval, ApiKey, Endpoint):
        cache.set(model.__name__, model.objects.all())
    return [value.decode("latin-1") for value in cache._cache.values()]


def mails():
    for message in mail.outbox:
        yield from [message.subject, message.body]
        yield from [content for content, _ in message.alternatives]


def copies(one):
    copies = [lambda: repr(copy.copy(one)), lambda: repr(copy.deepcopy(one))]
    stored = one
    if isinstance(one, PhoneNumber):
        stored = PhoneNumber(user=one.user, verified_at=one.verified_at)
    for make in (*copies, lambda: pickle.dumps(stored).decode("latin-1")):
        # What refuses to be copied or stored leaks nothing by it.
        with suppress(TypeError, pickle.PicklingError):
            yield make()
