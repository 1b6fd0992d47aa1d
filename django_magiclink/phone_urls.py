"""
Include these where users are to add and change their phone themselves.

They are apart from our other URLs, since no rule is for those.
"""

from django.urls import path

from . import phone_views

app_name = "django_magiclink_phone"

urlpatterns = [path("", phone_views.change, name="change")]
