"""A report of a crash names fields and variables, and no value of a customer."""

import logging
import sys

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.test import RequestFactory, override_settings
from django.views.debug import ExceptionReporter

SURNAME = "".join(["Zweifel", "hofer"])  # a report quotes lines of the source, as this one


def report(request):
    balance_of_customer = [SURNAME, 91_234]
    try:
        raise ImproperlyConfigured("a bug")
    except ImproperlyConfigured:
        reporter = ExceptionReporter(request, *sys.exc_info())
    assert balance_of_customer
    return reporter.get_traceback_text() + reporter.get_traceback_html()


def posted():
    return RequestFactory().post("/admin/customers/customer/add/", {"surname": SURNAME})


def test_it_holds_no_value():
    text = report(posted())
    assert "a bug" in text
    assert "surname" in text
    assert "balance_of_customer" in text
    assert SURNAME not in text
    assert "91234" not in text


def test_it_holds_none_without_a_request_either():
    assert SURNAME not in report(None)


@override_settings(DEBUG=True)
def test_in_debugging_it_shows_everything():
    assert SURNAME in report(posted())


def test_none_is_mailed():
    assert [type(handler).__name__ for handler in logging.getLogger("django").handlers] == []
    assert settings.LOGGING["loggers"]["django"] == {"handlers": []}
