"""PostgreSQL lets every role take every advisory lock. Nothing of ours waits for one."""

import pytest

from customers.import_export.uploads import worker
from customers.models import Customer, ModelRelease
from customers.models.imports import ImportBatch
from customers.releases import active
from customers.scoring import scorer
from events import jobs
from events.alerts import outbox
from events.models.engine import Overview
from events.overview import counting
from tests.customers.import_export.test_staging import load, staged_row
from tests.customers.import_export.uploads.test_worker import begun, now, row
from tests.events.alerts.alerting import threshold
from tests.factories import make_scored
from tests.security.strangers import role, session

pytestmark = pytest.mark.django_db(transaction=True)

# Those that releases, overview, loads and imports waited for in former versions, and alerts'.
KEYS = [0x56494749, 0x56494750, 0x5669_6769_6C50, 0x5669_6769_6C49, "hashtextextended('vigilpay.alerts', 0)"]


@pytest.fixture(autouse=True)
def stranger():
    """Holds them all, in a session and for as long as it likes."""
    with role("vp_nothing") as name, session(name) as held:
        for key in KEYS:
            assert held.execute(f"SELECT pg_try_advisory_lock({key})").fetchone() == (True,)
        yield name


def test_a_model_is_put_into_service(assets):
    active.put_into_service("spring")
    assert ModelRelease.objects.count() == 1


def test_customers_are_loaded():
    assert load(staged_row(7)).new == 1


def test_an_upload_is_checked():
    batch = begun(row(1))
    assert worker.work_off() == 1
    assert now(batch).state == ImportBatch.State.CHECKED


def test_the_overview_is_counted():
    make_scored()
    assert counting.count_now()
    assert Overview.objects.exists()


def test_a_message_on_alerts_is_claimed_and_scoring_goes_on_while_one_is_due(settings):
    threshold(0.0001, recipients="desk@bank.example")
    customer = make_scored()
    assert outbox.anything_due()
    Customer.objects.update(age=77)
    assert jobs.rescore_stale() == 1
    customer.refresh_from_db()
    assert customer.is_current()
    assert outbox.claim() is not None
    assert scorer.analyze(customer.pk) == customer.churn_risk_score
