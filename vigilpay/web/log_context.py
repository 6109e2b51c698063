"""What a log line is about: the request, the job, the customer. Ids alone, never a name or a value."""

import logging
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from typing import Any

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import ResolverMatch

from vigilpay.web import request_id

CUSTOMER_PAGES = "customers_customer_"

_job: ContextVar[tuple[str, str]] = ContextVar("job", default=("", ""))
_customer: ContextVar[str] = ContextVar("customer", default="")


class LogContext(logging.Filter):
    """Adds to each record what is known at that moment; what the record says itself comes first."""

    def filter(self, record: logging.LogRecord) -> bool:
        job_id, job = _job.get()
        known = {
            "request_id": request_id.current(),
            "job_id": job_id,
            "job": job,
            "customer_id": _customer.get(),
        }
        record.__dict__.update({name: value for name, value in known.items() if not hasattr(record, name)})
        return True


class CustomerInLogMiddleware:
    """Notes the customer that an address is about."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        token = _customer.set("")
        try:
            return self.get_response(request)
        finally:
            _customer.reset(token)

    def process_view(self, request: HttpRequest, *view: object) -> None:
        if request.resolver_match:
            _customer.set(customer_of(request.resolver_match))


def customer_of(match: ResolverMatch) -> str:
    """The id in the address of a JSON view or of a customer's page; empty for any other, and for what is no id."""
    is_page = (match.url_name or "").startswith(CUSTOMER_PAGES)
    found = str(match.kwargs.get("customer_id", match.kwargs.get("object_id", "") if is_page else ""))
    return found if found.isdecimal() else ""


def begin_job(task: Mapping[str, Any], **kwargs: Any) -> None:
    """Connected to django-q2's ``pre_execute``, which a worker sends before a job."""
    _job.set((task.get("id", ""), name_of(task.get("func", ""))))


def end_job(**kwargs: Any) -> None:
    """Connected to ``post_execute_in_worker``."""
    _job.set(("", ""))


def name_of(function: object) -> str:
    """A job holds its function's path, or the function."""
    return function if isinstance(function, str) else getattr(function, "__qualname__", "")
