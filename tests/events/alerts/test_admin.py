"""Staff make rules, see alerts, acknowledge them, and see which messages did not get through."""

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

A_RULE = {"name": "Leaving", "active": "on", "kind": "threshold", "threshold": "0.75", "rise": "", "days": ""}


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
        assert "A threshold rule needs a threshold above 0" in page
        assert not AlertRule.objects.exists()

    def test_without_permission_no_user_adds_one(self, bob):
        assert bob.post(f"{RULES}add/", A_RULE).status_code == 403

    def test_no_user_deletes_one(self):
        eve = logged_in("eve", "delete_alertrule", "view_alertrule")
        rule = rise()
        assert eve.post(f"{RULES}{rule.pk}/delete/", {"post": "yes"}).status_code == 403
        assert AlertRule.objects.exists()


class TestAlerts:
    def test_the_list_tells_whom_it_is_about_and_leads_there(self, bob, alert):
        page = page_of(bob, ALERTS)
        for told in (
            "high risk",
            "40.0%",
            "60.0%",
            "open",
            f'href="/admin/customers/customer/{alert.customer_id}/change/',
        ):
            assert told in page
        assert "Secret" not in page

    def test_a_first_score_has_none_before_it(self, bob):
        threshold(0.5)
        store(make_customer(), 0.9)
        assert '<td class="field-before">none</td>' in page_of(bob, ALERTS)

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
        assert texts(answer) == ["Acknowledged: 1."]
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
        assert texts(answer) == ["To be tried again now, of those given up: 1."]
        assert (Delivery.objects.get().state, Delivery.objects.get().attempts) == ("waiting", 0)

    def test_no_other_user_does(self, bob, given_up):
        bob.post(DELIVERIES, {"action": "try_again", "_selected_action": [given_up.pk]})
        assert Delivery.objects.get().state == "given up"


def test_alerts_on_customers_who_have_objected_are_not_listed(ann, alert):
    assert f">{alert.customer_id}<" in page_of(ann, ALERTS)
    Customer.objects.filter(pk=alert.customer_id).update(objected_at=timezone.now())
    assert f">{alert.customer_id}<" not in page_of(ann, ALERTS)
    assert ann.get(f"{ALERTS}{alert.pk}/change/").status_code == 302
