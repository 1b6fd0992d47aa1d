"""Accounts and transfers for the staff."""

from django.contrib import admin

from .models import Account, Transfer


@admin.register(Account)
class AccountAdmin(admin.ModelAdmin):
    list_display = ["number", "owner", "balance"]
    list_select_related = ["owner"]


@admin.register(Transfer)
class TransferAdmin(admin.ModelAdmin):
    list_display = ["created", "account", "payee", "amount", "reference"]
    list_select_related = ["account"]
