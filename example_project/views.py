"""The pages of the bank: four of them want an approval, each in a way of its own."""

from asgiref.sync import sync_to_async
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.shortcuts import get_object_or_404, redirect, render

from django_magiclink.decorators import approval_required
from django_magiclink.stepup import require_approval

from .forms import TransferForm
from .models import Transfer


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
