"""The ASGI application of the site that the environment describes."""

from django.core.asgi import get_asgi_application

application = get_asgi_application()
