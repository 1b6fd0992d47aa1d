"""
Cards: nothing here asks for an approval, since rules in the settings do.

``MAGICLINK_RULES`` names the namespace of these pages, so a page that is added later is
guarded too.
"""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path

from django_magiclink.decorators import approval_exempt

from .forms import LimitForm
from .models import Card


@login_required
def index(request):
    """Show the user's cards with their PINs."""
    cards = Card.objects.filter(account__owner=request.user)
    return render(request, "example_project/cards.html", {"cards": cards})


@login_required
def limit(request, number):
    """Change how much a card pays in a day."""
    card = get_object_or_404(Card, account__owner=request.user, number=number)
    form = LimitForm(request.POST or None, instance=card)
    if form.is_valid():
        form.save()
        messages.success(request, f"{card} now pays {card.limit} SEK a day.")
        return redirect("cards:limit", number)
    return render(request, "example_project/limit.html", {"card": card, "form": form})


@approval_exempt
def lost(request):
    """Say whom to call: the phone to approve with may be lost as well."""
    return render(request, "example_project/lost.html")


app_name = "cards"
urlpatterns = [
    path("", index, name="index"),
    path("<int:number>/limit/", limit, name="limit"),
    path("lost/", lost, name="lost"),
]
