"""What browsers are told to refuse, on every response: docs/decisions/0021-roles-and-what-pages-may-load.md."""

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.deprecation import MiddlewareMixin

# Nothing but our own files, and nothing that stands in a page itself: what an attacker manages to write into a page
# remains text.
POLICY = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self'",
    "connect-src": "'self'",
    "form-action": "'self'",
    "frame-ancestors": "'none'",
    "base-uri": "'none'",
}

HEADERS = {
    "Content-Security-Policy": "; ".join(f"{directive} {sources}" for directive, sources in POLICY.items()),
    # No page of another site may load an answer of ours, not even one that it cannot read.
    "Cross-Origin-Resource-Policy": "same-origin",
}


class ContentSecurityPolicyMiddleware(MiddlewareMixin):
    """Sends the policy with every response, also those of other middleware: stands before all others."""

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        for name, value in HEADERS.items():
            response[name] = value
        return response
