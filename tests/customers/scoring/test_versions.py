"""What is kept of a customer: every version once, every score with its cause, and who edited when."""

from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TransactionTestCase

from customers.ml_service.schema import FEATURES
from customers.models import Customer, ModelRelease, ScoreRecord, ScoringFailure, UnscoredVersion
from customers.scoring import marks, scorer
from tests.factories import edit, make_customer, make_failure, make_scored
from tests.others import outsider

Cause = ScoreRecord.Cause


def values_of(row):
    return tuple(getattr(row, field) for field in FEATURES)


def causes(customer):
    return list(ScoreRecord.objects.filter(customer_id=customer.pk).order_by("id").values_list("cause", flat=True))


@pytest.mark.django_db
class TestCause:
    def test_the_first_score_is_that_of_a_new_customer_however_often_it_was_edited_before(self):
        customer = make_customer()
        edit(customer, age=50)
        scorer.rescore_batch()
        assert causes(customer) == [Cause.CREATED]

    def test_a_score_after_an_edit(self):
        customer = make_scored()
        edit(customer, age=50)
        scorer.rescore_batch()
        assert causes(customer) == [Cause.ANALYZE, Cause.EDITED]

    def test_a_score_by_another_model(self):
        customer = make_scored()
        ModelRelease.objects.create(sha256="0" * 64)
        scorer.rescore_batch()
        assert causes(customer) == [Cause.ANALYZE, Cause.RELEASE]

    def test_an_edit_counts_more_than_another_model(self):
        customer = make_scored()
        ModelRelease.objects.create(sha256="0" * 64)
        edit(customer, age=50)
        scorer.rescore_batch()
        assert causes(customer)[-1] == Cause.EDITED

    def test_the_caller_may_say_why(self):
        customer = make_customer()
        scorer.analyze(customer.pk)
        scorer.analyze(customer.pk, cause=Cause.AUDIT)
        assert causes(customer) == [Cause.ANALYZE, Cause.AUDIT]

    @pytest.mark.parametrize(("edited", "cause"), [(False, Cause.RETRY), (True, Cause.EDITED)])
    def test_a_score_after_a_failure_is_a_retry_unless_the_customer_was_edited_since(self, edited, cause):
        customer = make_scored()
        edit(customer, age=50)
        fail(customer)
        if edited:
            edit(customer, age=51)
        marks.restore_marks()
        scorer.rescore_batch()
        assert causes(customer)[-1] == cause
        assert not ScoringFailure.objects.exists()


def fail(customer):
    """As if the model had had no answer to the version as it is, a while ago."""
    make_failure(customer, attempts=1, retry_at="2020-01-01T00:00Z")


@pytest.mark.django_db(transaction=True)
class TestRecord:
    """Each edit in a transaction of its own, so that the times differ."""

    def test_it_holds_the_nine_values_that_were_scored(self):
        customer = make_scored()
        assert values_of(ScoreRecord.objects.get()) == values_of(customer)

    def test_it_says_when_the_oldest_and_the_newest_change_were_made_that_it_answers(self):
        customer = make_scored()
        edit(customer, age=50)
        first = now_of(customer).stale_since
        edit(customer, age=51)
        second = now_of(customer).edited_at
        scorer.rescore_batch()
        record = ScoreRecord.objects.first()
        assert (record.stale_since, record.edited_at) == (first, second)
        assert first < second < record.scored_at

    def test_the_time_of_a_former_flurry_of_edits_is_not_that_of_the_next_single_one(self):
        customer = make_scored()
        for age in (50, 51):
            edit(customer, age=age)
        scorer.rescore_batch()
        edit(customer, age=52)
        changed = now_of(customer).stale_since
        scorer.rescore_batch()
        record = ScoreRecord.objects.first()
        assert (record.stale_since, record.edited_at) == (changed, changed)

    def test_a_version_that_was_overwritten_before_it_was_scored_is_kept_with_time_and_editor(self):
        customer = make_customer()
        came = now_of(customer).stale_since
        with outsider() as other:
            other.execute("UPDATE customers_customer SET age = 50")
            changed = now_of(customer).edited_at
            other.execute("UPDATE customers_customer SET age = 51")
            role = other.info.user
        first, second = UnscoredVersion.objects.order_by("id")
        assert (first.version, first.age, first.edited_at, first.edited_by) == (1, 40, came, "django")
        assert (second.version, second.age, second.edited_at, second.edited_by) == (2, 50, changed, f"sql:{role}")
        assert values_of(first) == values_of(customer)

    def test_a_version_that_was_scored_is_not_kept_twice(self):
        customer = make_scored()
        edit(customer, age=50)
        assert not UnscoredVersion.objects.exists()

    def test_an_edit_that_is_rolled_back_leaves_nothing(self):
        with outsider(autocommit=False) as other:
            make_customer()
            other.execute("UPDATE customers_customer SET age = 50")
            other.rollback()
        assert not UnscoredVersion.objects.exists()


def now_of(customer):
    return Customer.objects.get(pk=customer.pk)


edits = st.fixed_dictionaries({"age": st.integers(18, 22), "balance": st.sampled_from([Decimal(0), Decimal("7.50")])})
steps = st.lists(
    st.one_of(
        edits,
        st.sampled_from(["drain", "analyze", "release", "roll back", "married"]),
    ),
    max_size=12,
)


class TestEveryVersionIsKeptOnce(TransactionTestCase):
    @given(steps=steps, delete=st.booleans())
    @settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
    def test_in_the_scores_or_among_the_unscored_or_in_the_row_itself(self, steps, delete):
        customer = make_customer(customer_id=1)
        versions = {1: values_of(customer)}
        for step in steps:
            take(step, versions)
        last = now_of(customer)
        assert last.version == len(versions)
        if delete:
            scorer.analyze(1)
            customer.delete()
        scored = {record.version: values_of(record) for record in ScoreRecord.objects.all()}
        unscored = [(row.version, values_of(row)) for row in UnscoredVersion.objects.order_by("version")]
        waiting = {last.version: values_of(last)} if last.version not in scored else {}
        assert len(dict(unscored)) == len(unscored)
        assert not scored.keys() & dict(unscored).keys()
        assert {**scored, **dict(unscored), **waiting} == versions
        self.clear()

    def clear(self):
        for model in (Customer, ScoreRecord, UnscoredVersion, ModelRelease):
            model.objects.all().delete()


def take(step, versions):
    if step == "drain":
        scorer.rescore_batch()
    elif step == "analyze":
        scorer.analyze(1)
    elif step == "release":
        ModelRelease.objects.create(sha256="0" * 64)
    elif step == "married":
        Customer.objects.update(surname="Married")
    elif step == "roll back":
        with outsider(autocommit=False) as other:
            other.execute("UPDATE customers_customer SET tenure = tenure + 1")
            other.rollback()
    else:
        before = values_of(Customer.objects.get())
        Customer.objects.update(**step)
        after = values_of(Customer.objects.get())
        if after != before:
            versions[len(versions) + 1] = after
