"""The API that the page of standing orders uses."""

from django.shortcuts import get_object_or_404
from rest_framework.mixins import DestroyModelMixin, ListModelMixin
from rest_framework.permissions import IsAuthenticated
from rest_framework.routers import SimpleRouter
from rest_framework.serializers import ModelSerializer
from rest_framework.viewsets import GenericViewSet

from django_magiclink.permissions import ApprovalRequired

from .models import StandingOrder


class StandingOrderSerializer(ModelSerializer):
    class Meta:
        model = StandingOrder
        fields = ["id", "payee", "amount", "day"]


def standing_order(request, pk):
    """Return what an approval to stop a standing order is bound to, and shows."""
    mine = StandingOrder.objects.filter(account__owner=request.user)
    return {"order": get_object_or_404(mine, pk=pk)}


class StandingOrderViewSet(ListModelMixin, DestroyModelMixin, GenericViewSet):
    """List the user's standing orders, and stop one after its approval."""

    serializer_class = StandingOrderSerializer
    permission_classes = [ApprovalRequired, IsAuthenticated]
    approval_scope = "standing-order"
    approval_max_age = 0
    approval_methods = ["DELETE"]
    approval_text = "Stop paying {order}"
    approval_params = standing_order

    def get_queryset(self):
        return StandingOrder.objects.filter(account__owner=self.request.user)


router = SimpleRouter()
router.register("orders", StandingOrderViewSet, basename="order")
