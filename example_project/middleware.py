"""What every answer of the bank has."""

from django.utils.deprecation import MiddlewareMixin

#: No inline script, no inline style, and nothing from any other site.
POLICY = "default-src 'self'; base-uri 'none'; form-action 'self'; object-src 'none'"


class ContentSecurityPolicyMiddleware(MiddlewareMixin):
    """Let pages use nothing but the files of this site. Django 6 has one of its own."""

    def process_response(self, request, response):
        response.headers.setdefault("Content-Security-Policy", POLICY)
        return response
