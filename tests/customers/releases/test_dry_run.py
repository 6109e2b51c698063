"""How scores would move: figures from two arrays, and a rehearsal on stored customers."""

import shutil

import numpy as np
import pytest
from django.db.models.functions import Now

from customers.ml_service import current_forest, load_forest
from customers.models import Customer, ModelFile, ModelRelease, ScoreRecord
from customers.releases.active import active_model
from customers.releases.dry_run import compare, rehearse, table
from tests.factories import A_CUSTOMER, make_customer, make_customers, make_scored


class TestFigures:
    def test_means_quantiles_and_the_share_that_moves_far(self):
        before = np.full(101, 0.2)
        after = before + np.linspace(0.001, 0.501, 101)
        shift = compare(range(101), before, after)
        assert shift.customers == 101
        assert shift.mean_before == pytest.approx(0.2)
        assert shift.mean_after == pytest.approx(0.451)
        assert shift.of_mean == pytest.approx(0.251)
        assert shift.quantiles == pytest.approx(
            {1: 0.006, 5: 0.026, 25: 0.126, 50: 0.251, 75: 0.376, 95: 0.476, 99: 0.496}
        )
        assert shift.moved_far == pytest.approx(81 / 101)

    def test_a_fall_is_a_negative_change(self):
        shift = compare([1, 2], np.array([0.9, 0.8]), np.array([0.1, 0.0]))
        assert shift.of_mean == pytest.approx(-0.8)
        assert shift.quantiles[50] == pytest.approx(-0.8)
        assert shift.moved_far == 1

    def test_the_top_movers_are_those_who_move_most_either_way(self):
        before = np.array([0.5, 0.5, 0.5, 0.5])
        after = np.array([0.6, 0.1, 0.5, 0.8])
        assert [mover.customer_id for mover in compare([7, 8, 9, 10], before, after).movers] == [8, 10, 7]

    def test_no_more_than_ten_of_them(self):
        assert len(compare(range(50), np.zeros(50), np.ones(50)).movers) == 10

    def test_no_customer_moves_under_the_same_model(self):
        shift = compare([1, 2], np.array([0.3, 0.4]), np.array([0.3, 0.4]))
        assert (shift.of_mean, shift.moved_far, shift.movers) == (0, 0, [])

    def test_without_customers_there_are_none(self):
        assert compare([], np.empty(0), np.empty(0)) is None

    def test_the_table_says_all_of_it(self):
        said = "\n".join(table(compare([4711, 2], np.array([0.2, 0.4]), np.array([0.25, 0.9]))))
        for expected in ("2 customers", "0.3000 -> 0.5750", "+0.2750", "p50", "p99", "50.0\u00a0%", "4711", "0.9000"):
            assert expected in said


@pytest.mark.django_db
class TestRehearsal:
    def test_it_compares_the_active_model_with_the_candidate_and_stores_nothing(self, assets, another_forest):
        customers = [make_scored(age=age) for age in (30, 50, 70)]
        candidate = load_forest(another_forest)
        shift = rehearse(candidate)
        fields = [{**A_CUSTOMER, "age": customer.age} for customer in customers]
        assert shift.customers == 3
        assert shift.mean_before == pytest.approx(np.mean([customer.churn_risk_score for customer in customers]))
        assert shift.mean_after == pytest.approx(candidate.predict_many(fields).mean())
        assert {mover.customer_id for mover in shift.movers} == {customer.pk for customer in customers}
        assert ScoreRecord.objects.count() == 3
        assert ModelRelease.objects.count() == 1

    def test_an_edit_that_is_not_scored_yet_is_no_shift(self, assets):
        customer = make_scored()
        Customer.objects.filter(pk=customer.pk).update(age=88, num_of_products=4)
        assert rehearse(current_forest()).of_mean == 0

    def test_stored_scores_stand_in_when_the_active_model_is_nowhere(self, assets, another_forest):
        customer = make_scored()
        make_customer()  # never scored: nothing to compare
        shutil.copy(another_forest, assets / "model.pkl")
        ModelFile.objects.all().delete()
        shift = rehearse(load_forest(another_forest))
        assert shift.customers == 1
        assert shift.mean_before == customer.churn_risk_score
        assert ModelRelease.objects.count() == 1

    def test_an_active_model_that_is_not_in_place_scores_them_itself(self, assets, another_forest):
        customer = make_scored()
        make_customer()
        shutil.copy(another_forest, assets / "model.pkl")
        shift = rehearse(load_forest(another_forest))
        assert shift.customers == 2
        assert shift.mean_before == customer.churn_risk_score

    def test_it_takes_no_more_customers_than_asked_for(self, assets, another_forest):
        active_model()
        make_customers(30)
        assert rehearse(load_forest(another_forest), 7).customers == 7

    def test_it_needs_customers(self, assets, another_forest):
        assert rehearse(load_forest(another_forest)) is None

    def test_it_scores_no_customer_who_has_objected(self, assets, another_forest):
        make_scored()
        Customer.objects.filter(pk=make_scored().pk).update(objected_at=Now())
        assert rehearse(load_forest(another_forest)).customers == 1
