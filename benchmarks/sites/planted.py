"""Our guard, and guards with one defect each, which the benchmark must find."""

from functools import wraps

from asgiref.sync import async_to_sync, iscoroutinefunction, sync_to_async
from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.cache import cache
from django.http import HttpResponse, QueryDict
from django.utils.datastructures import MultiValueDict

from django_magiclink.decorators import approval_required

required = approval_required(**settings.REQUIREMENT)


def _before(act):
    """Return a guard that calls ``act`` with the view and each request that comes."""

    def plant(view):
        guarded = required(view)

        @wraps(view)
        def wrapper(request):
            act(view, request)
            return guarded(request)

        return wrapper

    return plant


def _after(act):
    """Return a guard that calls ``act`` instead of the view."""

    def plant(view):
        @wraps(view)
        def changed(request):
            return act(view, request)

        @wraps(view)
        async def changed_async(request):
            return await sync_to_async(act)(async_to_sync(view), request)

        return required(changed_async if iscoroutinefunction(view) else changed)

    return plant


def _content(request):
    return request.POST.urlencode() or request.body.decode("latin-1")


def _keep_in_session(view, request):
    request.session["kept"] = _content(request)


def _keep_in_cache(view, request):
    cache.set("kept", _content(request))


def _keep_in_row(view, request):
    me = get_user_model().objects.filter(pk=request.user.pk)
    me.update(last_name=_content(request))


def _keep_in_file(view, request):
    (settings.FOLDER / "tmp" / "kept").write_text(_content(request))


def _answer_page(view, request):
    request.META["HTTP_ACCEPT"] = "text/html"


def _run_twice(view, request):
    view(request)
    return view(request)


def _run_never(view, request):
    return HttpResponse("<p id=done>carried out</p>")


def _alter(view, request):
    """Change the one thing that the case is about."""
    if request.GET:
        request.META["QUERY_STRING"] = request.META["QUERY_STRING"][:-1]
    elif request.FILES:
        request._files = MultiValueDict()
    elif request.POST:
        request._post = QueryDict(request.POST.urlencode() + "x")
    else:
        request._body = request.body + b" "
    return view(request)


def _keep_last(view, request):
    if request.POST and "_approval_challenge" not in request.POST:
        cache.set("last", request.POST.urlencode())


def _run_last(view, request):
    request._post = QueryDict(cache.get("last"))
    return view(request)


def _swap(view):
    return _before(_keep_last)(_after(_run_last)(view))


DEFECTS = {
    "early": _before(lambda view, request: view(request)),
    "twice": _after(_run_twice),
    "never": _after(_run_never),
    "altered": _after(_alter),
    "page": _before(_answer_page),
    "session": _before(_keep_in_session),
    "cache": _before(_keep_in_cache),
    "row": _before(_keep_in_row),
    "file": _before(_keep_in_file),
    "swapped": _swap,
}
