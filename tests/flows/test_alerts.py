"""From an edit in plain SQL to a signed request that a receiver gets, with a real worker."""

import pytest

from customers.models import Customer
from events.models.alerts import Alert, Delivery
from tests.databases import url_of_test_database
from tests.events.alerts.alerting import threshold
from tests.events.alerts.receiver import receiving
from tests.factories import make_customer, make_scored
from tests.others import await_that, outsider
from tests.workers import running_cluster

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(240)]

SECRET = "a secret of the tests, long enough"


def test_a_crossing_is_told_once_and_after_a_refusal_again(tmp_path):
    safe = make_scored(age=30, is_active_member=True, num_of_products=2)
    at = safe.churn_risk_score + 0.05
    with (
        receiving(503, 204) as receiver,
        running_cluster(
            url_of_test_database(),
            tmp_path / "worker.log",
            VIGILPAY_WORKERS="1",
            VIGILPAY_WEBHOOK_URL=receiver.url,
            VIGILPAY_WEBHOOK_SECRET=SECRET,
            VIGILPAY_ALERT_RETRY_SECONDS="0.1",
        ),
    ):
        rule = threshold(at, by_webhook=True)
        with outsider() as psql:
            psql.execute(
                "UPDATE customers_customer SET age = 60, is_active_member = false, num_of_products = 4 "
                "WHERE customer_id = %s",
                [safe.pk],
            )
        await_that(lambda: Delivery.objects.filter(state="sent").exists(), "the message gets through", seconds=120)
        make_customer()
        await_that(lambda: not Customer.objects.stale().exists(), "the worker goes on")
    alert = Alert.objects.get(customer_id=safe.pk)
    assert alert.score_before == safe.churn_risk_score
    assert len(receiver.requests) >= 2
    first, second = receiver.requests[:2]
    assert (first[1]["webhook-id"], first[2]) == (second[1]["webhook-id"], second[2])
    assert receiver.bodies()[0]["data"]["alerts"][0]["id"] == alert.pk
    assert receiver.bodies()[0]["data"]["rule"]["id"] == rule.pk
