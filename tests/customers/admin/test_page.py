"""The page of a customer: the score and its history, what a save did to it, and what other values would."""

import re
from datetime import timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.db import connection
from django.test import Client
from django.utils import timezone
from django.utils.html import escape

from customers.admin.customer_page import after_save, reasons
from customers.api import insights
from customers.ml_service import NOTE, InputError, ModelError
from customers.models import Customer, ModelRelease, ScoreRecord
from customers.presentation.durations import format_duration
from customers.scoring import pause
from events import jobs
from tests.factories import A_CUSTOMER, edit, make_customer, make_failure, make_scored, rescore, write_as_scorer
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
        labels = re.findall(r"<label>([^<]+):</label>", page(staff, make_scored()))
        assert labels[:7] == [
            *("Score", "Trend", "What moved it", "Why", "What would lower it", "Scored at", "Model"),
        ]

    def test_it_stands_there_with_its_band_in_words(self, staff):
        customer = make_scored()
        write_as_scorer(customer, churn_risk_score=0.6)
        shown = page(staff, customer)
        assert "60.0% <small>high risk</small>" in shown
        assert "current: " in shown
        assert "vp-held" not in shown

    def test_where_there_is_none_it_says_so_and_since_when(self, staff):
        make_scored()
        shown = page(staff, make_customer())
        assert "not scored yet" in shown
        assert re.search(r"waits for its first score since \d+ m?s, being rescored", shown)

    def test_an_edited_customer_is_stale_since_then(self, staff):
        customer = make_scored()
        edit(customer, age=71)
        shown = page(staff, customer)
        assert "vp-held" in shown
        assert re.search(r"stale since \d+ m?s: the fields have changed, being rescored", shown)
        assert "comes with the next score" in shown

    def test_after_a_release_it_is_that_of_the_former_model(self, staff):
        customer = make_scored()
        ModelRelease.objects.create(sha256="f" * 64, fingerprint="f" * 64)
        shown = page(staff, customer)
        assert "answers the same fields by a former model" in shown
        assert "not the active one any more" in shown

    def test_while_scoring_is_paused_it_says_what_it_waits_for(self, staff, monkeypatch):
        monkeypatch.setattr(pause, "notice", lambda: PAUSED)
        customer = make_scored()
        edit(customer, age=71)
        assert f"the fields have changed. {PAUSED}" in page(staff, customer)

    def test_of_one_who_is_set_aside_it_says_why_and_what_to_do(self, staff):
        make_scored()
        customer = make_customer()
        fail_scoring(customer)
        shown = page(staff, customer)
        assert "set aside: Odd &lt;balance&gt;." in shown
        assert f'<a href="/admin/customers/scoringfailure/?q={customer.pk}">' in shown

    def test_and_of_one_who_is_tried_again_when(self, staff):
        make_scored()
        customer = make_customer()
        fail_scoring(customer, retry_at=timezone.now() + timedelta(hours=1))
        assert "tried again at " in page(staff, customer)


class TestStory:
    @pytest.fixture
    def edited(self, staff):
        """Edited by the clerk, and scored since."""
        customer = make_scored(age=40)
        staff.post(address(customer), filled_in(customer, age=71))
        rescore(customer)
        page(staff, customer)  # which tells what became of it; the next one is as any other
        return customer

    def test_an_edit_is_told_with_its_author_its_fields_and_what_they_moved(self, staff, edited):
        shown = page(staff, edited)
        assert "clerk: Age 40 → <strong>71</strong>" in shown
        before, after = ScoreRecord.objects.filter(customer_id=edited.pk).order_by("id")
        assert f"{100 * (after.score - before.score):+.1f} points" in shown
        assert re.search(r'age <span class="vp-points vp-raises">\+\d', shown)

    def test_the_trend_is_a_picture_with_a_dot_for_each_score(self, staff, edited):
        shown = page(staff, edited)
        assert shown.count('class="vp-dot"') == 2
        assert "2 scores, from " in shown

    def test_an_edit_that_waits_for_its_score_is_told_already(self, staff, edited):
        edit(edited, balance=0)
        shown = page(staff, edited)
        assert "waits for its score" in shown
        assert "Balance 50,000.00 → <strong>0.00</strong>" in shown

    def test_of_a_customer_without_a_score_it_has_only_begun(self, staff):
        make_scored()
        shown = page(staff, make_customer())
        assert "begins with the first score" in shown
        assert "the customer came" in shown
        assert "(by django)" not in shown

    def test_a_score_without_an_edit_says_what_it_was_given_for(self, staff):
        customer = make_scored()
        ScoreRecord.objects.update(cause="audit")
        assert "an audit found a wrong score" in page(staff, customer)
        ScoreRecord.objects.update(cause="")  # as before causes were noted
        assert "not noted in those days" in page(staff, customer)

    def test_a_long_one_leads_to_the_rest(self, staff):
        customer = make_scored()
        for age in range(50, 61):
            edit(customer, age=age)
            rescore(customer)
        shown = page(staff, customer)
        assert f'The newest 10 are shown. <a href="/customers/history/{customer.pk}/">' in shown
        assert "Age 59 →" in shown
        assert "Age 40 →" not in shown

    def test_the_page_tells_how_long_the_score_took_after_the_edit(self, staff, edited):
        then = timezone.now()
        ScoreRecord.objects.filter(version=2).update(edited_at=then, scored_at=then + timedelta(milliseconds=42))
        assert "From the edit to the score: 42 ms." in page(staff, edited)


class TestWhy:
    def test_each_part_stands_there_with_the_customers_value_and_its_points(self, staff):
        customer = make_scored(age=58, balance=1234567)
        shown = page(staff, customer)
        for name, value in (("Age", "58"), ("Balance", "1,234,567.00"), ("Active membership", "no")):
            assert f'<th scope="row">{name}</th><td>{value}</td>' in shown

    def test_gender_and_country_only_as_a_sum(self, staff, settings):
        customer = make_scored()
        shown = page(staff, customer)
        assert '<th scope="row">Other factors</th><td></td>' in shown
        assert '<th scope="row">Gender' not in shown
        settings.REASONS_NAME_PROTECTED = True
        assert '<th scope="row">Country</th><td>France</td>' in page(staff, customer)

    def test_what_the_bank_could_offer_stands_there_with_what_that_does_not_mean(self, staff):
        customer = make_scored(age=58)
        shown = page(staff, customer)
        assert "With active membership" in shown
        assert escape(NOTE) in shown

    def test_where_nothing_would_help_it_says_so(self, staff, monkeypatch):
        monkeypatch.setattr(reasons, "best_changes", lambda *args, **kwargs: ())
        assert "Nothing that the bank could offer" in page(staff, make_scored())

    @pytest.mark.parametrize("refused", [ModelError("No <model> here."), InputError("Odd <model> here.")])
    def test_a_model_that_is_broken_breaks_no_page(self, staff, monkeypatch, refused):
        def broken():
            raise refused

        customer = make_scored()
        monkeypatch.setattr(reasons, "active_model", broken)
        assert "The model can&#x27;t be asked: " in page(staff, customer)
        assert "<model>" not in page(staff, customer)


class TestModel:
    @pytest.mark.parametrize(
        ("metadata", "said"),
        [
            ({"metrics": {"roc_auc": {"mean": 0.8612, "std": 0.0085}}}, "ROC AUC 0.861 ± 0.009"),
            ({"metrics": {"roc_auc": 0.8}}, "ROC AUC 0.800 ("),
            ({"metrics": {"roc_auc": {"mean": "<b>"}}}, "not measured"),
            ({"metrics": ["odd"]}, "not measured"),
            ({}, "not measured"),
            ([], "not measured"),
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
        assert "a release that is not kept any more" in page(staff, customer)


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
        assert f"Customer {customer.pk}: {before:.1%} → {customer.churn_risk_score:.1%}, " in shown
        assert " after the edit." in shown

    def test_it_shows_the_fresh_score_and_not_that_of_before(self, staff, worker):
        shown = self.save(staff, make_scored(age=40), "_continue", age=71)
        assert f"{Customer.objects.get().churn_risk_score:.1%} <small>" in shown
        assert "current: " in shown

    def test_it_is_told_once(self, staff, worker):
        customer = make_scored()
        self.save(staff, customer, age=71)
        assert "after the edit" not in page(staff, customer)

    def test_a_new_customer_is_waited_for_too(self, staff, worker):
        make_scored()
        form = filled_in(Customer(surname="New", **A_CUSTOMER), customer_id=77)
        shown = staff.post(f"{LIST}add/", form, follow=True).content.decode()
        assert f"Customer 77: {Customer.objects.get(pk=77).churn_risk_score:.1%}, " in shown

    def test_in_vain_it_says_that_the_score_is_on_its_way(self, staff, monkeypatch):
        monkeypatch.setattr(after_save, "MOST_SECONDS", 0.02)
        customer = make_scored()
        assert f"Customer {customer.pk}: the new score is on its way" in self.save(staff, customer, age=71)

    def test_while_scoring_is_paused_it_does_not_wait_and_says_why(self, staff, monkeypatch, no_waiting):
        customer = make_scored()
        monkeypatch.setattr(pause, "notice", lambda: PAUSED)
        shown = self.save(staff, customer, age=71)
        assert f"Customer {customer.pk}: the new score waits until scoring goes on." in shown
        assert PAUSED in shown

    def test_for_a_customer_whom_the_model_refuses_it_does_not_wait(self, staff, no_waiting):
        customer = make_scored()
        staff.post(address(customer), filled_in(customer, age=71))
        fail_scoring(customer)
        shown = page(staff, customer)
        assert f"Customer {customer.pk}: no new score; set aside: Odd &lt;balance&gt;." in shown

    @pytest.mark.parametrize("changes", [{}, {"surname": "Other"}])
    def test_a_save_that_moves_no_score_is_not_waited_for(self, staff, no_waiting, changes):
        customer = make_scored()
        shown = self.save(staff, customer, **changes)
        assert "on its way" not in shown
        assert "after the edit" not in shown

    def test_a_customer_deleted_meanwhile_is_no_error(self, staff, no_waiting):
        customer = make_scored()
        staff.post(address(customer), filled_in(customer, age=71))
        Customer.objects.all().delete()
        assert staff.get(LIST).status_code == 200

    def test_what_can_not_be_is_said_beside_its_field(self, staff):
        shown = self.save(staff, make_scored(), age=7)
        assert "Expected a whole number from 18 to 110." in shown
        assert "is violated" not in shown


@pytest.mark.django_db(transaction=True)
def test_the_page_that_waits_sees_what_a_worker_stores_meanwhile(staff, monkeypatch):
    monkeypatch.setattr(after_save, "MOST_SECONDS", 60.0)  # however slow the machine is at the moment
    customer = make_scored(age=40)
    staff.post(address(customer), filled_in(customer, age=71))
    with meanwhile(jobs.rescore_stale):
        shown = page(staff, customer)
    customer.refresh_from_db()
    assert f"→ {customer.churn_risk_score:.1%}" in shown
    assert "Age 40 → <strong>71</strong>" in shown


class TestWhatIf:
    def ask(self, client, customer, **changes):
        response = client.post(address(customer, "what-if"), filled_in(customer, **changes))
        assert response.status_code == 200
        return response.content.decode()

    def test_the_answer_stands_on_the_page_and_nothing_is_stored(self, staff):
        customer = make_scored(age=40)
        before = Customer.objects.filter(pk=customer.pk).values().get()
        shown = self.ask(staff, customer, age=71, surname="Other")
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
        assert f"{Customer.objects.get().churn_risk_score:.1%}" in shown

    def test_the_values_asked_with_stay_in_the_fields_and_can_be_saved(self, staff):
        customer = make_scored(age=40)
        shown = self.ask(staff, customer, age=71)
        assert re.search(r'<input type="number" name="age" value="71"', shown)
        assert f'<form action="{address(customer)}" method="post"' in shown

    def test_what_the_page_tells_of_the_score_is_still_that_of_the_stored_values(self, staff):
        customer = make_scored(age=40)
        shown = self.ask(staff, customer, age=71)
        assert '<th scope="row">Age</th><td>40</td>' in shown

    def test_what_can_not_be_is_marked_and_not_asked(self, staff):
        shown = self.ask(staff, make_scored(), age=7)
        assert "Correct the fields that are marked" in shown
        assert "Expected a whole number from 18 to 110." in shown

    def test_what_is_no_number_at_all_as_well(self, staff):
        assert "Correct the fields that are marked" in self.ask(staff, make_scored(), age="<b>old</b>")

    def test_without_a_change_it_says_so(self, staff):
        customer = make_scored()
        assert "No field differs from what is stored" in self.ask(staff, customer)

    def test_a_model_that_is_broken_breaks_no_page(self, staff, monkeypatch):
        def broken(question):
            raise ModelError("No <model> here.")

        customer = make_scored()
        monkeypatch.setattr(insights, "answer_what_if", broken)
        assert "The model can't be asked: No &lt;model&gt; here." in self.ask(staff, customer, age=71)

    def test_a_user_who_may_only_look_gets_fields_to_ask_with_and_an_answer(self, viewer):
        customer = make_scored(age=40)
        assert 'id="what_if_age"' in page(viewer, customer)
        shown = self.ask(viewer, customer, age=71)
        assert "With Age 40 → <strong>71</strong>." in shown
        assert Customer.objects.get().age == 40

    def test_and_still_can_not_save(self, viewer):
        customer = make_scored(age=40)
        assert viewer.post(address(customer), filled_in(customer, age=71)).status_code == 403
        assert 'name="_save"' not in page(viewer, customer)

    def test_a_user_who_may_edit_has_each_field_once(self, staff):
        assert page(staff, make_scored()).count('name="age"') == 1

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

    def test_its_address_alone_leads_to_the_page(self, staff):
        """As after logging in anew, or with a bookmark of the address."""
        customer = make_scored()
        assert staff.get(address(customer, "what-if"))["Location"] == address(customer)

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
