"""What Prometheus reads, where it is switched on."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.core.exceptions import ImproperlyConfigured, MiddlewareNotUsed
from django.db import OperationalError, connection
from django.test import Client
from django.urls import include, path
from prometheus_client.parser import text_string_to_metric_families

from events.freshness import queries
from tests.databases import migrated_database
from tests.factories import make_customers, make_failure, make_scored
from tests.others import await_that
from tests.staff import with_role
from tests.web_server import running_site
from vigilpay import urls
from vigilpay.web.metrics import MetricsMiddleware, metrics

urlpatterns = [path("metrics", metrics, name="metrics"), path("", include(urls.urlpatterns))]


@pytest.fixture
def measured(settings, monkeypatch):
    """A client of a site that counts."""
    settings.METRICS = True
    monkeypatch.setattr(queries._recent, "_answer", None)
    return Client()


def figures(client):
    """Name and labels of each figure, and its value."""
    return read(client.get("/metrics").text)


def read(text):
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    return {(it.name, *sorted(it.labels.values())): it.value for it in samples}


@pytest.mark.django_db
@pytest.mark.urls(__name__)
class TestFigures:
    def test_of_the_engine_are_those_of_the_database(self, measured):
        make_scored()
        make_failure(make_customers(3)[0])
        found = figures(measured)
        assert found["vigilpay_customers",] == 4
        assert found["vigilpay_stale_customers",] == 3
        assert found["vigilpay_stale_oldest_seconds",] > 0
        assert found["vigilpay_dead_letters",] == 1
        assert found["vigilpay_jobs", "waiting"] == 0
        assert found["vigilpay_workers_running",] == 0
        assert found["vigilpay_database_up",] == 1
        assert sum(found["vigilpay_status", word] for word in ("current", "failing", "behind", "paused")) == 1

    def test_of_drains_workers_and_the_outbox(self, measured):
        with connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO events_drain (worker, started_at, claimed, stored, rejected, refused) "
                "VALUES ('a', now(), 7, 5, 1, 1), ('b', now(), 3, 3, 0, 0)"
            )
            cursor.execute(
                "INSERT INTO events_worker (name, host, started_at, looked_at) "
                "VALUES ('a', 'h', now(), clock_timestamp() - interval '7 s')"
            )
        found = figures(measured)
        assert (found["vigilpay_drain_drains",], found["vigilpay_drain_stored",]) == (2, 8)
        assert found["vigilpay_worker_heartbeat_seconds", "a"] == pytest.approx(7, abs=3)
        assert found["vigilpay_alert_messages_waiting",] == 0

    def test_of_requests_are_counted_by_view_and_status(self, measured):
        customer = make_scored()
        before = figures(measured)
        for pk in (customer.pk, customer.pk, customer.pk + 1):
            measured.get(f"/customers/analyze/{pk}/")
        measured.get("/nothing/")
        measured.generic("BREW", "/")
        after = figures(measured)
        counted = "vigilpay_http_requests_total"
        for labels, number in (
            (("200", "GET", "customers:analyze"), 2),
            (("404", "GET", "customers:analyze"), 1),
            (("404", "GET", "none"), 1),
            (("405", "index", "other"), 1),
        ):
            assert after[counted, *labels] - before.get((counted, *labels), 0) == number
        assert after["vigilpay_http_request_seconds_count", "customers:analyze"] >= 3

    def test_without_the_database_tell_that_it_is_away(self, measured):
        def is_away(*statement):
            raise OperationalError("away")

        with connection.execute_wrapper(is_away):
            found = figures(measured)
        assert found["vigilpay_database_up",] == 0
        assert ("vigilpay_customers",) not in found

    def test_name_no_customer(self, measured):
        customer = make_scored(surname="Unmistakable")
        measured.get(f"/customers/analyze/{customer.pk}/")
        assert "Unmistakable" not in measured.get("/metrics").text

    def test_are_for_those_who_may_call_the_views(self, measured, settings):
        settings.API_LOGIN_REQUIRED = True
        assert measured.get("/metrics").status_code == 401
        assert with_role("operator").get("/metrics").status_code == 200

    def test_are_read_only(self, measured):
        assert measured.post("/metrics").status_code == 405


@pytest.mark.django_db
class TestOff:
    def test_there_is_no_such_address(self, client):
        response = client.get("/metrics")
        assert (response.status_code, response.json()) == (404, {"error": "Not Found"})

    def test_nothing_is_counted(self):
        with pytest.raises(MiddlewareNotUsed):
            MetricsMiddleware(lambda request: None)


def test_a_folder_that_is_not_there_is_refused_at_the_start(settings):
    settings.METRICS, settings.METRICS_DIR = True, "/nowhere/at/all"
    with pytest.raises(ImproperlyConfigured, match="PROMETHEUS_MULTIPROC_DIR is /nowhere/at/all"):
        MetricsMiddleware(lambda request: None)


@pytest.mark.process
def test_several_processes_count_together(tmp_path):
    folder = tmp_path / "counted"
    folder.mkdir()
    told = {"VIGILPAY_METRICS": "1", "PROMETHEUS_MULTIPROC_DIR": str(folder)}
    with (
        migrated_database("vigilpay_test_metrics") as url,
        running_site(url, tmp_path / "log", **told) as site,
    ):

        def counted():
            found = read(site.get("/metrics").text.decode())
            return found["vigilpay_http_requests_total", "200", "GET", "health_live"]

        def all_at_once():
            with ThreadPoolExecutor(20) as pool:
                list(pool.map(lambda _: site.get("/health/live"), range(60)))
            return len(list(folder.glob("counter_*.db"))) > 1

        await_that(all_at_once, "more than one process has counted", seconds=60)
        before = counted()
        all_at_once()
        assert {counted() for _ in range(10)} == {before + 60}
