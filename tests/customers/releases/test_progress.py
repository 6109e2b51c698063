"""How many customers each model has scored."""

import pytest
from django.db.models.functions import Now

from customers.ml_service.files.packaging import verify
from customers.models import Customer
from customers.releases.active import active_model, put_into_service
from customers.releases.progress import rollover
from customers.scoring import scorer
from tests.factories import make_customer, make_customers, make_scored

pytestmark = pytest.mark.django_db


def test_an_empty_database_has_nothing_to_do():
    now = rollover()
    assert (now.active, now.total, now.remaining, now.mixed) == (None, 0, 0, False)


def test_half_way_the_mixed_state_is_visible_and_each_row_says_who_scored_it(assets, another_forest):
    customers = make_customers(5)
    scorer.rescore_batch()
    customers.append(make_customer())  # not scored yet
    first = active_model()[1]
    second = put_into_service("", verify(another_forest))
    for customer in customers[3:]:
        scorer.analyze(customer.pk)
    now = rollover()
    assert now.active == second
    assert now.by_release == {first.pk: 3, second.pk: 3}
    assert (now.total, now.done, now.remaining, now.mixed) == (6, 3, 3, True)


def test_at_the_end_one_model_has_scored_all(assets, another_forest):
    make_customers(3)
    scorer.rescore_batch()
    put_into_service("", verify(another_forest))
    scorer.rescore_batch()
    now = rollover()
    assert (now.done, now.remaining, now.mixed) == (3, 0, False)


def test_those_without_a_score_are_counted_apart(assets):
    active_model()
    make_customers(2)
    now = rollover()
    assert now.by_release == {None: 2}
    assert (now.remaining, now.mixed) == (2, False)


def test_those_who_have_objected_are_not_waited_for(assets):
    make_scored()
    Customer.objects.filter(pk=make_scored().pk).update(objected_at=Now())
    now = rollover()
    assert (now.total, now.remaining) == (1, 0)
