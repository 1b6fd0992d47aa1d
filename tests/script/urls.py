from django.urls import include, path

from . import views

urlpatterns = [
    path("magiclink/", include("django_magiclink.urls")),
    path("page/<name>/", views.page),
    *(
        path(f"{name}/", getattr(views, name))
        for name in [
            "pay",
            "look",
            "plain",
            "plain_then_look",
            "pay_then_look",
            "plain_page",
            "nothing",
            "shown_after",
            "moved",
            "attachment",
            "led_away",
            "evil",
        ]
    ),
]
