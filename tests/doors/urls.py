"""The doors, each at an address of its own."""

from django.contrib import admin as django_admin
from django.contrib.auth.views import LoginView, LogoutView, logout_then_login
from django.contrib.staticfiles.views import serve
from django.urls import include, path, re_path
from django.views.i18n import JavaScriptCatalog, set_language
from rest_framework.routers import SimpleRouter

from . import admin, views

router = SimpleRouter()
router.register("things", views.Things, basename="thing")

deep = (
    [path("ruled/", views.ruled, name="ruled"), path("own/", views.ruled)],
    "deep",
)
bank = (
    [
        path("transfer/", views.ruled, name="transfer"),
        path("transfer/now/", views.aruled, name="transfer_now"),
        path("free/", views.unguarded, name="free"),
        path("deep/", include(deep, namespace="deep")),
    ],
    "bank",
)

urlpatterns = [
    path("unguarded/", views.unguarded, name="unguarded"),
    path("aunguarded/", views.aunguarded, name="aunguarded"),
    path("silent/", views.silent, name="silent"),
    path("missing/", views.missing, name="missing"),
    path("decorated/", views.decorated, name="decorated"),
    path("adecorated/", views.adecorated, name="adecorated"),
    path("ruled/", views.ruled, name="ruled"),
    path("ruled/<int:pk>/", views.ruled, name="ruled_one"),
    path("aruled/", views.aruled, name="aruled"),
    path("unnamed/", views.ruled),
    path("unnamed_class/", views.Exempted.as_view()),
    path("exempted/", views.exempted, name="exempted"),
    path("aexempted/", views.aexempted, name="aexempted"),
    path("exempted_class/", views.Exempted.as_view(), name="exempted_class"),
    path("exempted_and_decorated/", views.exempted_and_decorated),
    path("single/", views.single, name="single"),
    path("bank/", include(bank)),
    path("mixed/", views.Mixed.as_view(), name="mixed"),
    path("amixed/", views.AsyncMixed.as_view(), name="amixed"),
    path("attributed/", views.Attributed.as_view()),
    path("keyworded/", views.Attributed.as_view(approval_scope="keyword")),
    path("called/<int:pk>/", views.Called.as_view()),
    path(
        "called_by_keyword/<int:pk>/",
        views.Called.as_view(approval_text=lambda request, pk: f"Keyword {pk}"),
    ),
    path("api/", views.Api.as_view(), name="api"),
    path("api/attributed/", views.AttributedApi.as_view()),
    path("api/keyworded/", views.AttributedApi.as_view(approval_scope="keyword")),
    path("api/open/", views.OpenApi.as_view(), name="open_api"),
    path("api/session/", views.SessionApi.as_view(), name="session_api"),
    path("accounts/<name>/", views.unguarded, name="account"),
    path("api/use/", views.UseApi.as_view()),
    path("api/token/", views.TokenApi.as_view()),
    path("api/nobody/", views.NobodyApi.as_view()),
    path("api/composed/", views.ComposedApi.as_view()),
    path("api/either/", views.EitherApi.as_view()),
    path("api/missing/", views.MissingApi.as_view()),
    path("api/overridden/", views.OverriddenApi.as_view()),
    path("api/form/", views.FormApi.as_view()),
    path("api/function/", views.api),
    path("api/parsed/", views.ParsedApi.as_view()),
    path("api/free/", views.FreeApi.as_view()),
    path("api/upload/", views.UploadApi.as_view()),
    path("api/atomic/", views.atomic_api),
    path("api/not_atomic/", views.not_atomic_api),
    path("api/", include(router.urls)),
    path("models/", admin.models_site.urls),
    path("guarded/", admin.guarded_site.urls),
    path("admin/", django_admin.site.urls),
    path("login/", LoginView.as_view(template_name="admin/login.html"), name="login"),
    path("signin/", views.unguarded, name="signin"),
    path("logout/", LogoutView.as_view(next_page="/login/"), name="logout"),
    path("logout_then_login/", logout_then_login, name="logout_then_login"),
    path("jsi18n/", JavaScriptCatalog.as_view(), name="jsi18n"),
    path("language/", set_language, name="language"),
    re_path(r"^static/(?P<path>.*)$", serve, kwargs={"insecure": True}, name="files"),
    path("magiclink/", include("django_magiclink.urls")),
]
