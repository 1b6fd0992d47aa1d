"""Defects to plant: each makes the app do what it must not, or not what it must."""

from copy import copy
from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace

from django.utils import timezone

from django_magiclink import (
    approvals,
    asking,
    binding,
    client,
    endings,
    recording,
    stepup,
    wanted,
)
from django_magiclink.models import Approval
from django_magiclink.models import moves as rows
from django_magiclink.models.moves import ApprovalQuerySet
from django_magiclink.status import TRANSITIONS, Status


def any_binding(monkeypatch):
    def accepted(self, binding, since):
        rows = Approval.objects.filter(status=Status.ACCEPTED, answered__gte=since)
        return list(rows.values_list("pk", flat=True))

    monkeypatch.setattr(ApprovalQuerySet, "accepted", accepted)


def any_session(monkeypatch):
    monkeypatch.setattr(binding, "nonce", lambda session: "")


def any_password(monkeypatch):
    bind = wanted.bind

    def bind_without(user, **parts):
        return bind(user=SimpleNamespace(pk=user.pk), **parts)

    monkeypatch.setattr(wanted, "bind", bind_without)


def any_age(monkeypatch):
    long_ago = timedelta(days=9)
    monkeypatch.setattr(
        wanted.Sought, "since", property(lambda self: timezone.now() - long_ago)
    )


def any_status(monkeypatch):
    monkeypatch.setattr(rows, "sources", lambda target: set(Status))


def any_time(monkeypatch):
    advance = ApprovalQuerySet.advance_all

    def advance_late(self, pks, target, **changes):
        if target == Status.ACCEPTED:
            later = timezone.now() + timedelta(seconds=1)
            self.filter(pk__in=pks).update(deadline=later)
        return advance(self, pks, target, **changes)

    monkeypatch.setattr(ApprovalQuerySet, "advance_all", advance_late)


def any_answer_but_known_ones(monkeypatch):
    interpret = client._interpret

    def interpret_kindly(code, http_status):
        answer = interpret(code, http_status)
        unknown = answer.error_kind == "unknown_code"
        return replace(answer, status=Status.ACCEPTED) if unknown else answer

    monkeypatch.setattr(client, "_interpret", interpret_kindly)


def any_http_status(monkeypatch):
    interpret = client._interpret
    monkeypatch.setattr(client, "_interpret", lambda code, _: interpret(code, 200))


def used_again(monkeypatch):
    monkeypatch.setattr(stepup.approvals, "consume", approvals.find)


def sent_again(monkeypatch):
    monkeypatch.setitem(TRANSITIONS, Status.SENT, {*TRANSITIONS[Status.SENT], "sent"})


def no_slot(monkeypatch):
    insert = asking._insert
    monkeypatch.setattr(
        asking,
        "_insert",
        lambda wanted, dispatch, columns: insert(
            wanted, dispatch, columns | {"live_slot": None}
        ),
    )


def slot_free_after_cancel(monkeypatch):
    def cancel(pk, kind="", by=None):
        return Approval.objects.advance(pk, Status.CANCELLED, live_slot=None)

    monkeypatch.setattr(endings, "cancel", cancel)
    monkeypatch.setattr(approvals, "cancel", cancel)


def no_code_typed(monkeypatch):
    change, advance = recording._change, ApprovalQuerySet.advance_all

    def change_untyped(answer, *args):
        untyped = copy(answer.approval)
        untyped.code_mode = "show"
        return change(replace(answer, approval=untyped), *args)

    def advance_untyped(self, pks, target, **changes):
        if target == Status.ACCEPTED:
            self.filter(pk__in=pks).update(code_mode="show")
        return advance(self, pks, target, **changes)

    monkeypatch.setattr(recording, "_change", change_untyped)
    monkeypatch.setattr(ApprovalQuerySet, "advance_all", advance_untyped)


def nothing_is_revoked(monkeypatch):
    monkeypatch.setattr(endings, "_end", lambda *args: 0)


def nothing_rests(monkeypatch):
    monkeypatch.setattr(asking.limits, "check", lambda approval: None)


def nobody_is_let_in(monkeypatch):
    monkeypatch.setattr(ApprovalQuerySet, "accepted", lambda *args: [])


def nobody_may_ask(monkeypatch):
    monkeypatch.setattr(ApprovalQuerySet, "free_slot", lambda *args: None)


PLANTS = [
    any_binding,
    any_session,
    any_password,
    any_age,
    any_status,
    any_time,
    any_answer_but_known_ones,
    any_http_status,
    used_again,
    sent_again,
    no_slot,
    slot_free_after_cancel,
    no_code_typed,
    nothing_is_revoked,
    nothing_rests,
    nobody_is_let_in,
    nobody_may_ask,
]
