from django.contrib import admin
from django.contrib.auth.views import LoginView, LogoutView
from django.contrib.staticfiles.views import serve
from django.urls import include, path, re_path

from . import views

urlpatterns = [
    path("admin/", admin.site.urls),
    path("login/", LoginView.as_view(template_name="admin/login.html"), name="login"),
    path("logout/", LogoutView.as_view(next_page="/login/"), name="logout"),
    path("magiclink/", include("django_magiclink.urls")),
    # In place of a web server.
    path("static/<path:path>", serve, {"insecure": True}),
    path("params/<int:pk>/", views.params),
    re_path(r"^.*evil\.example/catch/$", views.once),
    re_path(r"^inline_unnamed/([0-9]+)/$", views.inline_unnamed),
    path("class_based/", views.ClassBased.as_view()),
    path("deliver/<uuid:pk>/", views.deliver),
    path("planted_delivery/<uuid:pk>/", views.planted_delivery),
    *(
        path(f"{name}/", getattr(views, name))
        for name in [
            "default",
            "payroll",
            "phone",
            "once",
            "transfer",
            "typed",
            "typed_once",
            "get_only",
            "session",
            "called",
            "asynchronous",
            "stacked",
            "twice",
            "conflicting",
            "inline",
            "inline_window",
            "inline_rotated",
            "inline_in_transaction",
            "inline_async",
            "crash",
            "secret",
            "count",
            "non_atomic_outside",
            "non_atomic_inside",
            "atomic",
            "stacked_outside",
            "class_outside",
            "exempt",
            "checked_later",
            "cached",
            "cached_inline",
            "conditional",
            "join",
            "crowd",
            "threads",
            "queue",
            "planted_use",
            "planted_crash",
            "planted_start",
            "planted_wait",
        ]
    ),
]
