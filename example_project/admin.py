"""What the staff may change, and the vault, which is an admin site of its own."""

from decimal import Decimal

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.models import User
from django.db import transaction

from django_magiclink.admin.users import PhoneNumberInline, RecentApprovalsInline
from django_magiclink.mixins import ApprovalAdminSiteMixin, ApprovalModelAdminMixin

from .models import Account, Card, Invoice, StandingOrder, Transfer


def account(request, object_id):
    """Return which account an approval is for."""
    return {"number": Account.objects.filter(pk=object_id).first()}


def selected(request):
    """Return how many and which accounts of the list an approval is for."""
    accounts = Account.objects.all()
    # Else the list has sent "select all", also those on its other pages.
    if request.POST.get("select_across", "0") == "0":
        accounts = accounts.filter(pk__in=request.POST.getlist("_selected_action"))
    return {"count": len(accounts), "numbers": ", ".join(map(str, accounts))}


@admin.register(Account)
class AccountAdmin(ApprovalModelAdminMixin, admin.ModelAdmin):
    list_display = ["number", "owner", "balance"]
    list_select_related = ["owner"]
    actions = ["pay_interest"]
    approval_for = {
        "change": {"scope": "accounts", "text": "Change accounts"},
        "delete": {
            "scope": "delete-account",
            "max_age": 0,
            "text": "Delete account {number}",
            "params": account,
        },
        "delete_selected": {
            "scope": "delete-account",
            "max_age": 0,
            "text": "Delete {count} accounts: {numbers}",
            "params": selected,
        },
        "pay_interest": {
            "scope": "interest",
            "max_age": 0,
            "text": "Pay one percent on {count} accounts: {numbers}",
            "params": selected,
        },
    }

    @admin.action(description="Pay one percent of interest", permissions=["change"])
    def pay_interest(self, request, queryset):
        with transaction.atomic():
            for account in queryset.select_for_update():
                interest = account.balance * Decimal("0.01")
                account.balance += interest.quantize(Decimal("0.01"))
                account.save()
        self.message_user(request, "The interest is paid.")


@admin.register(Transfer)
class TransferAdmin(admin.ModelAdmin):
    list_display = ["created", "account", "payee", "amount", "reference"]
    list_select_related = ["account"]


@admin.register(Invoice)
class InvoiceAdmin(admin.ModelAdmin):
    list_display = ["sender", "number", "account", "amount", "is_paid"]
    list_select_related = ["account"]


@admin.register(StandingOrder)
class StandingOrderAdmin(admin.ModelAdmin):
    list_display = ["payee", "account", "amount", "day"]
    list_select_related = ["account"]


admin.site.unregister(User)


@admin.register(User)
class BankUserAdmin(UserAdmin):
    inlines = [PhoneNumberInline, RecentApprovalsInline]


class Vault(ApprovalAdminSiteMixin, admin.AdminSite):
    """An admin site for what few should see."""

    site_header = site_title = "The vault of Harbour Bank"
    index_title = "The vault"
    approval_scope = "vault"
    approval_max_age = 600
    approval_text = "Open the vault"


vault = Vault(name="vault")


@admin.register(Card, site=vault)
class CardAdmin(admin.ModelAdmin):
    list_display = ["number", "account", "pin", "limit"]
    list_select_related = ["account"]
