"""Countries and genders of the bank's own, as staff meet them."""

import pytest
from django.utils.html import escape

from customers.models import Customer, ScoringFailure
from customers.scoring import marks, scorer
from tests.customers.admin.test_admin import LIST, change_page, form_of, listed
from tests.factories import A_CUSTOMER, make_customer, make_customers, make_failure, make_scored
from tests.staff import superuser

pytestmark = pytest.mark.django_db

FAILURES = "/admin/customers/scoringfailure/"


@pytest.fixture
def staff():
    return superuser()


def text_of(response):
    assert response.status_code == 200
    return response.content.decode()


def waiting(number=1, **fields):
    """Customers whom a drain has found to have a word that the model does not know."""
    customers = make_customers(number, **{"geography": "Italy", **fields})
    marks.mark([it.pk for it in customers])
    assert scorer.rescore_batch().refused == number
    return customers


def test_the_form_takes_any_word_and_offers_those_of_the_model(staff):
    customer = make_scored()
    said = text_of(staff.get(change_page(customer)))
    assert 'list="id_geography_words"' in said
    assert '<datalist id="id_geography_words"><option value="France"></option><option value="Germany">' in said
    assert staff.post(change_page(customer), form_of(customer, geography=" Italy ", gender="Divers")).status_code == 302
    customer.refresh_from_db()
    assert (customer.geography, customer.gender) == ("Italy", "Divers")


def test_it_refuses_what_is_no_word(staff):
    customer = make_scored()
    said = text_of(staff.post(change_page(customer), form_of(customer, geography="x\x85y")))
    assert "Expected a word of 1 to 60 characters." in said
    assert "Ensure this value has at most 60 characters" in text_of(
        staff.post(change_page(customer), form_of(customer, geography="x" * 61))
    )


def test_the_page_says_what_the_model_does_not_know_and_what_to_do(staff):
    [customer] = waiting()
    release = ScoringFailure.objects.get().release_id
    sentence = f"The active model (release {release}) does not know the country Italy; it knows France, Germany, Spain."
    said = text_of(staff.get(change_page(customer)))
    assert f"Excluded from scoring: {sentence} Correct the value, or wait for a model release that knows it." in said
    answer = staff.post(f"{LIST}{customer.pk}/what-if/", {**A_CUSTOMER, "geography": "Spain", "age": 41})
    assert f"The model cannot answer: {sentence}" in text_of(answer)


def test_the_list_is_narrowed_by_the_model_s_countries_and_by_having_another(staff):
    spanish = make_customer(geography="Spain")
    italians = waiting(2)
    assert listed(staff.get(LIST, {"geography__exact": "Spain"})) == [spanish.pk]
    assert listed(staff.get(LIST, {"geography__exact": "Italy"})) == [it.pk for it in reversed(italians)]
    assert set(listed(staff.get(LIST, {"geography__exact": " unknown"}))) == {it.pk for it in italians}
    said = text_of(staff.get(LIST))
    assert "Not known to the model" in said
    assert "Excluded from scoring: country Italy not known to the model" in said


def test_excluded_customers_are_listed_without_them_unless_they_are_asked_for(staff):
    customers = waiting(2)
    other = make_customer()
    make_failure(other)

    def shown(**query):
        return {it.pk for it in staff.get(FAILURES, query).context["cl"].result_list}

    assert shown() == {other.pk}
    assert shown(reason__exact="word") == {it.pk for it in customers}
    assert shown(q=str(customers[0].pk)) == {customers[0].pk}
    chosen = {"action": "try_again", "_selected_action": [customers[0].pk]}
    said = text_of(staff.post(f"{FAILURES}?reason__exact=word", chosen, follow=True))
    assert escape("1 customer was not queued: the model does not know their country or gender") in said


def test_the_overview_and_the_system_status_tell_of_the_group(staff):
    waiting(2)
    said = "2 customers wait for a model that knows the country Italy."
    for page in ("overview", "systemstatus"):
        assert said in text_of(staff.get(f"/admin/events/{page}/1/change/"))


def test_an_overdraft_is_scored_and_told_as_outside_of_what_the_model_was_trained_on(staff):
    customer = make_scored(balance="-500.25")
    assert (customer.churn_risk_score is not None, customer.value_at_risk) == (True, 0)
    sentence = "Balance: EUR\N{NO-BREAK SPACE}-500.25 is outside the range of the training data ("
    assert sentence in text_of(staff.get(change_page(customer)))
    [told] = staff.get(f"/customers/insights/{customer.pk}/").json()["outside_training"]
    assert told.startswith(sentence)
    assert told.endswith("). The churn risk is less reliable.")
    inside = make_scored()
    assert staff.get(f"/customers/insights/{inside.pk}/").json()["outside_training"] == []
    assert Customer.objects.filter(churn_risk_score=None).count() == 0
