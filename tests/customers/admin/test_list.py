"""The list of customers: what a row tells, what narrows it down, how it is counted, and how little it asks for."""

from datetime import timedelta
from itertools import chain

import pytest
from django.db import connection
from django.db.models import F, Q
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django.utils.html import escape

from customers.admin.customer_list import paging
from customers.admin.customer_list.list import CustomerList
from customers.admin.customer_list.paging import CappedPaginator, Counted, estimate, rounded
from customers.models import Customer, Exclusion, ModelRelease, RecentMove, RescoreRequest, ScoreRecord
from customers.portfolio import moves
from customers.presentation.durations import format_age, format_time
from customers.scoring import marks, requests, scorer
from customers.scoring.marks import where_stale_ones_are
from tests.customers.outreach.people import make_contact
from tests.factories import (
    edit,
    forget_marks,
    lose_all_marks,
    make_customer,
    make_customers,
    make_failure,
    make_scored,
    mark_as,
    rescore,
    write_as_scorer,
)
from tests.staff import superuser

pytestmark = pytest.mark.django_db

LIST = "/admin/customers/customer/"
RISING, FALLING = {"o": "2"}, {"o": "-2"}


@pytest.fixture
def staff():
    return superuser()


@pytest.fixture
def few_rows(monkeypatch):
    """As if a list ended after four customers."""
    monkeypatch.setattr(paging, "MOST_ROWS", 4)
    monkeypatch.setattr(paging, "MOST_MATCHES", 4)
    monkeypatch.setattr("customers.admin.customer_list.list.CustomerList.list_per_page", 2)


def the_list(client, **query):
    response = client.get(LIST, query)
    assert response.status_code == 200, response
    return response.context["cl"]


def listed(client, **query):
    return [customer.pk for customer in the_list(client, **query).result_list]


def page(client, **query):
    return client.get(LIST, query, follow=True).content.decode()


def with_scores(*scores, **fields):
    """One customer for each score, without one for None; their ids."""
    made = [make_scored(**fields) if score is not None else make_customer(**fields) for score in scores]
    for customer, score in zip(made, scores, strict=True):
        if score is not None:
            write_as_scorer(customer, churn_risk_score=score)
    return [customer.pk for customer in made]


def stale_since(customer, seconds):
    edit(customer, age=customer.age + 1)
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('vigilpay.scorer', 'on', true)")
    Customer.objects.filter(pk=customer.pk).update(stale_since=timezone.now() - timedelta(seconds=seconds))
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('vigilpay.scorer', '', true)")


class TestRow:
    def test_it_has_the_risk_as_percent_and_band_in_words(self, staff):
        with_scores(0.713)
        assert "71.3\xa0% high" in page(staff)

    def test_it_draws_the_last_scores_the_newest_at_the_right(self, staff):
        customer = make_scored()
        for score in (0.2, 0.4):
            record = ScoreRecord.objects.get(customer_id=customer.pk, version=1, cause=ScoreRecord.Cause.ANALYZE)
            record.pk, record.score, record.cause = None, score, ScoreRecord.Cause.EDITED
            record.save()
        assert "Last 3 scores: " in page(staff)
        assert ", 20.0\xa0%, 40.0\xa0%" in page(staff)

    def test_it_draws_no_more_than_twelve(self, staff):
        customer = make_scored()
        record = ScoreRecord.objects.get()
        for number in range(20):
            record.pk, record.score = None, number / 100
            record.save()
        [row] = the_list(staff).result_list
        assert row.last_scores == [number / 100 for number in reversed(range(8, 20))]
        assert row.pk == customer.pk

    def test_a_single_score_is_no_trend(self, staff):
        make_scored()
        assert "vp-spark" not in page(staff)

    def test_it_has_the_day_of_the_last_contact_and_what_came_of_it(self, staff):
        customer, other = make_scored(), make_scored()
        make_contact(customer, outcome="not reached", at="2026-11-24T12:00Z")
        make_contact(customer, outcome="offer made", at="2026-11-25T12:00Z")
        shown = page(staff)
        assert '<td class="field-last_contact"><span title="25 Nov 2026: Offer made">25 Nov 2026</span></td>' in shown
        assert shown.count("25 Nov 2026</span>") == 1
        assert listed(staff, contact="not_lately") == [other.pk]

    def test_pages_take_as_many_statements_for_many_rows_as_for_one(self, staff):
        make_scored()
        with CaptureQueriesContext(connection) as one:
            listed(staff)
        for _ in range(20):
            make_scored()
        with CaptureQueriesContext(connection) as many:
            assert len(listed(staff)) == 21
        assert len(many) == len(one)


class TestState:
    def test_of_a_score_that_is_up_to_date_nothing_is_said(self, staff):
        make_scored()
        assert "vp-state" not in page(staff)

    @pytest.mark.parametrize(
        ("seconds", "words"), [(3, "just now"), (130, "2 min ago"), (7300, "2 h ago"), (200_000, "2 days ago")]
    )
    def test_one_of_other_values_with_its_age(self, staff, seconds, words):
        customer = make_scored()
        stale_since(customer, seconds)
        assert f">Data changed {words}; new score pending<" in page(staff)

    def test_one_of_a_former_model(self, staff):
        make_scored()
        ModelRelease.objects.create(sha256="f" * 64, fingerprint="f" * 64)
        assert ">Scored by an earlier model; update pending<" in page(staff)

    def test_none_yet(self, staff):
        make_customer()
        assert '<span class="vp-badge">Not scored yet</span></td>' in page(staff)

    def test_excluded_by_staff_and_by_the_model_are_told_apart(self, staff):
        by_model, by_staff = make_scored(), make_scored()
        for customer in (by_model, by_staff):
            edit(customer, age=70)
        make_failure(by_model)
        requests.give_up(Customer.objects.filter(pk=by_staff.pk), "Excluded from scoring by anna")
        shown = page(staff)
        assert ">Excluded from scoring: Odd balance.<" in shown
        assert ">Excluded from scoring by anna<" in shown

    def test_one_that_failed_and_is_tried_again(self, staff):
        scorer.active_model()
        customer = make_customer()
        at = timezone.now() + timedelta(hours=1)
        make_failure(customer, retry_at=at)
        assert f">No score could be calculated (Odd balance); next attempt on {format_time(at)}<" in page(staff)

    def test_one_that_staff_have_resumed(self, staff):
        scorer.active_model()
        customer = make_customer()
        make_failure(customer, retry_at=timezone.now(), reason=Exclusion.PERSON)
        assert ">Scoring resumed; new score pending<" in page(staff)


class TestAge:
    @pytest.mark.parametrize(
        ("seconds", "words"), [(-5, "0 s"), (3, "3 s"), (61, "1 min"), (7300, "2 h"), (200_000, "2 d")]
    )
    def test_an_age_is_told_in_its_largest_unit(self, seconds, words):
        now = timezone.now()
        assert format_age(now - timedelta(seconds=seconds), now, "whole") == words


class TestOrder:
    def test_both_ways_round_the_unscored_come_last(self, staff):
        low, unscored, high, another = with_scores(0.1, None, 0.9, None)
        assert listed(staff, **FALLING) == [high, low, another, unscored]
        assert listed(staff, **RISING)[:2] == [low, high]
        assert sorted(listed(staff, **RISING)[2:]) == [unscored, another]

    def test_so_they_do_where_there_are_too_many_to_sort(self, staff, few_rows):
        low, unscored, high, another, middle, _ = with_scores(0.1, None, 0.9, None, 0.5, None)
        assert listed(staff, **FALLING) == [high, middle]
        assert listed(staff, p="1", **RISING) == [low, middle]
        assert listed(staff, p="2", **RISING) == [high, unscored]
        assert another not in listed(staff, p="2", **RISING)

    def test_a_page_of_the_unscored_alone_goes_on_where_the_page_before_ended(self, staff, few_rows):
        only, *unscored = with_scores(0.1, None, None, None, None)
        assert [*listed(staff, p="1", **RISING), *listed(staff, p="2", **RISING)] == [only, *unscored[:3]]

    def test_the_same_customers_stand_on_the_pages_in_the_order_of_the_whole(self, staff, monkeypatch):
        ids = with_scores(0.1, 0.5, None, 0.3, 0.9)
        whole = listed(staff, **RISING)
        monkeypatch.setattr("customers.admin.customer_list.list.CustomerList.list_per_page", 2)
        pages = [listed(staff, p=str(number), **RISING) for number in (1, 2, 3)]
        assert list(chain(*pages)) == whole
        assert sorted(whole) == ids

    def test_by_value_at_risk_it_is_the_same(self, staff):
        by_value = CustomerList.list_display.index("value") + 1
        poor, unscored, rich, likely = with_scores(0.1, None, 0.2, 0.95)
        for pk, value in ((poor, 0), (rich, 24_000), (likely, 950)):
            write_as_scorer(Customer.objects.get(pk=pk), value_at_risk=value)
        assert listed(staff, o=f"-{by_value}") == [rich, likely, poor, unscored]
        assert listed(staff, o=str(by_value)) == [poor, likely, rich, unscored]

    def test_few_of_one_main_reason_are_sorted_by_value(self, staff, few_rows):
        """The index of the reasons is of no use for that order, and to walk the other one might take long."""
        few = with_scores(0.1, 0.9, 0.5)
        for pk, balance in zip(few, (30_000, 1_000, 20_000), strict=True):
            write_as_scorer(Customer.objects.get(pk=pk), reason_codes=[20], value_at_risk=balance)
        by_value = {"o": f"-{CustomerList.list_display.index('value') + 1}", "reason": "20"}
        with CaptureQueriesContext(connection) as asked:
            assert listed(staff, **by_value) == [few[0], few[2]]
        assert any('ORDER BY ("customers_customer"."value_at_risk" + 0) DESC' in query["sql"] for query in asked)

    @pytest.mark.parametrize("name", ["risk", "value"])
    def test_where_there_are_many_no_rows_are_sorted(self, staff, few_rows, name):
        with_scores(0.1, 0.5, 0.3, 0.9, 0.2)
        number = str(CustomerList.list_display.index(name) + 1)
        field = {"risk": "churn_risk_score", "value": "value_at_risk"}[name]
        for order in ({"o": number}, {"o": f"-{number}"}):
            with CaptureQueriesContext(connection) as asked:
                listed(staff, **order)
            [query, *_] = [q["sql"] for q in asked if f' ORDER BY "customers_customer"."{field}"' in q["sql"]]
            with connection.cursor() as cursor:
                cursor.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off")
                cursor.execute(f"EXPLAIN {query}")
                plan = "\n".join(row[0] for row in cursor.fetchall())
            assert f"customer_by_{name}" in plan
            assert "Sort" not in plan


class TestFilters:
    def test_by_band_with_a_score_on_a_threshold_in_the_band_above(self, staff):
        low, medium, high, critical, most, _ = with_scores(0.2499, 0.25, 0.5, 0.75, 1.0, None)
        assert listed(staff, band="low") == [low]
        assert listed(staff, band="medium") == [medium]
        assert listed(staff, band="high") == [high]
        assert listed(staff, band="critical") == [most, critical]

    def test_the_bands_are_those_of_the_settings(self, staff, settings):
        settings.RISK_BANDS = [0.1, 0.2, 0.3]
        (scored,) = with_scores(0.35)
        assert listed(staff, band="critical") == [scored]

    def test_by_fields(self, staff):
        make_customer()
        other = make_customer(geography="Spain", is_active_member=True, has_cr_card=False, num_of_products=4)
        for query in (
            {"geography__exact": "Spain"},
            {"is_active_member__exact": "1"},
            {"has_cr_card__exact": "0"},
            {"num_of_products": "4"},
        ):
            assert listed(staff, **query) == [other.pk]

    def test_by_what_has_changed_within_a_week(self, staff):
        risen, critical, fallen = make_scored(), make_scored(), make_scored()
        ScoreRecord.objects.update(scored_at=F("scored_at") - timedelta(days=30))
        for customer, score in ((risen, 0.7), (critical, 0.8), (fallen, 0.01)):
            write_as_scorer(customer, churn_risk_score=0.6)
            edit(customer, age=41)
            rescore(customer)
            ScoreRecord.objects.filter(customer_id=customer.pk, previous_score__isnull=False).update(previous_score=0.6)
            write_as_scorer(customer, churn_risk_score=score)
        assert "Changes have not been determined yet" in page(staff, change="rose")
        assert listed(staff, change="rose") == []
        moves.search()
        assert listed(staff, change="rose") == [critical.pk, risen.pk]
        assert listed(staff, change="newly_critical") == [critical.pk]
        shown = page(staff, change="rose")
        assert f"Changes up to {format_time(moves.searched_at())}." in shown
        assert 'title="+10.0\xa0points">+10.0<' in shown
        assert 'title="-59.0\xa0points">-59.0<' in page(staff)
        assert "Changes up to" not in page(staff)

    def test_newly_critical_customers_are_sorted_however_many(self, staff, few_rows):
        ids = with_scores(0.91, 0.92, 0.93, 0.94, 0.95, 0.96)
        for pk in ids[:5]:
            RecentMove.objects.create(customer_id=pk, score_before=0.5, until=timezone.now() + timedelta(days=1))
        assert listed(staff, change="newly_critical") == [ids[4], ids[3]]
        assert listed(staff, change="newly_critical", **RISING) == ids[:2]

    def test_by_freshness(self, staff):
        current, edited, aside, unscored = make_scored(), make_scored(), make_scored(), make_customer()
        edit(edited, age=70)
        edit(aside, age=70)
        make_failure(aside)
        assert listed(staff, freshness="current") == [current.pk]
        assert set(listed(staff, freshness="stale")) == {edited.pk, aside.pk, unscored.pk}
        assert listed(staff, freshness="set_aside") == [aside.pk]
        assert listed(staff, freshness="not_scored") == [unscored.pk]

    def test_by_freshness_after_a_release_all_customers_are_stale(self, staff):
        customers = [make_scored(), make_scored()]
        forget_marks()
        ModelRelease.objects.create(sha256="f" * 64, fingerprint="f" * 64)
        assert set(listed(staff, freshness="stale")) == {customer.pk for customer in customers}
        assert listed(staff, freshness="current") == []

    def test_the_stale_are_looked_for_where_marks_say_so(self, staff):
        current, edited = make_scored(), make_scored()
        forget_marks()
        edit(edited, age=70)
        mark_as(marks.LARGE, [current.pk, edited.pk])
        assert listed(staff, freshness="stale") == [edited.pk]

    def test_where_nothing_is_marked_no_customer_is_read(self, staff):
        make_scored()
        forget_marks()
        with CaptureQueriesContext(connection) as asked:
            assert listed(staff, freshness="stale") == []
        assert not [q for q in asked if '"customers_customer"."stale_since" IS NOT NULL' in q["sql"]]

    def test_with_too_many_marks_to_name_all_customers_are_read(self, staff, monkeypatch):
        monkeypatch.setattr("customers.scoring.marks.MOST_MARKED", 1)
        first, second = make_customers(2)
        assert set(listed(staff, freshness="stale")) == {first.pk, second.pk}

    def test_after_a_crash_of_the_database_that_lost_the_marks_too(self, staff):
        customer = make_customer()
        lose_all_marks()
        assert listed(staff, freshness="stale") == [customer.pk]

    def test_by_the_model_that_gave_the_score(self, staff):
        former = make_scored()
        was = former.scored_by_id
        active = ModelRelease.objects.create(sha256="f" * 64, fingerprint="f" * 64)
        assert listed(staff, release=str(was)) == [former.pk]
        assert listed(staff, release=str(active.pk)) == []
        assert f"Release {active.pk} (active)" in page(staff)

    @pytest.mark.parametrize("name", ["band", "change", "reason", "freshness", "num_of_products", "release"])
    @pytest.mark.parametrize("value", ["", "odd", "-1", "99", "²"])
    def test_a_choice_that_there_is_not_narrows_nothing(self, staff, name, value):
        make_customers(2)
        assert len(listed(staff, **{name: value})) == 2

    def test_choices_are_not_looked_for_in_the_customers(self, staff):
        make_scored()
        with CaptureQueriesContext(connection) as asked:
            listed(staff)
        assert not [query for query in asked if "DISTINCT" in query["sql"]]


class TestSearch:
    @pytest.mark.parametrize("typed", ["mül", "MÜL", "Müller", " müller "])
    def test_a_surname_is_found_by_its_beginning_in_any_case(self, staff, typed):
        found = make_customer(surname="Müller")
        make_customer(surname="Muller")
        make_customer(surname="Obermüller")
        assert listed(staff, q=typed) == [found.pk]

    def test_no_character_stands_for_others(self, staff):
        make_customer(surname="Abel")
        assert listed(staff, q="A%") == listed(staff, q="A_") == listed(staff, q="\\") == []

    def test_it_is_found_by_an_index(self, staff):
        make_customer(surname="Abel")
        with CaptureQueriesContext(connection) as asked:
            listed(staff, q="abe")
        [query] = [q["sql"] for q in asked if "COUNT" in q["sql"] and "COLLATE" in q["sql"]]
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL enable_seqscan = off")
            cursor.execute(f"EXPLAIN {query}")
            assert "customer_surname" in "\n".join(row[0] for row in cursor.fetchall())

    def test_a_search_within_a_filter_finds_what_is_in_both(self, staff):
        make_customer(surname="Abel")
        spanish = make_customer(surname="Abelard", geography="Spain")
        assert listed(staff, q="abe", geography__exact="Spain") == [spanish.pk]


class TestCount:
    def test_few_are_counted(self, staff):
        make_customers(3)
        assert "3 customers" in page(staff)

    def test_of_many_that_match_it_is_said_that_there_are_more(self, staff, few_rows):
        make_customers(5, geography="Spain")
        said = page(staff, geography__exact="Spain")
        assert "4+ customers" in said
        assert "Select all 4+ customers" in said
        assert "All 4+ selected" in said

    def test_of_all_it_is_estimated(self, staff, few_rows, monkeypatch):
        make_customers(5)
        monkeypatch.setattr(paging, "estimate", lambda queryset: 1_001_359)
        assert "~1,000,000 customers" in page(staff)

    def test_an_estimate_is_never_less_than_what_was_seen(self, staff, few_rows, monkeypatch):
        make_customers(5)
        monkeypatch.setattr(paging, "estimate", lambda queryset: 0)
        assert the_list(staff).result_count == 5

    def test_the_estimate_is_that_of_postgresql(self):
        make_customers(30)
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE customers_customer")
        assert estimate(Customer.objects.all()) == pytest.approx(30, abs=3)

    @pytest.mark.parametrize(("exact", "told"), [(7, 7), (999, 999), (12_345, 12_300), (1_001_359, 1_000_000)])
    def test_an_estimate_has_three_digits(self, exact, told):
        assert rounded(exact) == told

    def test_a_count_is_still_a_number(self):
        assert Counted(5_001, "5,000+") > 5_000
        assert str(Counted(5_001, "5,000+")) == "5,000+"

    def test_an_action_on_all_takes_those_that_were_not_counted_too(self, staff, few_rows):
        make_customers(7, geography="Spain")
        spared = make_customer()
        chosen = {"action": "rescore_now", "select_across": "1", "index": "0", "_selected_action": ["1"]}
        staff.post(f"{LIST}?geography__exact=Spain", chosen)
        asked = [number for request in RescoreRequest.objects.all() for number in request.customer_ids]
        assert len(asked) == 7
        assert spared.pk not in asked

    def test_a_filtered_list_is_counted_no_further_than_a_page_has_time_for(self, monkeypatch):
        monkeypatch.setattr(paging, "MOST_ROWS", 6)
        monkeypatch.setattr(paging, "MOST_MATCHES", 4)
        make_customers(5, geography="Spain")
        assert str(CappedPaginator(Customer.objects.order_by("pk"), 50).count) == "5"
        assert str(CappedPaginator(Customer.objects.filter(geography="Spain").order_by("pk"), 50).count) == "4+"

    def test_no_user_deletes_all_that_match(self, staff):
        make_customers(2)
        assert "delete_selected" not in page(staff)


class TestShowAll:
    def test_where_all_are_shown_nothing_offers_to_show_all(self, staff, few_rows):
        make_customers(5)
        assert "Show all" not in page(staff)

    def test_where_some_are_it_leads_to_all(self, staff, few_rows):
        make_customers(5, geography="Spain")
        assert '4+ results (<a href="?">Show all</a>)' in page(staff, geography__exact="Spain")


class TestAmounts:
    def test_the_heading_names_the_currency_and_cells_have_thousands(self, staff):
        customer = make_scored(balance="182160.37")
        write_as_scorer(customer, value_at_risk="150000.50")
        shown = page(staff)
        assert "Balance (EUR)" in shown
        assert '<td class="field-balance_amount">182,160</td>' in shown
        assert '<td class="field-value">150,000</td>' in shown

    def test_a_value_that_is_not_known_is_a_dash(self, staff):
        make_customer()
        assert '<td class="field-value">-</td>' in page(staff)

    def test_by_value_customers_without_one_come_last_both_ways_round(self, staff):
        low, unscored, high = with_scores(0.5, None, 0.5)
        for pk, value in ((low, 10), (high, 20)):
            write_as_scorer(Customer.objects.get(pk=pk), value_at_risk=value)
        assert listed(staff, o="-6") == [high, low, unscored]
        assert listed(staff, o="6") == [low, high, unscored]

    @pytest.mark.parametrize("column", ["1", "3", "4", "5", "7", "8", "9", "10", "11"])
    def test_what_no_index_sorts_is_not_sorted(self, staff, column):
        low, high = with_scores(0.1, 0.9)
        assert listed(staff, o=column) == [high, low]


class TestLastPage:
    def test_it_says_that_there_are_more_and_how_to_come_to_them(self, staff, few_rows):
        make_customers(5)
        assert "This list ends with the first 4 customers" in page(staff, p="2")
        assert "This list ends with" not in page(staff, p="1")

    def test_past_it_comes_the_last_page(self, staff, few_rows):
        make_customers(5)
        beyond = the_list(staff, p="3")
        assert beyond.page_num == 2
        assert [it.pk for it in beyond.result_list] == listed(staff, p="2")
        assert "This list ends with" in page(staff, p="9" * 30)

    def test_where_all_can_be_paged_through_nothing_is_said(self, staff, few_rows):
        make_customers(4)
        assert "This list ends with" not in page(staff, p="2")

    @pytest.mark.parametrize("number", ["0", "-1", "x"])
    def test_a_page_that_can_not_be_is_no_crash(self, staff, number):
        make_customers(3)
        assert "3 customers" in page(staff, p=number)


def test_a_name_that_looks_like_markup_is_only_a_name(staff):
    make_customer(surname="<script>alert(1)</script>")
    assert escape("<script>alert(1)</script>") in page(staff)
    assert "<script>alert" not in page(staff)


class TestWhereStaleOnesAre:
    def test_a_sweep_may_find_them_anywhere(self):
        marks.mark_all()
        assert where_stale_ones_are() == Q()
