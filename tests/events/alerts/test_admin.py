"""Staff make rules, see alerts, acknowledge them, and see which messages did not get through."""

from functools import partial

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.messages import get_messages
from django.utils import timezone

from customers.models import Customer
from events.models.alerts import Alert, AlertRule, Delivery
from tests.events.alerts.alerting import rise, scores, store, threshold
from tests.factories import make_customer
from tests.staff import logged_in

pytestmark = pytest.mark.django_db

RULES, ALERTS, DELIVERIES = (f"/admin/events/{name}/" for name in ("alertrule", "alert", "delivery"))

A_RULE = {"name": "Leaving", "active": "on", "kind": "threshold", "threshold": "75", "rise": "", "days": ""}


@pytest.fixture
def ann():
    """May acknowledge alerts."""
    return logged_in("ann", "acknowledge_alert", "view_customer")


@pytest.fixture
def bob():
    """May see everything and do nothing."""
    return logged_in("bob", "view_alert", "view_alertrule", "view_delivery")


@pytest.fixture
def alert():
    threshold(0.5)
    scores(make_customer(surname="Secret"), 0.4, 0.6)
    return Alert.objects.get()


def page_of(client, address):
    response = client.get(address)
    assert response.status_code == 200
    return response.content.decode()


def texts(response):
    return [str(message) for message in get_messages(response.wsgi_request)]


class TestRules:
    def test_who_may_add_one_adds_one(self):
        eve = logged_in("eve", "add_alertrule", "view_alertrule")
        assert eve.post(f"{RULES}add/", {**A_RULE, "geography": "Spain"}).status_code == 302
        rule = AlertRule.objects.get()
        assert (rule.name, rule.threshold, rule.geography, rule.is_active_member) == ("Leaving", 0.75, "Spain", None)
        assert "Leaving" in page_of(eve, RULES)

    def test_one_that_says_nothing_is_answered_in_words(self):
        eve = logged_in("eve", "add_alertrule")
        page = eve.post(f"{RULES}add/", {**A_RULE, "threshold": ""}).content.decode()
        assert "Enter the risk that raises an alert, in percent: 75 for 75 %." in page
        assert not AlertRule.objects.exists()

    def test_a_risk_is_typed_in_percent_and_a_rise_in_points(self):
        eve = logged_in("eve", "add_alertrule", "change_alertrule")
        eve.post(f"{RULES}add/", {**A_RULE, "kind": "rise", "threshold": "", "rise": "30", "days": "7"})
        rule = AlertRule.objects.get()
        assert (rule.threshold, rule.rise, rule.days) == (None, 0.3, 7)
        assert "Risk rises by more than 30 points within 7 days" in page_of(eve, RULES)
        page = page_of(eve, f"{RULES}{rule.pk}/change/")
        assert 'name="rise" value="30"' in page
        eve.post(f"{RULES}{rule.pk}/change/", {**A_RULE, "threshold": "12.5"})
        rule.refresh_from_db()
        assert (rule.kind, rule.threshold, rule.rise) == ("threshold", 0.125, None)

    @pytest.mark.parametrize("rule", [partial(threshold, 0.005), partial(rise, 0.995, 7)])
    def test_a_rule_that_a_program_has_stored_can_be_made_inactive(self, rule):
        stored = rule()
        eve = logged_in("eve", "change_alertrule")
        numbers = {name: getattr(stored, name) for name in ("threshold", "rise")}
        typed = {name: "" if number is None else f"{100 * number:.1f}" for name, number in numbers.items()}
        form = {"name": stored.name, "kind": stored.kind, "days": stored.days or "", **typed}
        assert eve.post(f"{RULES}{stored.pk}/change/", form).status_code == 302
        stored.refresh_from_db()
        assert not stored.active
        assert {name: getattr(stored, name) for name in numbers} == numbers
        other = {name: "0.6" if number else "" for name, number in typed.items()}
        assert "Enter a number from 1 to " in eve.post(f"{RULES}{stored.pk}/change/", form | other).content.decode()

    def test_an_empty_choice_says_that_it_stands_for_all_customers(self):
        page = page_of(logged_in("eve", "add_alertrule"), f"{RULES}add/")
        assert page.count('<option value="unknown" selected>All customers</option>') == 2
        assert "Unknown" not in page

    @pytest.mark.parametrize(
        ("fields", "complaint"),
        [
            ({"threshold": "0.75"}, "Enter a number from 1 to 100, in percent: 75, not 0.75."),
            ({"threshold": "101"}, "Enter a number from 1 to 100, in percent"),
            ({"threshold": "NaN"}, "Enter a number from 1 to 100, in percent"),
            ({"threshold": "much"}, "Enter a number from 1 to 100, in percent"),
            ({"rise": "30"}, "Leave this empty for this kind of rule."),
            ({"kind": "rise"}, "Enter by how many points the risk must rise: 30 for 30 points."),
            ({"kind": "rise", "rise": "100", "threshold": ""}, "Enter a number from 1 to 99, in points"),
            ({"kind": "rise", "rise": "30", "threshold": ""}, "Enter the number of days, from 1 to 365."),
        ],
    )
    def test_bad_input_is_answered_beside_its_field(self, fields, complaint):
        eve = logged_in("eve", "add_alertrule")
        page = eve.post(f"{RULES}add/", {**A_RULE, **fields}).content.decode()
        assert complaint in page
        assert not AlertRule.objects.exists()

    def test_a_rule_is_a_sentence_with_its_customers(self):
        rule = threshold(0.75, geography="Germany", is_active_member=False, num_of_products=1, least_balance=50_000)
        assert rule.describe() == "Risk reaches 75\N{NO-BREAK SPACE}%"
        expected = "Germany, inactive members, 1 product, balance of EUR\N{NO-BREAK SPACE}50,000 or more"
        assert rule.describe_segment() == expected
        assert rise(0.3, 1).describe() == "Risk rises by more than 30 points within 1 day"
        assert threshold(0.5).describe_segment() == ""

    def test_without_permission_no_user_adds_one(self, bob):
        assert bob.post(f"{RULES}add/", A_RULE).status_code == 403

    def test_no_user_deletes_one(self):
        eve = logged_in("eve", "delete_alertrule", "view_alertrule")
        rule = rise()
        assert eve.post(f"{RULES}{rule.pk}/delete/", {"post": "yes"}).status_code == 403
        assert AlertRule.objects.exists()


class TestAlerts:
    def test_the_list_names_the_customer_and_leads_there(self, ann, alert):
        page = page_of(ann, ALERTS)
        link = f'<a href="/admin/customers/customer/{alert.customer_id}/change/">Secret · {alert.customer_id}</a>'
        for shown in ("high risk", "40.0\N{NO-BREAK SPACE}% → 60.0\N{NO-BREAK SPACE}%", "Open", link):
            assert shown in page

    def test_without_the_right_to_see_customers_there_is_an_id_alone(self, bob, alert):
        page = page_of(bob, ALERTS)
        assert f'<td class="field-customer">{alert.customer_id}</td>' in page
        assert "Secret" not in page + page_of(bob, f"{ALERTS}{alert.pk}/change/")

    def test_a_first_score_has_none_before_it(self, bob):
        threshold(0.5)
        store(make_customer(), 0.9)
        assert '<td class="field-risk">first score → 90.0\N{NO-BREAK SPACE}%</td>' in page_of(bob, ALERTS)

    def test_it_is_narrowed_down_by_state_and_rule(self, bob, alert):
        other = threshold(0.5, name="another rule")
        mine = f'name="_selected_action" value="{alert.pk}"'
        Alert.objects.filter(pk=alert.pk).acknowledge("ann")
        ann = logged_in("eve", "acknowledge_alert")
        assert mine in page_of(ann, f"{ALERTS}?state=acknowledged")
        assert mine not in page_of(ann, f"{ALERTS}?state=open")
        assert mine in page_of(ann, f"{ALERTS}?rule__id__exact={alert.rule_id}")
        assert mine not in page_of(ann, f"{ALERTS}?rule__id__exact={other.pk}")

    @pytest.mark.parametrize(
        ("asked", "found"), [("{id}", "1 alert"), ("9999999", "0 alerts"), ("9" * 40, "0 alerts"), ("x", "0 alerts")]
    )
    def test_it_is_searched_by_customer(self, bob, alert, asked, found):
        assert found in page_of(bob, f"{ALERTS}?q={asked.format(id=alert.customer_id)}")

    def test_to_save_one_is_to_acknowledge_it_in_ones_own_name(self, ann, alert):
        assert 'name="note"' in page_of(ann, f"{ALERTS}{alert.pk}/change/")
        ann.post(f"{ALERTS}{alert.pk}/change/", {"note": "called her", "acknowledged_by": "another user", "score": "0"})
        alert.refresh_from_db()
        assert (alert.acknowledged_by, alert.note, alert.score) == ("ann", "called her", 0.6)
        assert abs((timezone.now() - alert.acknowledged_at).total_seconds()) < 300
        assert LogEntry.objects.get().object_id == str(alert.pk)

    def test_from_the_list_many_are_acknowledged_and_none_twice(self, ann, alert):
        store(make_customer(), 0.9)
        done = Alert.objects.exclude(pk=alert.pk).get()
        Alert.objects.filter(pk=done.pk).acknowledge("bob", "mine")
        answer = ann.post(ALERTS, {"action": "acknowledge", "_selected_action": [alert.pk, done.pk]})
        assert texts(answer) == ["1 alert acknowledged."]
        assert set(Alert.objects.values_list("acknowledged_by", "note")) == {("ann", ""), ("bob", "mine")}
        assert [entry.object_id for entry in LogEntry.objects.all()] == [str(alert.pk)]

    def test_who_was_first_keeps_the_word(self, ann, alert):
        Alert.objects.filter(pk=alert.pk).acknowledge("bob", "mine")
        assert ann.post(f"{ALERTS}{alert.pk}/change/", {"note": "no, mine"}).status_code == 403
        assert Alert.objects.get().note == "mine"
        assert 'name="note"' not in page_of(ann, f"{ALERTS}{alert.pk}/change/")

    def test_who_may_only_see_them_acknowledges_none(self, bob, alert):
        assert bob.post(f"{ALERTS}{alert.pk}/change/", {"note": "mine"}).status_code == 403
        bob.post(ALERTS, {"action": "acknowledge", "_selected_action": [alert.pk]})
        assert Alert.objects.open().count() == 1

    def test_no_user_makes_or_deletes_one(self, alert):
        eve = logged_in("eve", "add_alert", "delete_alert", "view_alert", "acknowledge_alert")
        assert eve.get(f"{ALERTS}add/").status_code == 403
        assert eve.post(f"{ALERTS}{alert.pk}/delete/", {"post": "yes"}).status_code == 403

    def test_a_list_of_many_takes_no_query_for_each(self, bob, alert, django_assert_max_num_queries):
        for _ in range(20):
            store(make_customer(), 0.9)
        with django_assert_max_num_queries(10):
            page_of(bob, ALERTS)


class TestDeliveries:
    @pytest.fixture
    def given_up(self):
        threshold(0.5, by_webhook=True)
        store(make_customer(), 0.9)
        Delivery.objects.update(state="given up", error="no answer", attempts=7, ended_at=timezone.now())
        return Delivery.objects.get()

    def test_what_did_not_get_through_is_listed_with_the_reason(self, bob, given_up):
        assert "no answer" in page_of(bob, f"{DELIVERIES}?state__exact=given+up")
        assert "no answer" not in page_of(bob, f"{DELIVERIES}?state__exact=waiting")
        assert "no answer" in page_of(bob, f"{DELIVERIES}{given_up.pk}/change/")

    def test_who_may_change_them_tries_again(self, given_up):
        eve = logged_in("eve", "change_delivery")
        answer = eve.post(DELIVERIES, {"action": "try_again", "_selected_action": [given_up.pk]})
        assert texts(answer) == ["1 message is being sent again."]
        assert (Delivery.objects.get().state, Delivery.objects.get().attempts) == ("waiting", 0)

    def test_no_other_user_does(self, bob, given_up):
        bob.post(DELIVERIES, {"action": "try_again", "_selected_action": [given_up.pk]})
        assert Delivery.objects.get().state == "given up"


def test_alerts_on_customers_who_have_objected_are_not_listed(ann, alert):
    assert f" · {alert.customer_id}<" in page_of(ann, ALERTS)
    Customer.objects.filter(pk=alert.customer_id).update(objected_at=timezone.now())
    assert f" · {alert.customer_id}<" not in page_of(ann, ALERTS)
    assert ann.get(f"{ALERTS}{alert.pk}/change/").status_code == 302
