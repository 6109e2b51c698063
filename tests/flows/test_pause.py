"""Pause and resume with a real worker: nothing is scored meanwhile, nothing is lost."""

import time

import pytest
from django.core.management import call_command

from customers.models import Customer, ScoreRecord
from events.freshness.queries import freshness
from events.models.engine import Drain
from tests.databases import url_of_test_database
from tests.factories import make_customer
from tests.others import await_that, outsider
from tests.workers import running_cluster

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(240)]

# Long enough for the broker to look several times.
SECONDS_OF_PAUSE = 4


def no_customer_is_stale():
    return not Customer.objects.stale().exists()


def test_edits_of_a_pause_wait_for_its_end_and_are_all_scored_then(tmp_path):
    log = tmp_path / "worker.log"
    customers = [make_customer() for _ in range(20)]
    with running_cluster(url_of_test_database(), log, VIGILPAY_WORKERS="1"):
        await_that(no_customer_is_stale, "the worker scores all", seconds=120)  # compiles first, at times
        call_command("pause_scoring", reason="under review", verbosity=0)
        before = ScoreRecord.objects.count()
        with outsider() as psql:
            psql.execute("UPDATE customers_customer SET age = 71")
        customers[0].age = 72
        customers[0].save()  # queues a job, as every save does
        time.sleep(SECONDS_OF_PAUSE)
        assert ScoreRecord.objects.count() == before
        assert Customer.objects.stale().count() == 20
        assert (freshness().status, freshness().workers_running) == ("paused", 1)
        call_command("resume_scoring")
        await_that(no_customer_is_stale, "the worker goes on")
        await_that(Drain.objects.exists, "a drain is on record")
    assert log.read_text().count("Scoring has been paused since ") == 1
    assert "under review. Edits go on." in log.read_text()
