"""A worker in production without the active model, which gets it, and lives through an upgrade of the code."""

import time
from io import StringIO

import pytest
from django.core.management import call_command

from customers.ml_service import load_forest
from customers.models import Customer, ModelFile, ModelRelease
from tests.customers.ml_service.forests import release as bring
from tests.databases import url_of_test_database
from tests.factories import make_customer
from tests.others import await_that, outsider
from tests.workers import running_cluster

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(240)]

EDIT_SECONDS = 2.5


def no_customer_is_stale():
    return not Customer.objects.stale().exists()


def test_it_is_told_once_that_nothing_is_scored_and_the_next_upgrade_stops_nothing(
    tmp_path, strict_assets, another_forest, third_forest, settings
):
    call_command("release_model", another_forest, "--yes", note="our own", stdout=StringIO())
    ModelFile.objects.all().delete()  # as of a release by a version that kept files
    bring(third_forest, assets_dir=strict_assets)
    customer, log = make_customer(), tmp_path / "worker.log"
    production = {"VIGILPAY_ENV": "production", "SECRET_KEY": settings.SECRET_KEY, "ALLOWED_HOSTS": "localhost"}
    with running_cluster(url_of_test_database(), log, VIGILPAY_ML_ASSETS=str(strict_assets), **production):
        await_that(lambda: "No customer can be scored" in log.read_text(), "it says so", seconds=120)
        ends = time.monotonic() + EDIT_SECONDS
        with outsider() as psql:
            while time.monotonic() < ends:  # each of them notifies, and a save queues a job as well
                psql.execute("UPDATE customers_customer SET age = 18 + (age + 1) % 60")
                customer.tenure = (customer.tenure + 1) % 10
                customer.save(update_fields=["tenure"])
                time.sleep(0.02)
        [line] = log.read_text().splitlines()
        assert "not in the database" in line
        assert Customer.objects.stale().exists()

        call_command("release_model", another_forest, "--yes", stdout=StringIO())
        await_that(no_customer_is_stale, "it scores again")
        bring(third_forest, assets_dir=strict_assets)
        customer.refresh_from_db()
        customer.credit_score = 444
        customer.save()
        await_that(no_customer_is_stale, "an edit after the upgrade is scored")
    customer.refresh_from_db()
    assert customer.churn_risk_score == load_forest(another_forest).predict_one(customer.features())
    assert [release.note for release in ModelRelease.objects.all()] == ["our own"]
    told = [line for line in log.read_text().splitlines() if "scored" in line]
    assert ["No customer can be scored" in line for line in told[:2]] == [True, False]
    assert "Customers are scored again" in told[1]
