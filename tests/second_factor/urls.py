from django.contrib.auth import get_user_model, login
from django.contrib.auth.views import PasswordResetConfirmView
from django.http import HttpResponse
from django.urls import include, path

BACKEND = "django.contrib.auth.backends.ModelBackend"


def callback(request):
    """Log in whom somebody else has vouched for, as the callbacks of SSO do."""
    user = get_user_model().objects.get(username="admin")
    login(request, user, backend=BACKEND)
    return HttpResponse("Welcome")


reset = PasswordResetConfirmView.as_view(
    post_reset_login=True,
    post_reset_login_backend=BACKEND,
    success_url="/",
    template_name="example_project/login.html",
)
urlpatterns = [
    path("reset/<uidb64>/<token>/", reset, name="reset"),
    path("sso/callback/", callback, name="callback"),
    path("", include("example_project.urls")),
]
