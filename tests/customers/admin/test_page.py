"""The page of a customer: the score and its history, what a save did to it, and what other values would."""

import re
from datetime import timedelta
from unittest.mock import Mock

import pytest
from django.contrib.admin.models import LogEntry
from django.db import connection
from django.test import Client
from django.utils import timezone
from django.utils.html import escape

from customers.admin.customer_page import after_save, history_page, reasons
from customers.api import insights
from customers.ml_service import NOTE, InputError, ModelError
from customers.ml_service.messages import NO_BREAK
from customers.models import Customer, ModelRelease, ScoreRecord
from customers.presentation.bands import badge, band
from customers.presentation.durations import format_duration, format_time
from customers.presentation.numbers import format_money, format_percent
from customers.presentation.reasons import reasons_of
from customers.scoring import pause, scorer
from events import jobs
from tests.factories import (
    A_CUSTOMER,
    edit,
    let_time_pass,
    make_customer,
    make_failure,
    make_scored,
    rescore,
    write_as_scorer,
)
from tests.others import meanwhile
from tests.staff import logged_in, superuser

pytestmark = pytest.mark.django_db

LIST = "/admin/customers/customer/"
PAUSED = "Scoring is paused since noon by the operator: a new model."


@pytest.fixture
def staff():
    return superuser()


@pytest.fixture
def viewer():
    return logged_in("viewer", "view_customer")


@pytest.fixture
def no_waiting(monkeypatch):
    """A request that waits all the same fails."""

    def fail(seconds):
        raise AssertionError("waited")

    monkeypatch.setattr(after_save.time, "sleep", fail)


def address(customer, ending="change"):
    return f"{LIST}{customer.pk}/{ending}/"


def page(client, customer):
    response = client.get(address(customer))
    assert response.status_code == 200
    return response.content.decode()


def filled_in(customer, **changes):
    """What the browser sends when a user has changed these fields of the page."""
    values = {"surname": customer.surname, **{field: getattr(customer, field) for field in A_CUSTOMER}, **changes}
    return {name: "on" if value is True else value for name, value in values.items() if value is not False}


def fail_scoring(customer, **fields):
    make_failure(customer, error="Odd <balance>.", **fields)


class TestScore:
    def test_parts_come_in_the_order_that_staff_ask_for_them(self, staff):
        shown = page(staff, make_scored())
        labels = re.findall(r"<label>([^<]+):</label>", shown)
        assert labels[:6] == ["Score", "Reasons", "What would lower the risk", "Last contacts", "Trend", "History"]
        sections = re.findall(r'class="fieldset-heading">([^<]+)<', shown)
        assert sections == [
            *("Churn risk", "Customer data", "What if", "Objection to profiling", "Versions and model release"),
        ]
        assert shown.index("<details>") > shown.index("Objection to profiling</h2>")

    def test_the_customer_is_its_one_heading(self, staff):
        shown = page(staff, make_scored(surname="Marrequet", customer_id=16006166))
        assert re.findall(r"<h1>(.*?)</h1>", shown) == ["Marrequet · 16006166"]
        assert "Change customer" not in shown
        assert "<h1>Customer · 16006167</h1>" in page(staff, make_scored(surname="", customer_id=16006167))

    def test_it_is_saved_at_the_bottom_alone(self, staff):
        assert page(staff, make_scored()).count('name="_save"') == 1

    def test_only_users_who_may_save_read_what_a_save_leads_to(self, staff, viewer):
        customer, words = (
            make_scored(),
            "After you save a change of these values, other than the surname and the external ID, a new score is "
            "calculated.",
        )
        assert words in page(staff, customer)
        assert words not in page(viewer, customer)

    def test_it_stands_there_with_its_band_in_words(self, staff):
        customer = make_scored()
        write_as_scorer(customer, churn_risk_score=0.6)
        shown = page(staff, customer)
        assert f"{format_percent(0.6)} <small>high risk</small>" in shown
        assert '<span class="vp-state">Up to date</span>' in shown
        assert "vp-held" not in shown

    def test_where_there_is_none_it_says_so_and_since_when(self, staff):
        make_scored()
        shown = page(staff, make_customer())
        assert '<span class="vp-badge vp-headline">Not scored yet</span>' in shown
        assert re.search(r"Score pending since \d+ \w{3} \d{4}, \d\d:\d\d. Reload the page", shown)

    def test_of_an_edited_customer_the_new_score_is_pending_since_then(self, staff):
        customer = make_scored()
        edit(customer, age=71)
        shown = page(staff, customer)
        assert "vp-held" in shown
        assert "Data changed just now; new score pending. Reload the page to see it." in shown
        assert "No reasons are shown until the score is up to date." in shown
        assert "No offers are shown until the score is up to date." in shown
        let_time_pass("5 minutes")
        assert "Data changed 5 min ago; new score pending." in page(staff, customer)

    def test_after_a_release_it_is_that_of_the_former_model(self, staff):
        customer = make_scored()
        ModelRelease.objects.create(sha256="f" * 64, fingerprint="f" * 64)
        shown = page(staff, customer)
        assert "Scored by an earlier model; update pending." in shown
        assert "no longer active" in shown
        assert "No offers are shown until the score is up to date." in shown

    def test_while_scoring_is_paused_it_says_what_it_waits_for(self, staff, monkeypatch):
        monkeypatch.setattr(pause, "notice", lambda: PAUSED)
        customer = make_scored()
        edit(customer, age=71)
        assert f"Data changed just now; new score pending. {PAUSED}" in page(staff, customer)

    def test_of_one_whom_the_model_refused_it_says_what_and_that_correcting_it_helps(self, staff):
        make_scored()
        customer = make_customer()
        fail_scoring(customer)
        shown = page(staff, customer)
        assert "Excluded from scoring: no score could be calculated (Odd &lt;balance&gt;)." in shown
        assert "Correct the customer data and save, or retry under" in shown
        assert f'<a href="/admin/customers/scoringfailure/?q={customer.pk}">Excluded customers</a>' in shown

    def test_of_one_whom_staff_excluded_it_says_who_and_when_and_nothing_of_correcting(self, staff):
        customer = make_scored()
        edit(customer, age=44)
        failure = make_failure(customer, reason="person", attempts=0, error="set aside by clerk")
        shown = page(staff, customer)
        assert f"Excluded from scoring by clerk on {format_time(failure.last_failed_at)}. Resume scoring" in shown
        assert "or change a field and save." in shown
        assert "orrect the" not in shown

    def test_and_of_one_who_is_retried_when(self, staff):
        make_scored()
        customer = make_customer()
        again = timezone.now() + timedelta(hours=1)
        fail_scoring(customer, retry_at=again)
        shown = page(staff, customer)
        assert f"(Odd &lt;balance&gt;); next attempt on {format_time(again, seconds=True)}." in shown


class TestHistory:
    @pytest.fixture
    def edited(self, staff):
        """Edited by the clerk, and scored since."""
        customer = make_scored(age=40)
        staff.post(address(customer), filled_in(customer, age=71))
        rescore(customer)
        page(staff, customer)  # which reports the new score; the next one is as any other
        return customer

    def test_a_change_stands_there_with_its_author_its_fields_and_its_effect(self, staff, edited):
        shown = page(staff, edited)
        assert "Data changed by clerk: Age 40 → <strong>71</strong>" in shown
        before, after = ScoreRecord.objects.filter(customer_id=edited.pk).order_by("id")
        assert f"{100 * (after.score - before.score):+.1f} points" in shown
        assert re.search(r'age <span class="vp-points vp-raises">\+\d', shown)

    def test_the_trend_is_a_picture_with_a_dot_for_each_score(self, staff, edited):
        shown = page(staff, edited)
        assert shown.count('class="vp-dot"') == 2
        assert "2 scores, from " in shown

    def test_a_change_whose_score_is_pending_is_there_already(self, staff, edited):
        edit(edited, balance=0)
        shown = page(staff, edited)
        assert "<td>Score pending</td>" in shown
        assert f"Balance {format_money(50_000)} → <strong>{format_money(0)}</strong>" in shown

    def test_of_a_customer_without_a_score_it_has_only_begun(self, staff):
        make_scored()
        shown = page(staff, make_customer())
        assert "Not scored yet" in shown
        assert re.search(r"<p>\d+ \w{3} \d{4}, \d\d:\d\d, Customer added</p>", shown)

    def test_a_score_without_an_edit_says_what_it_was_given_for(self, staff):
        customer = make_scored()
        ScoreRecord.objects.update(cause="audit")
        assert "<p>Corrected by an audit." in page(staff, customer)
        ScoreRecord.objects.update(cause="", edited_at=None)  # as before these were recorded
        assert "<p>Scored " not in page(staff, customer)

    def test_a_long_one_leads_to_the_rest(self, staff):
        customer = make_scored()
        for age in range(50, 61):
            edit(customer, age=age)
            rescore(customer)
        shown = page(staff, customer)
        assert f'The newest 10 are shown. <a href="{address(customer, "history")}">Full history</a>' in shown
        assert "Age 59 →" in shown
        assert "Age 40 →" not in shown

    def test_the_page_says_how_long_the_score_took_after_the_change(self, staff, edited):
        then = timezone.now()
        ScoreRecord.objects.filter(version=2).update(edited_at=then, scored_at=then + timedelta(milliseconds=42))
        assert "<p>Data changed. Scored 42 ms after the change.</p>" in page(staff, edited)


class TestHistoryPage:
    """Behind the HISTORY button."""

    def test_it_has_scores_changes_and_their_authors(self, staff):
        customer = make_scored(age=40)
        staff.post(address(customer), filled_in(customer, age=71))
        rescore(customer)
        shown = staff.get(address(customer, "history")).content.decode()
        assert "have a change history" not in shown
        assert f"<h1>History · Made Up · {customer.pk}</h1>" in shown
        rows = re.findall(r'<th scope="row">.*?</th>\s*<td>(.*?)</td>\s*<td>(.*?)</td>', shown, re.DOTALL)
        newest, *_, oldest = rows
        assert newest[0] == ""
        score = Customer.objects.get().churn_risk_score
        assert newest[1].startswith(f"Churn risk {format_percent(score)} ({band(score)}), ")
        assert newest[1].endswith(f"{NO_BREAK}points. Data changed.")
        assert ("clerk", "Data changed: Age 40 → <strong>71</strong>") in rows
        assert ("clerk", "Changed Age.") in rows
        assert oldest == ("", "Customer added")

    def test_of_a_customer_who_was_never_edited_it_has_the_scores(self, staff):
        customer = make_scored()
        for _ in range(2):
            scorer.analyze(customer.pk)
        shown = staff.get(address(customer, "history")).content.decode()
        assert "have a change history" not in shown
        assert shown.count(". Score requested.") == 3
        assert "Customer added" in shown

    def test_a_long_one_has_pages(self, staff, monkeypatch):
        monkeypatch.setattr(history_page, "ROWS_ON_A_PAGE", 3)
        customer = make_scored(age=40)
        for age in (50, 51):
            edit(customer, age=age)
            rescore(customer)
        first, second = (staff.get(f"{address(customer, 'history')}?p={number}").content.decode() for number in (1, 2))
        assert "Age 50 → <strong>51" in first
        assert "Customer added" in second
        assert "6\n      entries" in first or "6 entries" in " ".join(first.split())

    def test_where_it_is_cut_off_it_says_so(self, staff, monkeypatch):
        monkeypatch.setattr(history_page, "MOST_SCORES", 1)
        answer = staff.get(address(make_scored(), "history")).content.decode()
        assert "Up to 1 scores are listed." in answer

    def test_of_an_unknown_customer_there_is_none(self, staff):
        assert "Perhaps it was deleted?" in staff.get(f"{LIST}987654321/history/", follow=True).content.decode()

    def test_a_user_who_may_not_look_is_refused(self):
        assert logged_in("stranger").get(address(make_scored(), "history")).status_code == 403


class TestReasons:
    def test_each_notable_factor_stands_there_with_the_customers_value_and_its_points(self, staff):
        customer = make_scored(age=58, balance=1234567)
        shown = page(staff, customer)
        for reason in reasons_of(customer):
            assert f"<li>{reason.text}</li>" in shown
        for name, value in (("Age", "58"), ("Balance", format_money(1234567)), ("Active member", "no")):
            assert f'<th scope="row">{name}</th><td>{value}</td>' in shown

    def test_factors_within_a_point_have_no_bar(self, staff):
        customer = make_scored()
        parts = [0.3, 0.0, 0.0, -0.0101, 0.0099, -0.0099, 0, 0, 0]
        write_as_scorer(customer, churn_risk_score=0.482, contributions=parts)
        shown = page(staff, customer)
        assert re.findall(r'<th scope="row">([^<]+)</th>', shown) == ["Credit score", "Age"]
        average = f"compared with the average risk of {format_percent(0.482 - sum(parts))}."
        assert f"Effect of each factor {average} Not shown: 6 factors of less than 1 point." in shown
        write_as_scorer(customer, contributions=[0.009] * 9, reason_codes=[])
        shown = page(staff, customer)
        assert "vp-bars" not in shown or "Other factors" in shown
        assert "No single factor changes the risk significantly." in shown

    def test_gender_and_country_only_as_a_sum(self, staff, settings):
        customer = make_scored()
        shown = page(staff, customer)
        assert '<th scope="row">Other factors</th><td></td>' in shown
        assert '<th scope="row">Gender' not in shown
        settings.PROTECTED_FIELDS = []
        write_as_scorer(customer, contributions=[0, 0.1, 0.1, 0, 0, 0, 0, 0, 0])
        assert '<th scope="row">Country</th><td>France</td>' in page(staff, customer)

    def test_what_the_bank_could_offer_stands_there_with_what_that_does_not_mean(self, staff):
        customer = make_scored(age=58)
        shown = page(staff, customer)
        assert re.search(
            rf"<li>Active: \d+\.\d{NO_BREAK}% → \d+\.\d{NO_BREAK}% \((low|medium|high|critical)\)</li>", shown
        )
        assert escape(NOTE) in shown

    def test_where_nothing_would_help_it_says_so(self, staff, monkeypatch):
        monkeypatch.setattr(reasons, "best_changes", lambda *args, **kwargs: ())
        assert "No offer would lower the risk by 1 point or more." in page(staff, make_scored())

    @pytest.mark.parametrize("refused", [ModelError("No <model> here."), InputError("Odd <model> here.")])
    def test_a_model_that_is_broken_breaks_no_page(self, staff, monkeypatch, refused):
        def broken():
            raise refused

        customer = make_scored()
        monkeypatch.setattr(reasons, "active_model", broken)
        assert "The model cannot answer: " in page(staff, customer)
        assert "<model>" not in page(staff, customer)


class TestModel:
    @pytest.mark.parametrize(
        ("metadata", "said"),
        [
            ({"metrics": {"roc_auc": {"mean": 0.8612, "std": 0.0085}}}, "ROC AUC 0.861 ± 0.009"),
            ({"metrics": {"roc_auc": 0.8}}, "ROC AUC 0.800 ("),
            ({"metrics": {"roc_auc": {"mean": "<b>"}}}, "Quality not measured."),
            ({"metrics": ["odd"]}, "Quality not measured."),
            ({}, "Quality not measured."),
            ([], "Quality not measured."),
        ],
    )
    def test_its_quality_is_what_the_release_was_measured_with(self, staff, metadata, said):
        customer = make_scored()
        ModelRelease.objects.update(metadata=metadata)
        shown = page(staff, customer)
        assert said in shown
        assert f'<a href="/admin/customers/modelrelease/{customer.scored_by_id}/change/">' in shown

    def test_a_user_who_may_not_open_its_page_gets_no_link_to_it(self, viewer):
        shown = page(viewer, make_scored())
        assert "/admin/customers/modelrelease/" not in shown
        assert re.search(r"Release \d+ of ", shown)

    def test_one_that_is_gone_is_said_to_be(self, staff):
        customer = make_scored()
        with connection.cursor() as cursor:
            cursor.execute("DELETE FROM customers_modelrelease")
        assert f"Release {customer.scored_by_id}, no longer stored" in page(staff, customer)


class TestLooks:
    def test_nothing_on_it_is_what_a_strict_page_refuses(self, staff):
        shown = page(staff, make_scored())
        assert not re.search(r"\sstyle=|\son\w+=|javascript:", shown)
        assert all(re.search(r"src=|type=.application/json", tag) for tag in re.findall(r"<script[^>]*>", shown))

    def test_it_loads_our_one_style_sheet(self, staff):
        assert "customers/vigilpay.css" in page(staff, make_scored())

    def test_enter_in_a_field_saves(self, staff):
        """A browser presses the first button of the form that submits it."""
        shown = page(staff, make_scored())
        form = shown[shown.index('id="customer_form"') :]
        first = re.search(r'<(?:input|button) type="submit"[^>]*>', form)
        assert 'name="_save"' in first[0]

    def test_it_takes_a_bounded_number_of_statements(self, staff, django_assert_max_num_queries):
        customer = make_scored()
        with django_assert_max_num_queries(14):
            page(staff, customer)


class TestAfterSaving:
    @pytest.fixture
    def worker(self, monkeypatch):
        """Scores the stale customer as soon as a request waits for it."""
        monkeypatch.setattr(after_save.time, "sleep", lambda seconds: rescore(Customer.objects.stale().get()))

    def save(self, client, customer, button="_save", **changes):
        """The page that a browser shows after it."""
        response = client.post(address(customer), filled_in(customer, **changes) | {button: "x"}, follow=True)
        assert response.status_code == 200
        return response.content.decode()

    @pytest.mark.parametrize("button", ["_save", "_continue", "_addanother"])
    def test_the_next_page_waits_for_the_score_and_tells_it(self, staff, worker, button):
        customer = make_scored(age=40)
        before = customer.churn_risk_score
        shown = self.save(staff, customer, button, age=71)
        customer.refresh_from_db()
        assert customer.is_current()
        after = customer.churn_risk_score
        change = f"{format_percent(before)} → {format_percent(after)} ({band(after)}), "
        assert f"Customer {customer.pk}: score updated {change}" in shown
        assert " after the change." in shown

    def test_it_shows_the_fresh_score_and_not_that_of_before(self, staff, worker):
        shown = self.save(staff, make_scored(age=40), "_continue", age=71)
        assert f"{format_percent(Customer.objects.get().churn_risk_score)} <small>" in shown
        assert "Up to date" in shown

    def test_it_is_reported_once(self, staff, worker):
        customer = make_scored()
        self.save(staff, customer, age=71)
        assert "score updated" not in page(staff, customer)

    def test_a_new_customer_is_waited_for_too(self, staff, worker):
        make_scored()
        form = filled_in(Customer(surname="New", **A_CUSTOMER), customer_id=77)
        shown = staff.post(f"{LIST}add/", form, follow=True).content.decode()
        assert f"Customer 77: score updated {format_percent(Customer.objects.get(pk=77).churn_risk_score)} (" in shown

    def test_in_vain_it_says_that_the_score_is_pending(self, staff, monkeypatch):
        monkeypatch.setattr(after_save, "MOST_SECONDS", 0.02)
        customer = make_scored()
        words = f"Customer {customer.pk}: new score pending. Reload the customer&#x27;s page to see it."
        assert words in self.save(staff, customer, age=71)

    def test_while_scoring_is_paused_it_does_not_wait_and_says_why(self, staff, monkeypatch, no_waiting):
        customer = make_scored()
        monkeypatch.setattr(pause, "notice", lambda: PAUSED)
        shown = self.save(staff, customer, age=71)
        assert f"Customer {customer.pk}: new score pending until scoring is resumed." in shown
        assert PAUSED in shown

    def test_for_a_customer_whom_the_model_refuses_it_does_not_wait(self, staff, no_waiting):
        customer = make_scored()
        staff.post(address(customer), filled_in(customer, age=71))
        fail_scoring(customer)
        shown = page(staff, customer)
        why = "Excluded from scoring: no score could be calculated (Odd &lt;balance&gt;)."
        assert f"Customer {customer.pk}: no new score. {why}" in shown

    @pytest.mark.parametrize("changes", [{}, {"surname": "Other"}])
    def test_a_save_that_moves_no_score_is_not_waited_for(self, staff, no_waiting, changes):
        customer = make_scored()
        shown = self.save(staff, customer, **changes)
        assert "score updated" not in shown
        assert "new score pending." not in shown

    def test_a_customer_deleted_meanwhile_is_no_error(self, staff, no_waiting):
        customer = make_scored()
        staff.post(address(customer), filled_in(customer, age=71))
        Customer.objects.all().delete()
        assert staff.get(LIST).status_code == 200

    def test_the_customer_whose_score_was_reported_is_given_to_the_caller(self, staff, worker, rf):
        customer = make_scored(age=40)
        request = rf.get("/")
        request.session, request._messages = {}, Mock()
        assert after_save.report(request) is None
        after_save.expect(request, customer.pk, None)
        assert after_save.report(request) == customer

    def test_what_can_not_be_is_said_beside_its_field_and_at_the_head_of_the_page(self, staff):
        shown = self.save(staff, make_scored(), age=7)
        assert "Please correct the error below." in shown
        assert '<a href="#id_age">Age</a>: Expected a whole number from 18 to 110.' in shown
        assert shown.count("Expected a whole number from 18 to 110.") == 2
        assert "is violated" not in shown

    def test_after_a_refused_save_the_data_come_first_and_the_wrong_field_has_the_focus(self, staff):
        shown = self.save(staff, make_scored(), age=7, balance="-1")
        sections = re.findall(r'class="fieldset-heading">([^<]+)<', shown)
        assert sections[:2] == ["Customer data", "Churn risk"]
        [focused] = re.findall(r"<input[^>]* autofocus[^>]*>", shown)
        assert 'name="age"' in focused


@pytest.mark.django_db(transaction=True)
def test_the_page_that_waits_sees_what_a_worker_stores_meanwhile(staff, monkeypatch):
    monkeypatch.setattr(after_save, "MOST_SECONDS", 60.0)  # however slow the machine is at the moment
    customer = make_scored(age=40)
    staff.post(address(customer), filled_in(customer, age=71))
    with meanwhile(jobs.rescore_stale):
        shown = page(staff, customer)
    customer.refresh_from_db()
    assert f"→ {format_percent(customer.churn_risk_score)}" in shown
    assert "Age 40 → <strong>71</strong>" in shown


class TestWhatIf:
    def ask(self, client, customer, **changes):
        response = client.post(address(customer, "what-if"), filled_in(customer, **changes))
        assert response.status_code == 200
        return response.content.decode()

    def test_the_answer_stands_on_the_page_and_nothing_is_stored(self, staff):
        customer = make_scored(age=40)
        before = Customer.objects.filter(pk=customer.pk).values().get()
        for button in ({}, {"_save": "Save"}, {"_continue": "x"}):
            shown = self.ask(staff, customer, age=71, surname="Other", **button)
            assert "With Age 40 → <strong>71</strong>." in shown
            assert escape(NOTE) in shown
        assert Customer.objects.filter(pk=customer.pk).values().get() == before
        assert ScoreRecord.objects.count() == 1
        assert not LogEntry.objects.exists()

    def test_it_is_what_the_model_says_once_that_is_saved(self, staff):
        customer = make_scored(age=40)
        shown = self.ask(staff, customer, age=71, is_active_member=True)
        edit(customer, age=71, is_active_member=True)
        rescore(customer)
        assert f"→ {badge(Customer.objects.get().churn_risk_score)}" in shown

    @pytest.mark.parametrize("name", ["staff", "viewer"])
    def test_its_form_leads_nowhere_but_to_itself_and_has_one_button(self, name, request):
        """So that Enter in a field asks, and can store nothing."""
        client, customer = request.getfixturevalue(name), make_scored(age=40)
        for shown in (client.get(address(customer, "what-if")).content.decode(), self.ask(client, customer, age=71)):
            _, form = shown.split(f'<form action="{address(customer, "what-if")}" method="post" id="customer_form"')
            form = form.split("</form>")[0]
            assert re.findall(r"<(?:input|button)[^>]* type=.submit.[^>]*>", form) == [
                '<button type="submit" class="vp-button">'
            ]
            assert "formaction" not in shown
            assert set(re.findall(r' name="(\w+)"', form)) == {*A_CUSTOMER, "csrfmiddlewaretoken"}

    def test_the_values_asked_with_stay_in_its_fields(self, staff):
        customer = make_scored(age=40)
        shown = self.ask(staff, customer, age=71)
        assert re.search(r'<input type="number" name="age" value="71"', shown)
        assert re.search(r'<input type="number" name="age" value="40"', page(staff, customer))

    def test_the_page_of_the_customer_leads_there_and_has_no_field_of_it(self, staff, viewer):
        customer = make_scored()
        for client in (staff, viewer):
            shown = page(client, customer)
            assert f'<a class="vp-button" href="{address(customer, "what-if")}">Try other values</a>' in shown
            assert "what_if_age" not in shown

    def test_it_is_under_the_name_of_the_customer_with_the_stored_score(self, staff):
        customer = make_scored()
        shown = staff.get(address(customer, "what-if")).content.decode()
        assert f"<h1>What if · Made Up · {customer.pk}</h1>" in shown
        assert f"{format_percent(customer.churn_risk_score)} <small>" in shown
        assert "vp-card" not in shown

    def test_what_a_field_refers_to_is_there(self, staff):
        shown = staff.get(address(make_scored(), "what-if")).content.decode()
        for name in re.findall(r'aria-describedby="([^"]+)"', shown):
            assert f'id="{name}"' in shown

    def test_what_can_not_be_is_marked_and_not_asked(self, staff):
        shown = self.ask(staff, make_scored(), age=7)
        assert "Correct the marked values" in shown
        assert "Expected a whole number from 18 to 110." in shown

    def test_what_is_no_number_at_all_as_well(self, staff):
        assert "Correct the marked values" in self.ask(staff, make_scored(), age="<b>old</b>")

    def test_without_a_change_it_says_so(self, staff):
        customer = make_scored()
        assert "No value differs from the stored ones" in self.ask(staff, customer)

    def test_a_model_that_is_broken_breaks_no_page(self, staff, monkeypatch):
        def broken(question):
            raise ModelError("No <model> here.")

        customer = make_scored()
        monkeypatch.setattr(insights, "answer_what_if", broken)
        assert "The model cannot answer: No &lt;model&gt; here." in self.ask(staff, customer, age=71)

    def test_a_user_who_may_only_look_may_ask(self, viewer):
        customer = make_scored(age=40)
        shown = self.ask(viewer, customer, age=71)
        assert "With Age 40 → <strong>71</strong>." in shown
        assert Customer.objects.get().age == 40

    def test_and_still_can_not_save(self, viewer):
        customer = make_scored(age=40)
        assert viewer.post(address(customer), filled_in(customer, age=71)).status_code == 403
        assert 'name="_save"' not in page(viewer, customer)

    def test_a_user_who_may_not_look_may_not_ask(self):
        customer = make_scored()
        stranger = logged_in("stranger")
        assert stranger.post(address(customer, "what-if"), filled_in(customer)).status_code == 403

    def test_no_user_asks_without_logging_in(self):
        customer = make_scored()
        response = Client().post(address(customer, "what-if"), filled_in(customer))
        assert response.status_code == 302
        assert "/login/" in response["Location"]

    def test_a_page_elsewhere_can_not_ask(self):
        client = Client(enforce_csrf_checks=True)
        client.cookies = superuser().cookies
        customer = make_scored()
        assert client.post(address(customer, "what-if"), filled_in(customer)).status_code == 403

    @pytest.mark.parametrize("unknown", ["999999999", "abc", str(2**63)])
    def test_of_an_unknown_customer_the_page_says_that_there_is_none(self, staff, unknown):
        response = staff.post(f"{LIST}{unknown}/what-if/", {"age": 40}, follow=True)
        assert response.status_code == 200
        assert "Perhaps it was deleted?" in response.content.decode()


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(-1, "0 ms"), (0.0421, "42 ms"), (1, "1 s"), (119, "119 s"), (121, "2 min"), (7300, "2 h"), (200_000, "2 days")],
)
def test_ages_are_told_as_people_say_them(seconds, said):
    assert format_duration(seconds) == said
