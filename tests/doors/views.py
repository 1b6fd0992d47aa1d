"""One view behind each kind of guard; each notes that its body ran."""

from django.contrib.auth import get_user_model
from django.db import transaction
from django.http import Http404, HttpResponse
from django.utils.decorators import method_decorator
from django.views import View
from rest_framework.authentication import (
    BaseAuthentication,
    BasicAuthentication,
    SessionAuthentication,
    TokenAuthentication,
)
from rest_framework.decorators import (
    action,
    api_view,
    permission_classes,
)
from rest_framework.parsers import BaseParser, FileUploadParser, FormParser, JSONParser
from rest_framework.permissions import AllowAny, BasePermission, IsAuthenticated
from rest_framework.response import Response
from rest_framework.serializers import CharField, Serializer
from rest_framework.views import APIView
from rest_framework.viewsets import ViewSet

from django_magiclink.decorators import approval_exempt, approval_required
from django_magiclink.mixins import ApprovalRequiredMixin
from django_magiclink.permissions import ApprovalRequired
from tests.models import Run


def ran(view, seen=None):
    Run.objects.create(view=view, seen=seen or {})
    return HttpResponse(f"{view} ran")


async def aran(view):
    await Run.objects.acreate(view=view)
    return HttpResponse(f"{view} ran")


def unguarded(request, **kwargs):
    return ran("unguarded")


async def aunguarded(request, **kwargs):
    return await aran("aunguarded")


def silent(request):
    return HttpResponse("silent")


def missing(request):
    Run.objects.create(view="missing")
    raise Http404


# The decorator.


@approval_required
def decorated(request):
    return ran("decorated")


@approval_required
async def adecorated(request):
    return await aran("adecorated")


# The middleware: guarded by a rule only, unless they say otherwise.


def ruled(request, **kwargs):
    return ran("ruled")


async def aruled(request):
    return await aran("aruled")


@approval_exempt
def exempted(request):
    return ran("exempted")


@approval_exempt
async def aexempted(request):
    return await aran("aexempted")


@method_decorator(approval_exempt, name="dispatch")
class Exempted(View):
    def get(self, request):
        return ran("Exempted")


@approval_exempt
@approval_required
def exempted_and_decorated(request):
    return ran("exempted_and_decorated")


@approval_required(scope="single", max_age=0)
def single(request):
    return ran("single")


# Class-based views.


class EveryMethod:
    def run(self, request, *args, **kwargs):
        return ran(type(self).__name__)

    get = head = options = post = put = patch = delete = run


class Mixed(ApprovalRequiredMixin, EveryMethod, View):
    pass


class AsyncMixed(ApprovalRequiredMixin, View):
    async def run(self, request, *args, **kwargs):
        return await aran(type(self).__name__)

    get = head = options = post = put = patch = delete = run


class Attributed(ApprovalRequiredMixin, EveryMethod, View):
    approval_scope = "attributed"
    approval_max_age = 60
    approval_methods = ["POST"]
    approval_params = ["who"]
    approval_text = "Delete {who}"


def is_asked(request, **kwargs):
    return request.GET.get("when") != "no"


def said(request, **kwargs):
    return f"Said {kwargs['pk']}"


class Called(ApprovalRequiredMixin, EveryMethod, View):
    """Its functions would get a ``self`` if they were read from an instance."""

    approval_when = is_asked
    approval_text = said

    def approval_params(request, **kwargs):
        return {"pk": kwargs["pk"]}

    def approval_endpoint(request, **kwargs):
        return request.GET.get("endpoint", "")


# Django REST framework.


class Bearer(TokenAuthentication):
    """Takes any token for one of the user that it names."""

    keyword = "Bearer"

    def authenticate_credentials(self, key):
        return get_user_model().objects.get(username=key), key


class Api(APIView):
    authentication_classes = [SessionAuthentication]
    permission_classes = [ApprovalRequired]

    def run(self, request, *args, **kwargs):
        Run.objects.create(view=type(self).__name__)
        return Response({"ran": type(self).__name__})

    get = head = options = post = put = patch = delete = run


class AttributedApi(Api):
    approval_scope = "attributed"
    approval_max_age = 60
    approval_methods = ["POST"]
    approval_params = ["who"]
    approval_text = "Delete {who}"


class UseApi(Api):
    approval_max_age = 0

    def post(self, request):
        seen = dict(request.data.items())
        if "paper" in seen:
            seen["paper"] = seen["paper"].read().decode()
        Run.objects.create(view="UseApi", seen=seen)
        return Response({"ran": "UseApi"})


class TokenApi(Api):
    authentication_classes = [Bearer, BasicAuthentication, SessionAuthentication]


class NobodyApi(Api):
    authentication_classes: list[type[BaseAuthentication]] = []


class ComposedApi(Api):
    permission_classes = [IsAuthenticated & ApprovalRequired]
    approval_max_age = 0


class OwnsNothing(BasePermission):
    def has_permission(self, request, view):
        return False


class EitherApi(Api):
    permission_classes = [OwnsNothing | ApprovalRequired]
    approval_max_age = 0

    def run(self, request):
        # The permission is asked for once more, as "or" does for an object.
        self.check_object_permissions(request, object())
        return super().run(request)

    get = post = run


class MissingApi(Api):
    def run(self, request):
        Run.objects.create(view="MissingApi")
        raise Http404

    get = run


class OpenApi(APIView):
    """Has no guard of its own, and two ways to know who asks."""

    authentication_classes = [SessionAuthentication, BasicAuthentication]

    def get(self, request):
        return ran(f"open for {request.user}")


class SessionApi(OpenApi):
    authentication_classes = [SessionAuthentication]


class OverriddenApi(Api):
    """Takes the method from a header, as older clients need it."""

    def initialize_request(self, request, *args, **kwargs):
        request = super().initialize_request(request, *args, **kwargs)
        request.method = request.headers.get("X-HTTP-Method-Override", request.method)
        return request


class Thing(Serializer):
    name = CharField()


class Things(ViewSet):
    """Listing is free, making and purging are not."""

    serializer_class = Thing
    authentication_classes = [SessionAuthentication]

    def get_permissions(self):
        wanted = {
            "create": ApprovalRequired.of(scope="create", max_age=0),
            "purge": ApprovalRequired.of(scope="purge", text="Purge all"),
        }
        return [wanted.get(self.action, AllowAny)()]

    def get_serializer(self, *args, **kwargs):
        return Thing(*args, **kwargs)

    def list(self, request):
        return self._ran()

    def create(self, request):
        return self._ran()

    @action(detail=False, methods=["post"])
    def purge(self, request):
        return self._ran()

    def _ran(self):
        Run.objects.create(view=f"Things.{self.action}")
        return Response({"ran": self.action})


class FormApi(APIView):
    """Its own page shows a form for POST, and what is guarded is the page too."""

    authentication_classes = [SessionAuthentication]
    permission_classes = [ApprovalRequired]
    approval_max_age = 0
    serializer_class = Thing

    def get_serializer(self, *args, **kwargs):
        return Thing(*args, **kwargs)

    def get(self, request):
        Run.objects.create(view="FormApi")
        return Response({"ran": "FormApi"})

    def post(self, request):
        Run.objects.create(view="FormApi")
        return Response({"ran": "FormApi"})


@api_view(["GET", "POST"])
@permission_classes([ApprovalRequired.of(scope="function", max_age=60)])
def api(request):
    Run.objects.create(view="api")
    return Response({"ran": "api"})


class Pairs(BaseParser):
    """Reads ``name=value`` from each line."""

    media_type = "text/x-pairs"

    def parse(self, stream, media_type=None, parser_context=None):
        lines = stream.read().decode().splitlines()
        return dict(line.split("=", 1) for line in lines)


class Plain(BaseParser):
    media_type = "text/plain"

    def parse(self, stream, media_type=None, parser_context=None):
        return stream.read().decode()


class OwnForm(FormParser):
    media_type = "application/x-own-form"


class ParsedApi(Api):
    parser_classes = [JSONParser, FormParser, Pairs, Plain, OwnForm]
    approval_params = ["amount"]
    approval_text = "Pay {amount}"
    approval_max_age = 0

    def run(self, request):
        Run.objects.create(view="ParsedApi", seen=dict(request.data.items()))
        return Response({"ran": "ParsedApi"})

    get = post = run


class FreeApi(Api):
    """Takes what it is sent, and asks for nothing of it."""

    parser_classes = [Plain, FileUploadParser]


class UploadApi(Api):
    approval_params = ["amount"]
    approval_text = "Pay {amount}"


class Atomic(Api):
    permission_classes = [ApprovalRequired.of(scope="atomic", max_age=0)]


atomic_api = Atomic.as_view()
not_atomic_api = transaction.non_atomic_requests(Atomic.as_view())
