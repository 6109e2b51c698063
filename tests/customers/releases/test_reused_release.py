"""An id that is given out again, as after the restore of an older dump, is another release if the model is another."""

import shutil

import pytest
from django.db import connection

from customers.ml_service import load_forest
from customers.ml_service.files.packaging import verify
from customers.models import Customer, ModelRelease, ScoreRecord, ScoringFailure
from customers.releases import active
from customers.releases.active import ModelNotActiveError, active_model, put_into_service
from customers.scoring import scorer
from events.queue import lease
from events.worker import warmup
from tests.customers.ml_service.forests import release as release_file
from tests.factories import A_CUSTOMER, make_customer, make_customers, make_scored

pytestmark = pytest.mark.django_db


def give_the_id_to(forest, ours):
    """The release of this process goes, and one of another model gets its id."""
    other = load_forest(forest)
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM customers_modelrelease WHERE id = %s", [ours.pk])
    return ModelRelease.objects.create(pk=ours.pk, sha256=other.sha256, fingerprint=other.fingerprint)


def test_nothing_is_scored_by_a_model_that_is_not_the_active_one_nor_put_into_service(strict_assets, another_forest):
    make_scored()
    _, ours = active_model()
    reused = give_the_id_to(another_forest, ours)
    waiting = make_customers(3)
    for _ in range(2):
        with pytest.raises(ModelNotActiveError, match="not in the database"):
            scorer.rescore_batch()
        with pytest.raises(ModelNotActiveError):
            scorer.analyze(waiting[0].pk)
    assert list(ModelRelease.objects.all()) == [reused]
    assert Customer.objects.exclude(scored_by=None).count() == 1  # as it was


def test_the_file_of_the_active_model_is_taken_up_when_it_comes(strict_assets, another_forest):
    make_scored()
    _, ours = active_model()
    give_the_id_to(another_forest, ours)
    customer = make_customer()
    with pytest.raises(ModelNotActiveError):
        scorer.rescore_batch()
    release_file(another_forest, assets_dir=strict_assets)
    scorer.rescore_batch()
    customer.refresh_from_db()
    assert customer.churn_risk_score == load_forest(another_forest).predict_one(A_CUSTOMER)


def test_in_development_the_file_in_place_stands_in_for_a_model_that_is_nowhere(assets, another_forest):
    _, ours = active_model()
    reused = give_the_id_to(another_forest, ours)
    forest, release = active_model()
    assert release.pk > reused.pk
    assert release.fingerprint == forest.fingerprint == ours.fingerprint


def test_a_file_that_lay_there_before_the_release_is_not_brought_forward_and_one_that_comes_is(assets, another_forest):
    older = verify(another_forest)
    active_model()
    before = put_into_service("another host", older)
    for _ in range(2):
        assert active_model()[1] == before
    shutil.copy(shutil.move(assets / "model.pkl", assets / "kept"), assets / "model.pkl")
    assert active_model()[1].pk > before.pk  # replaced by the same: that is a wish, in development


def test_a_release_that_takes_the_id_between_claim_and_write_gets_no_score_of_the_other_model(
    strict_assets, another_forest, monkeypatch
):
    make_scored()
    _, ours = active_model()
    customer = make_customer()
    explain = scorer.explain

    def explain_while_the_id_is_given_away(*args):
        give_the_id_to(another_forest, ours)
        return explain(*args)

    monkeypatch.setattr(scorer, "explain", explain_while_the_id_is_given_away)
    assert scorer.rescore_batch() == scorer.Batch(claimed=1)
    customer.refresh_from_db()
    assert customer.churn_risk_score is None
    assert ScoreRecord.objects.count() == 1


def test_what_the_former_model_can_not_score_is_no_failure_of_the_new_one(strict_assets, another_forest, monkeypatch):
    make_scored()
    give_the_id_to(another_forest, active_model()[1])
    make_customer()

    def refuse(*args):
        raise AssertionError("Asked for an answer as the release that it is not.")

    monkeypatch.setattr(scorer, "explain", refuse)
    with pytest.raises(ModelNotActiveError):
        scorer.rescore_batch()
    assert not ScoringFailure.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_nothing_that_a_process_remembers_outlives_its_connection(assets):
    make_scored()
    assert active._seen is not None
    lease.cache.remember(asked=lease.monotonic(), seconds=60)
    connection.close()
    connection.ensure_connection()
    assert active._seen is None
    assert not lease.cache.is_held()


def test_a_worker_knows_from_its_start_what_serves(strict_assets, another_forest):
    _, ours = active_model()
    active._seen = None  # another process
    warmup.worker_spawned()
    reused = give_the_id_to(another_forest, ours)
    with pytest.raises(ModelNotActiveError):
        active_model()
    assert list(ModelRelease.objects.all()) == [reused]
