"""
The pages of the bank that want an approval, each in a way of its own.

``cards.py``, ``api.py`` and ``admin.py`` have the rest.
"""

from asgiref.sync import sync_to_async
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.contrib.auth.mixins import LoginRequiredMixin
from django.contrib.messages.views import SuccessMessageMixin
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse_lazy
from django.views.decorators.http import require_POST
from django.views.generic import UpdateView

from django_magiclink.decorators import approval_required
from django_magiclink.enrolment import change_number
from django_magiclink.mixins import ApprovalRequiredMixin
from django_magiclink.stepup import require_approval

from .forms import NOT_COVERED, ContactForm, PaymentFileForm, PhoneForm, TransferForm
from .models import Contact, Invoice, StandingOrder, Transfer


@login_required
def overview(request):
    """Show the user's accounts and latest transfers."""
    transfers = Transfer.objects.filter(account__owner=request.user)[:5]
    return render(request, "example_project/overview.html", {"transfers": transfers})


@login_required
@approval_required(scope="payroll", max_age=60, text="Show the payroll")
def payroll(request):
    """Show the salaries, for a minute after each approval."""
    return render(request, "example_project/payroll.html")


@login_required
def transfer(request):
    """Pay somebody, once the user has approved this very payment."""
    account = request.user.accounts.first()
    form = TransferForm(request.POST or None, account=account)
    if form.is_valid():
        refused = require_approval(
            request,
            scope="transfer",
            max_age=0,
            text="Pay {amount} SEK to {payee}",
            params=form.cleaned_data,
        )
        if refused:
            return refused
        if paid := form.book():
            messages.success(request, f"Paid: {paid}.")
            return redirect("overview")
    return render(request, "example_project/transfer.html", {"form": form})


def closing(request, pk):
    """Return what an approval to close an account is bound to, balance included."""
    account = get_object_or_404(request.user.accounts, pk=pk)
    return {"number": account.number, "balance": account.balance}


@login_required
@approval_required(
    scope="close-account",
    max_age=0,
    methods=["POST"],
    text="Close account {number}, which holds {balance} SEK",
    params=closing,
)
def close_account(request, pk):
    """Ask whether to close an account, and close it."""
    account = get_object_or_404(request.user.accounts, pk=pk)
    if request.method == "POST":
        account.delete()
        messages.success(request, f"Account {account.number} is closed.")
        return redirect("overview")
    return render(request, "example_project/close.html", {"account": account})


@login_required
@approval_required(scope="statement", text="Show all transfers")
async def statement(request):
    """Show all transfers; async views are guarded alike."""
    mine = Transfer.objects.filter(account__owner=await request.auser())
    transfers = [each async for each in mine.select_related("account")]
    # The template may ask the database, which only sync code does.
    return await sync_to_async(render)(
        request, "example_project/statement.html", {"transfers": transfers}
    )


class ContactDetails(
    LoginRequiredMixin, ApprovalRequiredMixin, SuccessMessageMixin, UpdateView
):
    """Change how the bank reaches the user."""

    approval_scope = "contact"
    # Long enough to correct what the form refuses after the approval.
    approval_max_age = 120
    approval_methods = ["POST"]
    approval_text = "Let the bank write to {email}"
    approval_params = ["email"]
    form_class = ContactForm
    template_name = "example_project/contact.html"
    success_url = reverse_lazy("contact")
    success_message = "Your contact details are changed."

    def get_object(self, queryset=None):
        return Contact.objects.filter(user=self.request.user).first() or Contact(
            user=self.request.user
        )


@login_required
def phone(request):
    """Let another phone approve from now on, once both have agreed."""
    form = PhoneForm(request.POST or None)
    if form.is_valid():
        refused = change_number(request, form.cleaned_data["number"])
        if refused:
            return refused
        messages.success(request, "From now on we ask this phone.")
        return redirect("phone")
    return render(request, "example_project/phone.html", {"form": form})


@login_required
def payment_file(request):
    """Pay all that a file lists; its form asks before the browser sends it."""
    form = PaymentFileForm(
        request.POST or None, request.FILES or None, user=request.user
    )
    if form.is_valid():
        refused = require_approval(
            request,
            scope="payment-file",
            max_age=0,
            text="Pay {total} SEK in {count} payments, as listed in {file}",
            params={
                "total": form.total,
                "count": len(form.transfers),
                "file": form.cleaned_data["file"],
            },
        )
        if refused:
            return refused
        if form.book():
            messages.success(request, f"Paid: {form.total} SEK as listed.")
            return redirect("overview")
    return render(request, "example_project/payment_file.html", {"form": form})


@login_required
def orders(request):
    """Show the standing orders; a script stops them through the API."""
    mine = StandingOrder.objects.filter(account__owner=request.user)
    return render(request, "example_project/orders.html", {"orders": mine})


@login_required
def invoices(request):
    """Show what others want to be paid."""
    mine = Invoice.objects.filter(account__owner=request.user)
    return render(request, "example_project/invoices.html", {"invoices": mine})


def unpaid(request, pk):
    """Return what an approval to pay an invoice is bound to, and shows."""
    mine = Invoice.objects.filter(account__owner=request.user)
    invoice = get_object_or_404(mine, pk=pk, is_paid=False)
    return {"amount": invoice.amount, "sender": invoice.sender}


@require_POST
@approval_required(
    scope="invoice", max_age=0, text="Pay {amount} SEK to {sender}", params=unpaid
)
def pay_invoice(request, pk):
    """Pay an invoice; htmx gets its row, and who has no script the page."""
    invoice = get_object_or_404(Invoice, account__owner=request.user, pk=pk)
    problem = "" if invoice.pay() else NOT_COVERED
    if "HX-Request" in request.headers:
        row = {"invoice": invoice, "problem": problem}
        return render(request, "example_project/invoice.html", row)
    if problem:
        messages.error(request, problem)
    return redirect("invoices")
