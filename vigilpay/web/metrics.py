"""Figures for Prometheus, where ``VIGILPAY_METRICS`` is on. The one address of ours that answers in text.

What concerns the engine is read from the database, and is the same from every process. What concerns requests each
process counts for itself; several of them share a folder, PROMETHEUS_MULTIPROC_DIR, from which any of them answers for
all (docs/decisions/0035-operations.md).
"""

import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from time import perf_counter

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured, MiddlewareNotUsed
from django.db import DatabaseError, InterfaceError
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.multiprocess import MultiProcessCollector

from customers.api.responses import reads_only
from customers.conditions import Condition
from events.freshness.measures import measures

log = logging.getLogger("vigilpay.access")

unmeasured = Condition(log)

METHODS = ("GET", "HEAD", "POST")
NO_VIEW = "none"

_of_this_process = CollectorRegistry()
_requests = Counter(
    "vigilpay_http_requests",
    "Requests answered.",
    ("method", "status", "view"),
    registry=_of_this_process,
)
_seconds = Histogram(
    "vigilpay_http_request_seconds",
    "Time to the answer, without the sending of it.",
    ("view",),
    registry=_of_this_process,
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0),
)


class MetricsMiddleware:
    """Counts and times every request, refused ones too. Not there at all where metrics are off."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        if not settings.METRICS:
            raise MiddlewareNotUsed
        if settings.METRICS_DIR and not Path(settings.METRICS_DIR).is_dir():
            raise ImproperlyConfigured(f"PROMETHEUS_MULTIPROC_DIR is {settings.METRICS_DIR}, which is not a folder.")
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        began = perf_counter()
        response = self.get_response(request)
        view = request.resolver_match.view_name if request.resolver_match else NO_VIEW
        method = request.method if request.method in METHODS else "other"
        _requests.labels(method, str(response.status_code), view).inc()
        _seconds.labels(view).observe(perf_counter() - began)
        return response


class Engine:
    """The engine's figures as Prometheus's own library asks for them."""

    def collect(self) -> Iterator[GaugeMetricFamily]:
        families: dict[str, GaugeMetricFamily] = {}
        up = GaugeMetricFamily("vigilpay_database_up", "1 when the database has answered.")
        try:
            for measure in measures():
                name = f"vigilpay_{measure.name}"
                if name not in families:
                    families[name] = GaugeMetricFamily(name, measure.meaning, labels=list(measure.labels))
                families[name].add_metric(list(measure.labels.values()), measure.value)
            unmeasured.end("The engine is measured again.")
        except (DatabaseError, InterfaceError) as lost:
            unmeasured.begin("The engine could not be measured: %s", lost, state="unmeasured")
            families.clear()
        up.add_metric([], bool(families))
        yield up
        yield from families.values()


@reads_only  # type: ignore[arg-type]  # the one answer in text
def metrics(request: HttpRequest) -> HttpResponse:
    """All figures in Prometheus's text format. The address is not there where they are off."""
    requests = _of_this_process
    if settings.METRICS_DIR:
        requests = CollectorRegistry()
        MultiProcessCollector(requests, settings.METRICS_DIR)  # type: ignore[no-untyped-call]
    engine = CollectorRegistry()
    engine.register(Engine())
    return HttpResponse(generate_latest(requests) + generate_latest(engine), content_type=CONTENT_TYPE_LATEST)
