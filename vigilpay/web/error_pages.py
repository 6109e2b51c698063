"""Errors inside the admin as pages of the admin: Django's own base template, and what to do next. Outside: JSON.

Named in ``vigilpay/urls.py`` as Django's handlers of errors, and as ``CSRF_FAILURE_VIEW``.
"""

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.template.loader import get_template
from django.templatetags.static import static
from django.urls import reverse
from django.utils.html import format_html
from django.views import defaults

from customers.api.responses import error
from vigilpay.web import request_id

TEMPLATE = "admin/base_site.html"
STYLE = "customers/vigilpay.css"

BAD_REQUEST = "This request could not be read. Go back, load the page again and repeat your entry."
FORBIDDEN = "Your account does not have the right to open this page. Ask an administrator for a role that has it."
NOT_FOUND = "There is no such page, or the entry that it showed has been deleted."
NOT_ALLOWED = "This page cannot be called in this way. Open it from the menu."
FORM_EXPIRED = (
    "Nothing was saved: this form is out of date, or cookies are blocked. Go back, load the page again and repeat "
    "your entry."
)
FAILED = "The page could not be shown, and what you entered may not be saved. Try again in a minute."
FORGED = "The CSRF token is missing or wrong: send the cookie `csrftoken` also as the header X-CSRFToken."


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    if not is_page(request):
        return defaults.bad_request(request, exception)
    return page(request, 400, "Request not understood", BAD_REQUEST)


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    if not is_page(request):
        return defaults.permission_denied(request, exception)
    return page(request, 403, "Access denied", FORBIDDEN, with_menu=True)


def page_not_found(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    if not is_page(request):
        return defaults.page_not_found(request, exception)
    return page(request, 404, "Page not found", NOT_FOUND, with_menu=True)


def server_error(request: HttpRequest) -> HttpResponseBase:
    """Asks neither the database nor the session: they may be what has failed."""
    if not is_page(request):
        return defaults.server_error(request)
    return page(request, 500, "Something went wrong", FAILED)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    return page(request, 403, "Form not accepted", FORM_EXPIRED) if is_page(request) else error(403, FORGED)


def is_page(request: HttpRequest) -> bool:
    """Whether Django's admin answers this address; static files have no pages."""
    return request.path.startswith(reverse("admin:index"))


def page(request: HttpRequest, status: int, title: str, text: str, *, with_menu: bool = False) -> HttpResponse:
    """An error as a page. The menu is what the user may open, which is a question to the database."""
    context = {
        "site_title": admin.site.site_title,
        "site_header": admin.site.site_header,
        "title": title,
        "content": format_html(
            '<link rel="stylesheet" href="{}"><p>{}</p><p><a href="{}">Back to the start page</a></p>'
            '<p class="vp-quiet">If you report this, name the request: {}</p>',
            static(STYLE),
            text,
            reverse("admin:index"),
            request_id.current() or "not known",
        ),
    }
    if not with_menu:
        return HttpResponse(get_template(TEMPLATE).render(context), status=status)
    return HttpResponse(
        get_template(TEMPLATE).render(admin.site.each_context(request) | context, request), status=status
    )
