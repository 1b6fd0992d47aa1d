"""With a defect that the tests must find: a start takes as long as its work."""

from django_magiclink.phone_login import pace

from .settings import *  # noqa: F403

pace.STEP = 0.0001
