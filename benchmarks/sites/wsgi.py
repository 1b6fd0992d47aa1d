"""The WSGI application of the site that the environment describes."""

from django.core.wsgi import get_wsgi_application

application = get_wsgi_application()
