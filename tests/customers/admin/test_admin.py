"""What the bank's staff see and may do: search, order by risk, edit behaviour, never the engine's columns."""

import pytest
from django.contrib import admin
from django.utils.html import escape

from customers.models import AuditFinding, Customer, ModelRelease, ScoreRecord
from customers.presentation.numbers import format_percent
from customers.presentation.reasons import choices, reasons_of
from events import jobs
from events.queue import lease
from tests.factories import A_CUSTOMER, make_customer, make_customers, make_scored, write_as_scorer
from tests.staff import superuser

pytestmark = pytest.mark.django_db

LIST = "/admin/customers/customer/"
RISK_COLUMN = 2
SOMEBODY_ON_THE_PAGE = [  # in reading order
    *("credit_score", "age", "tenure", "geography", "gender"),
    *("balance", "num_of_products", "has_cr_card", "is_active_member"),
]


@pytest.fixture
def staff():
    return superuser()


def listed(response):
    assert response.status_code == 200
    return [customer.pk for customer in response.context["cl"].result_list]


def form_of(customer, **changes):
    """What the browser sends when a user has changed these fields of the page."""
    values = {"customer_id": customer.pk, "surname": customer.surname}
    values |= {field: getattr(customer, field) for field in A_CUSTOMER} | changes
    return {name: "on" if value is True else value for name, value in values.items() if value is not False}


def change_page(customer):
    return f"{LIST}{customer.pk}/change/"


class TestSearch:
    def test_digits_are_an_id_and_nothing_but_that_id(self, staff):
        for customer_id in (15, 151, 615):
            make_customer(customer_id=customer_id)
        assert listed(staff.get(LIST, {"q": "15"})) == [15]
        assert listed(staff.get(LIST, {"q": " 151 "})) == [151]

    @pytest.mark.parametrize("digits", ["0", "16", str(2**63 - 1), str(2**63), "9" * 30, "9" * 5000])
    def test_digits_of_no_customer_find_none(self, staff, digits):
        make_customer(customer_id=15)
        assert listed(staff.get(LIST, {"q": digits})) == []

    def test_letters_are_the_beginning_of_a_surname(self, staff):
        make_customer(customer_id=1, surname="Hargrave")
        make_customer(customer_id=2, surname="Hart")
        make_customer(customer_id=3, surname="Bernhard")
        assert sorted(listed(staff.get(LIST, {"q": "har"}))) == [1, 2]

    @pytest.mark.parametrize("odd", ["%", "_", "'", '"; DROP TABLE customers_customer; --', "²", "\x00"])
    def test_odd_characters_are_only_characters(self, staff, odd):
        make_customer(surname="Plain")
        assert staff.get(LIST, {"q": odd}).status_code == 200
        assert Customer.objects.count() == 1

    def test_nothing_to_search_for_lists_all_customers(self, staff):
        make_customers(3)
        assert len(listed(staff.get(LIST, {"q": "  "}))) == 3

    def test_the_id_is_among_the_search_fields(self):
        assert "customer_id" in admin.site.get_model_admin(Customer).search_fields


class TestOrder:
    @pytest.fixture
    def by_risk(self):
        """Ids from low to high risk, and one without a score."""
        scored = [make_scored(age=age, is_active_member=age < 40) for age in (25, 45, 60)]
        unscored = make_customer()
        return sorted((customer.pk for customer in scored), key=score_of), unscored.pk

    def test_the_list_opens_with_the_highest_risk_and_the_unscored_last(self, staff, by_risk):
        rising, unscored = by_risk
        assert listed(staff.get(LIST)) == [*reversed(rising), unscored]

    def test_descending_by_the_risk_column(self, staff, by_risk):
        rising, unscored = by_risk
        assert listed(staff.get(LIST, {"o": f"-{RISK_COLUMN}"})) == [*reversed(rising), unscored]

    def test_ascending_by_the_risk_column_with_the_unscored_last_again(self, staff, by_risk):
        rising, unscored = by_risk
        assert listed(staff.get(LIST, {"o": str(RISK_COLUMN)})) == [*rising, unscored]

    def test_risk_as_the_second_order_after_another_column(self, staff, by_risk):
        rising, unscored = by_risk
        assert listed(staff.get(LIST, {"o": f"5.-{RISK_COLUMN}"})) == [*reversed(rising), unscored]

    def test_the_score_is_a_percentage_and_its_absence_is_words(self, staff, by_risk):
        page = staff.get(LIST).content.decode()
        assert format_percent(score_of(by_risk[0][0])) in page
        assert "Not scored yet" in page

    def test_the_first_page_comes_from_the_index(self, staff, django_assert_max_num_queries):
        make_customers(60)
        with django_assert_max_num_queries(12):
            assert len(listed(staff.get(LIST))) == 50


class TestReasons:
    def test_the_main_reason_stands_in_the_row_and_all_on_the_page(self, staff):
        customer = make_scored(age=58, num_of_products=1, is_active_member=False)
        first, *_rest = told = reasons_of(customer)
        assert f"{first.label}: {first.points:+.0f}\xa0points" in staff.get(LIST).content.decode()
        page = staff.get(change_page(customer)).content.decode()
        assert all(escape(reason.text) in page for reason in told)

    def test_where_there_is_none_the_page_says_why(self, staff):
        unscored, average = make_customer(), make_scored()
        write_as_scorer(average, reason_codes=[])
        page = staff.get(change_page(unscored)).content.decode()
        assert "No reasons are shown until the score is up to date." in page
        assert "No score" in page
        assert "No single factor changes the risk significantly." in staff.get(change_page(average)).content.decode()

    def test_the_list_can_be_filtered_by_it(self, staff):
        products, activity = (
            make_scored(age=35, num_of_products=4, is_active_member=True),
            make_scored(age=35, num_of_products=2, is_active_member=False),
        )
        [many] = [number for number, label in choices() if label == "Three or more products"]
        assert products.reason_codes[0] == int(many) != activity.reason_codes[0]
        assert listed(staff.get(LIST, {"reason": many})) == [products.pk]
        assert len(listed(staff.get(LIST, {"reason": "no number"}))) == 2

    def test_of_a_score_that_is_not_current_none_are_told(self, staff):
        customer = make_scored(num_of_products=4)
        Customer.objects.filter(pk=customer.pk).update(num_of_products=1)
        customer.refresh_from_db()
        assert reasons_of(customer) == ()
        assert "4 products: +" not in staff.get(change_page(customer)).content.decode()
        [many] = [number for number, label in choices() if label == "Three or more products"]
        assert listed(staff.get(LIST, {"reason": many})) == []

    def test_a_record_tells_the_points_of_each_part_and_sums_gender_and_country(self, staff):
        make_scored(num_of_products=4)
        page = staff.get(f"/admin/customers/scorerecord/{ScoreRecord.objects.get().pk}/change/").content.decode()
        assert "products +" in page
        assert "other factors" in page
        assert "gender +" not in page
        assert "gender -" not in page
        assert "Contributions" not in page

    def test_a_record_from_before_contributions_were_kept_says_so(self, staff):
        make_scored()
        ScoreRecord.objects.update(contributions=None)
        page = staff.get(f"/admin/customers/scorerecord/{ScoreRecord.objects.get().pk}/change/").content.decode()
        assert "not kept" in page

    def test_codes_that_name_gender_or_country_are_kept_back_once_the_setting_is_off(self, settings):
        settings.PROTECTED_FIELDS = []
        customer = make_scored(geography="Germany", age=30, num_of_products=2, is_active_member=True)
        assert "COUNTRY_RAISES" in [reason.code for reason in reasons_of(customer)]
        settings.PROTECTED_FIELDS = ["geography", "gender"]
        assert not {"COUNTRY_RAISES", "GENDER_RAISES", "GENDER_LOWERS"} & {it.code for it in reasons_of(customer)}


class TestEdit:
    def test_a_changed_field_makes_the_row_stale_and_the_worker_scores_it(
        self, staff, monkeypatch, django_capture_on_commit_callbacks
    ):
        monkeypatch.setattr(lease, "LEASE_SECONDS", 0.05)
        customer = make_scored()
        with django_capture_on_commit_callbacks(execute=True) as wake_ups:
            response = staff.post(change_page(customer), form_of(customer, age=71))
        assert response.status_code == 302
        assert len(wake_ups) >= 1
        assert list(Customer.objects.stale()) == [customer]
        assert jobs.rescore_stale() == 1
        customer.refresh_from_db()
        assert (customer.age, customer.version) == (71, 2)
        assert customer.is_current()

    def test_saving_without_a_change_makes_nothing_stale(self, staff):
        customer = make_scored()
        assert staff.post(change_page(customer), form_of(customer)).status_code == 302
        assert not Customer.objects.stale().exists()

    def test_engine_columns_are_shown_but_are_no_inputs(self, staff):
        page = staff.get(change_page(make_scored())).content.decode()
        for column in ("churn_risk_score", "version", "stale_since", "scored_version", "scored_by", "scored_at"):
            assert f'name="{column}' not in page
        assert "Scored version" in page

    def test_posting_engine_columns_changes_none_of_them(self, staff):
        customer = make_scored()
        before = Customer.objects.filter(pk=customer.pk).values().get()
        forged = {
            "churn_risk_score": "0.001",
            "version": "99",
            "scored_version": "99",
            "stale_since_0": "2020-01-01",
            "stale_since_1": "00:00",
            "stale_since": "",
            "scored_by": "99",
            "scored_at": "",
        }
        assert staff.post(change_page(customer), form_of(customer, **forged)).status_code == 302
        assert Customer.objects.filter(pk=customer.pk).values().get() == before

    def test_the_id_of_a_customer_can_not_be_changed(self, staff):
        customer = make_scored()
        staff.post(change_page(customer), form_of(customer, customer_id=customer.pk + 1_000_000))
        assert list(Customer.objects.values_list("pk", flat=True)) == [customer.pk]

    def test_the_page_for_a_new_customer_asks_for_behaviour_alone(self, staff):
        response = staff.get(f"{LIST}add/")
        assert response.status_code == 200
        assert list(response.context["adminform"].form.fields)[3:] == list(SOMEBODY_ON_THE_PAGE)
        assert list(response.context["adminform"].form.fields)[:3] == ["customer_id", "surname", "external_id"]
        assert "Scored version" not in response.content.decode()

    def test_a_new_customer_can_be_added_and_is_stale(self, staff):
        form = form_of(Customer(customer_id=77, surname="New", **A_CUSTOMER))
        assert staff.post(f"{LIST}add/", form).status_code == 302
        assert Customer.objects.get(pk=77).stale_since is not None

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            *(("age", 12), ("age", 99999), ("tenure", -1)),
            *(("balance", "-1e13"), ("balance", "NaN"), ("balance", "Infinity")),
        ],
    )
    def test_what_can_not_be_is_refused_with_words_and_not_with_a_crash(self, staff, field, value):
        customer = make_scored()
        response = staff.post(change_page(customer), form_of(customer, **{field: value}))
        assert response.status_code == 200
        assert response.context["adminform"].form.errors
        assert not Customer.objects.stale().exists()

    @pytest.mark.parametrize("customer_id", [0, -1, 2**63])
    def test_an_impossible_id_is_refused_with_words(self, staff, customer_id):
        form = form_of(Customer(customer_id=customer_id, surname="New", **A_CUSTOMER))
        response = staff.post(f"{LIST}add/", form)
        assert response.status_code == 200
        assert response.context["adminform"].form.errors

    def test_an_id_that_is_taken_is_refused_with_words(self, staff):
        customer = make_scored()
        response = staff.post(f"{LIST}add/", form_of(customer, age=70))
        assert response.status_code == 200
        assert not Customer.objects.stale().exists()


class TestRecords:
    def test_history_and_releases_can_be_read(self, staff):
        finding()
        for model in ("scorerecord", "modelrelease", "auditfinding"):
            assert staff.get(f"/admin/customers/{model}/").status_code == 200

    def test_but_neither_added_changed_nor_deleted(self, staff):
        for record in (finding(), ScoreRecord.objects.get(), ModelRelease.objects.get()):
            place = f"/admin/customers/{record._meta.model_name}"
            assert staff.get(f"{place}/add/").status_code == 403
            assert staff.post(f"{place}/{record.pk}/change/", {"note": "forged"}).status_code == 403
            assert staff.post(f"{place}/{record.pk}/delete/", {"post": "yes"}).status_code == 403
        assert ScoreRecord.objects.count() == ModelRelease.objects.count() == AuditFinding.objects.count() == 1

    def test_findings_that_are_not_repaired_can_be_picked_out(self, staff):
        finding()
        page = "/admin/customers/auditfinding/"
        assert staff.get(page, {"state": "open"}).context["cl"].result_count == 1
        assert staff.get(page, {"state": "repaired"}).context["cl"].result_count == 0


def finding():
    customer = make_scored()
    return AuditFinding.objects.create(
        customer_id=customer.pk, stored_score=0.1, expected_score=0.9, version=1, release=ModelRelease.objects.get()
    )


def score_of(customer_id):
    return Customer.objects.get(pk=customer_id).churn_risk_score
