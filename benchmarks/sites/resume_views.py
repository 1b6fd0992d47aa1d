"""The views that a case is about: they note what they got, each time they run."""

import hashlib
import json

from asgiref.sync import sync_to_async
from django.apps import apps
from django.conf import settings
from django.contrib.auth import get_user_model, login
from django.http import HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt

FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")


def carry_out(request):
    """Do what the user wants."""
    note(request)
    if "text/html" in request.headers.get("Accept", ""):
        return HttpResponse("<p id=done>carried out</p>")
    return JsonResponse({"done": True})


async def carry_out_async(request):
    """Do what the user wants, in an async view."""
    return await sync_to_async(carry_out)(request)


def note(request):
    """Write down everything of the request that the user submitted."""
    kind = request.META.get("CONTENT_TYPE", "").partition(";")[0]
    is_form = request.method == "POST" and kind in FORMS
    fields = {
        name: values
        for name, values in request.POST.lists()
        if not name.startswith(("_approval", "csrfmiddlewaretoken"))
    }
    files = {
        name: [file.name, file.size, hashlib.sha256(file.read()).hexdigest()]
        for name, file in request.FILES.items()
    }
    run = {
        "user": request.user.get_username(),
        "method": request.method,
        "path": request.path,
        "query": request.META["QUERY_STRING"],
        "fields": fields,
        "files": files,
        "body": "" if is_form else request.body.decode("latin-1"),
    }
    with settings.RUNS.open("a") as runs:
        runs.write(json.dumps(run) + "\n")


def form(request):
    """Show the forms that the cases in a browser fill in."""
    ours = apps.is_installed("django_magiclink")
    return render(request, "benchmarks/form.html", {"ours": ours})


@csrf_exempt
def register(request):
    """Make a user, whose password is posted."""
    return HttpResponse(_register(request).pk)


@csrf_exempt
def enter(request):
    """Make a user who has a phone, and a password if one is posted; log them in."""
    user = _register(request)
    apps.get_model("django_magiclink.PhoneNumber").objects.create(
        user=user, number=request.POST["number"], verified_at=timezone.now()
    )
    login(request, user)
    return HttpResponse(user.pk)


def _register(request):
    # None makes it unusable, as for somebody who comes by SSO.
    password = request.POST["password"] or None
    users = get_user_model().objects
    return users.create_user(request.POST["name"], password=password)
