"""Every kind of pattern, with every kind of view."""

from django.conf.urls.i18n import i18n_patterns
from django.contrib.auth.views import LoginView
from django.urls import include, path, re_path
from rest_framework.routers import SimpleRouter

from django_magiclink.decorators import approval_required

from . import admin, views

router = SimpleRouter()
router.register("things", views.Things, basename="thing")
router.register("all", views.AllThings, basename="all")

deep = ([re_path(r"^(?P<pk>\d+)/$", views.plain, name="deep")], "deep")
bank = ([path("pay/", views.plain, name="pay"), path("deep/", include(deep))], "bank")

urlpatterns = [
    path("", views.plain, name="home"),
    path("decorated/<int:pk>/", views.decorated, name="decorated"),
    path("stacked/", views.stacked, name="stacked"),
    path("async/", views.decorated_async, name="async"),
    path("partial/", views.given_arguments, name="partial"),
    path("exempt/", views.exempt, name="exempt"),
    path("callable/", views.CallableView()),
    path("unnamed/", views.plain),
    path("class/", views.Plain.as_view()),
    path("methods/", views.Methods.as_view(), name="methods"),
    path("dispatched/", views.Dispatched.as_view(), name="dispatched"),
    path("mixed/", views.Mixed.as_view(), name="mixed"),
    path("given/", views.Mixed.as_view(approval_scope="given"), name="given"),
    path(
        "around/",
        approval_required(scope="around")(views.MixedTwice.as_view()),
        name="around",
    ),
    path("api/", views.Api.as_view(), name="api"),
    path("composed/", views.Composed.as_view(), name="composed"),
    path("either/", views.Either.as_view(), name="either"),
    path("either_way/", views.EitherWay.as_view(), name="either_way"),
    path("by_request/", views.ByRequest.as_view(), name="by_request"),
    path("api_function/", views.api_function, name="api_function"),
    path("router/", include(router.urls)),
    path("bank/", include(bank, namespace="us")),
    path("bank/se/", include(bank, namespace="se")),
    path("back/", admin.open_site.urls),
    path("vault/", admin.guarded_site.urls),
    path("login/", LoginView.as_view(), name="login"),
    path("magiclink/", include("django_magiclink.urls")),
    *i18n_patterns(path("translated/", views.plain, name="translated")),
]
