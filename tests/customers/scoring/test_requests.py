"""All customers of a list at once."""

from itertools import count

import pytest
from django.db import connection

from customers.ml_service import ModelError
from customers.models import Customer, ModelFile, RescoreRequest, ScoreRecord, ScoringFailure
from customers.scoring import failures, marks, requests, scorer
from customers.scoring.failures import with_failure
from events.queue import dispatch
from tests.factories import forget_marks, held_rows_are_due, make_customer, make_scored, rescore
from tests.others import outsider

pytestmark = pytest.mark.django_db


@pytest.fixture
def model():
    """A customer never scored can become a dead letter only where there is a model that might."""
    scorer.active_model()


def all_customers():
    return Customer.objects.all()


def causes(customer):
    return list(ScoreRecord.objects.filter(customer_id=customer.pk).order_by("id").values_list("cause", flat=True))


class TestRescoring:
    def test_current_customers_are_scored_again_and_stay_current_until_then(self):
        customer = make_scored()
        forget_marks()
        assert not dispatch.anything_to_do()
        assert requests.request_rescoring(all_customers()) == 1
        assert not Customer.objects.stale().exists()
        assert dispatch.anything_to_do()
        assert scorer.rescore_batch().stored == 1
        assert causes(customer) == ["analyze", "analyze"]
        customer.refresh_from_db()
        assert (customer.version, customer.is_current()) == (1, True)
        assert not dispatch.anything_to_do()

    def test_customers_who_are_stale_come_first(self, monkeypatch):
        monkeypatch.setattr(marks, "_turn", count(1))
        asked, stale = make_scored(), make_customer()
        forget_marks()
        requests.request_rescoring(all_customers().filter(pk=asked.pk))
        marks.mark([stale.pk])
        scorer.rescore_batch(limit=1)
        assert (causes(stale), causes(asked)) == (["created"], ["analyze"])
        scorer.rescore_batch(limit=1)
        assert causes(asked) == ["analyze", "analyze"]

    def test_both_may_share_a_batch_and_each_score_says_why(self):
        asked, stale = make_scored(), make_customer()
        forget_marks()
        requests.request_rescoring(all_customers().filter(pk=asked.pk))
        marks.mark([stale.pk])
        assert scorer.rescore_batch().stored == 2
        assert (causes(stale), causes(asked)) == (["created"], ["analyze", "analyze"])

    def test_each_request_is_what_a_drain_takes_at_once(self, settings):
        settings.DRAIN_BATCH_ROWS = 2
        ids = [make_scored().pk for _ in range(5)]
        forget_marks()
        assert requests.request_rescoring(all_customers()) == 5
        assert [request.customer_ids for request in RescoreRequest.objects.order_by("id")] == [
            ids[:2],
            ids[2:4],
            ids[4:],
        ]

    @pytest.mark.usefixtures("model")
    def test_a_dead_letter_is_left_alone(self):
        customer = make_customer()
        requests.give_up(all_customers(), "set aside by hand")
        assert requests.request_rescoring(all_customers()) == 0
        assert not RescoreRequest.objects.exists()
        assert customer.pk

    def test_a_request_outlives_a_model_that_can_not_be_used(self, assets):
        make_scored()
        forget_marks()
        requests.request_rescoring(all_customers())
        (assets / "model.pkl").unlink()
        ModelFile.objects.all().delete()
        with pytest.raises(ModelError):
            scorer.rescore_batch()
        assert RescoreRequest.objects.count() == 1

    def test_filters_and_their_parameters_are_part_of_the_one_statement(self, django_assert_num_queries):
        chosen, _other = make_scored(age=30, surname="100% sure"), make_scored(age=31, surname="Other")
        filtered = with_failure(all_customers()).with_active_release().filter(age__lt=31, surname__istartswith="100%")
        with django_assert_num_queries(2):  # the other asks which release is active
            assert requests.request_rescoring(filtered) == 1
        assert RescoreRequest.objects.get().customer_ids == [chosen.pk]

    def test_no_customers_are_none(self):
        assert requests.request_rescoring(Customer.objects.none()) == 0
        assert requests.give_up(Customer.objects.none(), "") == 0
        assert failures.requeue(Customer.objects.none().values("pk")) == 0

    def test_a_customer_deleted_meanwhile_is_forgotten(self):
        customer = make_scored()
        forget_marks()
        requests.request_rescoring(all_customers())
        customer.delete()
        assert scorer.rescore_batch().claimed == 0
        assert not RescoreRequest.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_who_is_being_edited_at_that_moment_is_asked_for_again():
    free, held = make_scored(), make_scored()
    forget_marks()
    requests.request_rescoring(all_customers())
    with outsider(autocommit=False) as editor:
        editor.execute("UPDATE customers_customer SET surname = 'New' WHERE customer_id = %s", [held.pk])
        batch = scorer.rescore_batch()
        assert (batch.stored, batch.passed_over) == (1, 1)
        editor.commit()
    held_rows_are_due()
    assert scorer.rescore_batch().stored == 1
    assert causes(free) == causes(held) == ["analyze", "analyze"]


@pytest.mark.usefixtures("model")
class TestSettingAside:
    def test_who_waits_for_a_score_waits_no_longer(self):
        customer = make_customer()
        assert requests.give_up(all_customers(), "set aside by clerk") == 1
        marks.mark([customer.pk])
        assert scorer.rescore_batch().claimed == 0
        failure = ScoringFailure.objects.dead_letters().get()
        assert (failure.customer_id, failure.error) == (customer.pk, "set aside by clerk")

    def test_who_has_a_current_score_is_left_alone(self):
        make_scored()
        assert requests.give_up(all_customers(), "set aside by clerk") == 0

    def test_an_edit_brings_the_customer_back(self):
        customer = make_customer()
        requests.give_up(all_customers(), "set aside by clerk")
        all_customers().update(age=70)
        rescore(customer)
        assert not ScoringFailure.objects.exists()

    def test_who_is_being_tried_again_is_not_any_more(self):
        customer = make_customer()
        failures.requeue([customer.pk])
        with connection.cursor() as cursor:
            _, release = scorer.active_model()
            failures.record(cursor, [failures.Refusal(customer.pk, 1, "broken")], release)
        assert requests.give_up(all_customers(), "set aside by clerk") == 1
        assert ScoringFailure.objects.get().retry_at is None

    def test_a_requeued_customer_is_scored(self):
        customer = make_customer()
        requests.give_up(all_customers(), "set aside by clerk")
        forget_marks()
        assert failures.requeue(all_customers().values("pk")) == 1
        assert dispatch.anything_to_do()
        assert marks.restore_marks() == 1
        assert scorer.rescore_batch().stored == 1
        customer.refresh_from_db()
        assert customer.is_current()
