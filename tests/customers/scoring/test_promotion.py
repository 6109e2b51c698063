"""A model that was scored in shadow becomes active: its scores are taken over, and are those that a drain computes."""

import pytest
from django.db import transaction

from customers.ml_service import Forest
from customers.models import Customer, ScoreRecord, ShadowScore
from customers.releases import proposals
from customers.releases.rollback import target_of
from customers.scoring import promotion, scorer
from tests.customers.shadow.proposing import activate, drain, propose, start, work_off
from tests.factories import edit, make_customers

pytestmark = pytest.mark.django_db

ROWS = 40
STORED = (
    *("customer_id", "churn_risk_score", "value_at_risk", "version", "scored_version", "stale_since"),
    *("contributions", "reason_codes"),
)
RECORDED = ("customer_id", "cause", "score", "previous_score", "version", "contributions", "age", "balance")


@pytest.fixture
def bank(strict_assets, settings):
    settings.ONE_PERSON_RELEASES = False
    customers = make_customers(ROWS)
    drain()
    return customers


@pytest.fixture
def proposal(bank, another_forest):
    proposal = propose(another_forest)
    start(proposal)
    work_off()
    return proposal


@pytest.fixture
def computed(monkeypatch):
    """How many customers a forest was asked to explain."""
    rows = []
    explain = Forest.explain_matrix

    def counting(self, given):
        rows.append(len(given))
        return explain(self, given)

    monkeypatch.setattr(Forest, "explain_matrix", counting)
    return rows


def outcome(first_record):
    """All that a drain leaves, but the moment."""
    return (
        list(Customer.objects.order_by("pk").values(*STORED)),
        list(ScoreRecord.objects.filter(pk__gt=first_record).order_by("customer_id").values(*RECORDED)),
    )


def newest_record():
    return ScoreRecord.objects.latest("id").pk


def test_taken_over_scores_equal_computed_ones_to_the_last_bit(bank, proposal, computed):
    newest = newest_record()
    with transaction.atomic():
        shadow = list(ShadowScore.objects.all())
        ShadowScore.objects.all().delete()
        activate(proposal)
        assert drain() == ROWS
        assert sum(computed) == ROWS
        expected = outcome(newest)
        transaction.set_rollback(True)
    promotion.forget()
    computed.clear()
    proposal.refresh_from_db()
    assert ShadowScore.objects.count() == len(shadow) == ROWS
    activate(proposal)
    assert drain() == ROWS
    assert sum(computed) == 0
    assert outcome(newest) == expected
    assert {record["cause"] for record in expected[1]} == {"release"}


def test_who_was_edited_since_is_computed(bank, proposal, computed):
    edit(bank[0], age=77)
    activate(proposal)
    assert drain() == ROWS
    assert sum(computed) == 1
    bank[0].refresh_from_db()
    assert bank[0].is_current()
    assert bank[0].scored_version == 2


def test_a_shadow_score_of_a_former_life_is_not_taken_over(bank, proposal, computed):
    gone = bank[0]
    Customer.objects.filter(pk=gone.pk).delete()
    Customer.objects.create(pk=gone.pk, **{**gone.features(), "age": 80})
    assert ShadowScore.objects.get(pk=gone.pk).version == 1  # as the row has it again
    activate(proposal)
    drain()
    assert sum(computed) == 1
    back = Customer.objects.get(pk=gone.pk)
    assert back.churn_risk_score != ShadowScore.objects.get(pk=gone.pk).score


def test_other_rules_for_reasons_have_all_computed(bank, proposal, computed, settings):
    settings.PROTECTED_FIELDS = ["age"]
    activate(proposal)
    assert drain() == ROWS
    assert sum(computed) == ROWS


def test_scores_of_another_model_are_not_taken_over(bank, proposal, computed, third_forest):
    activate(propose(third_forest))
    assert drain() == ROWS
    assert sum(computed) == ROWS


def test_a_rollback_in_the_midst_of_it_leaves_no_score_of_the_promoted_model(bank, proposal, another_forest):
    from customers.releases.active import active_model, forest_of, put_into_service_again

    before = active_model()[1]
    activate(proposal)
    assert scorer.rescore_batch(limit=10).stored
    put_into_service_again(before, forest_of(target_of(before.pk)), "back", by="anna")
    drain()
    forest, release = active_model()
    assert release.fingerprint == before.fingerprint
    for customer in Customer.objects.all():
        assert customer.scored_by_id == release.pk
        assert customer.churn_risk_score == forest.predict_one(customer.features())


def test_who_objects_in_between_gets_no_score(bank, proposal):
    Customer.objects.filter(pk=bank[0].pk).set_objection(True)
    activate(proposal)
    drain()
    bank[0].refresh_from_db()
    assert bank[0].churn_risk_score is None


def test_without_a_run_a_process_asks_once(bank, django_assert_num_queries):
    from django.db import connection

    from customers.releases.active import active_model

    _forest, release = active_model()
    promotion.forget()
    with django_assert_num_queries(1), connection.cursor() as cursor:
        assert not promotion.is_possible(cursor, release)
        assert not promotion.is_possible(cursor, release)


def test_a_refused_proposal_is_no_promotion(bank, proposal):
    proposals.refuse(proposal, by="ben", fingerprint=proposal.fingerprint, reason="no")
    work_off()
    assert drain() == 0
