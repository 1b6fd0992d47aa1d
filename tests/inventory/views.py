"""Views with every kind of guard that stands around one. None of them is called."""

from functools import partial

from django.contrib.auth.decorators import login_required
from django.db import transaction
from django.utils.decorators import method_decorator
from django.views import View
from django.views.decorators.cache import never_cache
from rest_framework.decorators import action, api_view, permission_classes
from rest_framework.permissions import IsAuthenticated
from rest_framework.views import APIView
from rest_framework.viewsets import ViewSet

from django_magiclink.decorators import approval_exempt, approval_required
from django_magiclink.mixins import ApprovalRequiredMixin
from django_magiclink.permissions import ApprovalRequired


def guard(scope, **options):
    return approval_required(scope=scope, **options)


def plain(request, **kwargs):
    raise NotImplementedError


async def plain_async(request):
    raise NotImplementedError


decorated = login_required(guard("payroll", max_age=60)(plain))
stacked = guard("outer")(never_cache(guard("inner", methods=["POST"])(plain)))
decorated_async = guard("async", when=lambda request: True)(plain_async)
given_arguments = partial(partial(decorated, x=1), y=2)
exempt = approval_exempt(plain_async)


def sensitive(view):
    """Guards twice, as a decorator of a project's own may do."""
    return guard("sensitive")(guard("own")(view))


class Plain(View):
    def get(self, request):
        raise NotImplementedError

    def post(self, request):
        raise NotImplementedError


class Methods(Plain):
    @method_decorator(guard("first"))
    @method_decorator([guard("second"), sensitive])
    @method_decorator(never_cache)
    def post(self, request):
        raise NotImplementedError

    @method_decorator(guard("never", methods=["GET"]))
    def put(self, request):
        raise NotImplementedError


@method_decorator(guard("dispatch"), name="dispatch")
class Dispatched(Plain):
    pass


class Mixed(ApprovalRequiredMixin, Plain):
    approval_scope = "mixin"


class MixedTwice(ApprovalRequiredMixin, Dispatched):
    approval_scope = "mixin"


class CallableView:
    def __call__(self, request):
        raise NotImplementedError


# REST framework.

API = ApprovalRequired.of(scope="api")
OTHER = ApprovalRequired.of(scope="other")
SINGLE = ApprovalRequired.of(scope="single", max_age=0)


class Api(APIView):
    permission_classes = [IsAuthenticated, ApprovalRequired]
    approval_scope = "attributes"

    def get(self, request):
        raise NotImplementedError


class Composed(Api):
    permission_classes = [IsAuthenticated & (API & ~IsAuthenticated)]


class Either(Api):
    permission_classes = [IsAuthenticated | API]


class EitherWay(Api):
    permission_classes = [API | OTHER]


class ByRequest(Api):
    def get_permissions(self):
        return [API()] if self.request.method == "POST" else []


class Misspelt(Api):
    approval_scop = "typo"


class SingleUse(Api):
    permission_classes = [SINGLE]


@method_decorator(transaction.non_atomic_requests, name="dispatch")
class OutsideTransaction(SingleUse):
    pass


@api_view(["POST"])
@permission_classes([API])
def api_function(request):
    raise NotImplementedError


class Things(ViewSet):
    approval_scope = "things"

    def get_permissions(self):
        if self.action == "create":
            return [ApprovalRequired()]
        return super().get_permissions()

    def list(self, request):
        raise NotImplementedError

    def create(self, request):
        raise NotImplementedError

    @action(detail=True, methods=["post", "put"], permission_classes=[API])
    def pay(self, request, pk):
        raise NotImplementedError

    @method_decorator(guard("action"))
    @action(detail=False)
    def recent(self, request):
        raise NotImplementedError


class AllThings(ViewSet):
    permission_classes = [API]

    def list(self, request):
        raise NotImplementedError

    def create(self, request):
        raise NotImplementedError
