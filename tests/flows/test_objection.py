"""Objections recorded and withdrawn in plain SQL beside a real worker: no score while they stand, one soon after."""

from time import sleep

import pytest

from customers.models import Customer, ScoreRecord
from tests.databases import url_of_test_database
from tests.factories import make_scored
from tests.others import await_that, outsider
from tests.workers import running_cluster

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(240)]

OBJECT = "UPDATE customers_customer SET objected_at = now(), age = age + 1 WHERE customer_id = ANY (%s)"
EDIT = "UPDATE customers_customer SET age = age + 1"
WITHDRAW = "UPDATE customers_customer SET objected_at = NULL WHERE customer_id = ANY (%s)"
SCORED = "SELECT count(*) FROM customers_customer WHERE objected_at IS NOT NULL AND churn_risk_score IS NOT NULL"


def test_no_worker_scores_an_objector_and_a_withdrawal_is_scored_as_any_edit(tmp_path):
    ids = [make_scored(age=30 + number).pk for number in range(20)]
    objectors = ids[::2]
    with running_cluster(url_of_test_database(), tmp_path / "worker.log", VIGILPAY_WORKERS="1"), outsider() as psql:
        psql.execute(OBJECT, [objectors])
        for _ in range(10):
            psql.execute(EDIT)
            sleep(0.05)
            assert psql.execute(SCORED).fetchone() == (0,)
        await_that(lambda: not Customer.objects.stale().exists(), "all others are scored")
        assert ScoreRecord.objects.filter(customer_id__in=objectors).count() == len(objectors)
        psql.execute(WITHDRAW, [objectors])
        await_that(lambda: not Customer.objects.stale().exists(), "they are scored again")
    assert Customer.objects.filter(churn_risk_score__isnull=False).count() == len(ids)
    assert ScoreRecord.objects.filter(cause="resumed").count() == len(objectors)
