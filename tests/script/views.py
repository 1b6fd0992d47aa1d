"""Pages of a host that use magiclink.js, and guarded views that they send to."""

from django.http import HttpResponse, HttpResponseRedirect, JsonResponse
from django.middleware.csrf import get_token
from django.shortcuts import render

from django_magiclink.decorators import approval_required

from ..views import ran


def strict(get_response):
    """Allow scripts and styles of this site only, none of them inline."""

    def middleware(request):
        response = get_response(request)
        if "lax" in request.GET:
            return response
        response["Content-Security-Policy"] = "default-src 'self'"
        return response

    return middleware


def page(request, name):
    get_token(request)
    return render(request, f"tests/{name}.html", {"query": request.GET})


@approval_required(scope="pay", max_age=0, methods=["POST", "PUT"], text="Pay now")
def pay(request):
    return ran(request, "pay")


@approval_required(scope="look", max_age=60, text="Look at it")
def look(request):
    return ran(request, "look")


def plain(request):
    return ran(request, "plain")


def plain_then_look(request):
    ran(request, "plain_then_look")
    return HttpResponseRedirect("/look/")


@approval_required(scope="shown", max_age=60, methods=["GET"], text="Show it")
def shown_after(request):
    """Leads a POST back to itself, as many forms do."""
    ran(request, f"shown_after {request.method}")
    if request.method == "POST":
        return HttpResponseRedirect(request.path)
    return HttpResponse("shown")


def moved(request):
    """Leads on without a change of the method."""
    return HttpResponse(status=307, headers={"Location": "/pay/"})


def attachment(request):
    """What somebody has uploaded, for reading elsewhere."""
    ran(request, "attachment")
    headers = {"Content-Disposition": 'attachment; filename="theirs.html"'}
    return HttpResponse("<h1>Theirs</h1>", headers=headers)


@approval_required(scope="other", max_age=60, text="Open it")
def pay_then_look(request):
    ran(request, "pay_then_look")
    return HttpResponseRedirect("/look/")


def plain_page(request):
    ran(request, "plain_page")
    return render(request, "tests/form.html", {"query": {"action": "/pay/"}})


def led_away(request):
    ran(request, "led_away")
    return HttpResponseRedirect(request.GET["to"])


def evil(request):
    """Answers as another site may that this one leads to."""
    headers = {
        "Access-Control-Allow-Origin": "*",
        "Access-Control-Allow-Headers": "*, X-CSRFToken, X-Approval-Dialog",
    }
    if request.method == "OPTIONS":
        return HttpResponse(headers=headers)
    card = '<section data-magiclink-card><h1>Evil</h1><img src="x" alt=""></section>'
    kind = "application/problem+json"
    return JsonResponse({"card": card}, status=401, content_type=kind, headers=headers)


def nothing(request):
    ran(request, "nothing")
    return HttpResponse(status=204)
