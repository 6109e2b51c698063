"""The daily snapshot: right to the cent, one set of groups a day, all of it or none."""

import random
from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from io import StringIO

import pytest
from django.core.management import call_command
from django.db import OperationalError, transaction
from django.utils import timezone

from customers.models import Customer, PortfolioSnapshot
from customers.portfolio import snapshots
from customers.portfolio.snapshots import day_before, latest_day, prune_snapshots, snapshot_of, take_snapshot
from customers.presentation.bands import BANDS, band
from events import jobs
from tests.factories import make_customer, make_customers, make_scored, random_fields, write_as_scorer
from tests.others import outsider, together, turn_held

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)


def with_score(score, value_at_risk="0.00", **fields):
    customer = make_scored(**fields)
    write_as_scorer(customer, churn_risk_score=score, value_at_risk=Decimal(value_at_risk))
    return customer


def group(dimension, name, **of):
    return PortfolioSnapshot.objects.get(dimension=dimension, group=name, **of)


class TestFigures:
    def test_they_equal_a_count_in_python(self):
        pick = random.Random(20)
        for number in range(120):
            fields = random_fields(pick)
            if number % 10 == 0:
                make_customer(**fields)
                continue
            score = pick.choice([0.0, 0.25, 0.5, 0.75, 1.0, pick.random()])
            with_score(score, f"{Decimal(pick.randint(0, 10**9)) / 100:.2f}", **fields)
        Customer.objects.filter(pk=Customer.objects.first().pk).update(objected_at=timezone.now())
        assert take_snapshot()
        expected = defaultdict(lambda: [0, [0] * len(BANDS), Decimal(0)])
        for customer in Customer.objects.all():
            for key in keys_of(customer):
                expected[key][0] += 1
                if customer.churn_risk_score is not None:
                    expected[key][1][BANDS.index(band(customer.churn_risk_score))] += 1
                    expected[key][2] += customer.value_at_risk
        found = {
            (it.dimension, it.group): [it.customers, it.bands, it.value_at_risk]
            for it in PortfolioSnapshot.objects.all()
        }
        assert found == dict(expected)

    def test_each_dimension_adds_up_to_all(self):
        pick = random.Random(3)
        for _ in range(40):
            with_score(pick.random(), "12.34", **random_fields(pick))
        take_snapshot()
        for dimension in PortfolioSnapshot.Dimension:
            groups = PortfolioSnapshot.objects.filter(dimension=dimension)
            assert sum(it.customers for it in groups) == 40
            assert sum(it.value_at_risk for it in groups) == Decimal("493.60")

    def test_a_customer_who_has_objected_is_a_customer_without_a_score(self):
        with_score(0.9)
        Customer.objects.filter(pk=with_score(0.9).pk).update(objected_at=timezone.now())
        take_snapshot()
        whole = group("all", "")
        assert (whole.customers, whole.scored, whole.critical, whole.share_critical) == (2, 1, 1, 1.0)

    def test_without_scores_there_is_no_share(self):
        make_customer()
        take_snapshot()
        assert (group("all", "").bands, group("all", "").share_critical) == ([0, 0, 0, 0], None)

    @pytest.mark.parametrize(
        ("balance", "name"),
        [
            *(("0.00", "none"), ("0.01", "0"), ("49999.99", "0"), ("50000.00", "50000"), ("99999.99", "50000")),
            *(
                ("100000.00", "100000"),
                ("149999.99", "100000"),
                ("150000.00", "150000"),
                ("9999999999999.99", "150000"),
            ),
        ],
    )
    def test_a_balance_on_an_edge_is_in_the_class_above(self, balance, name):
        make_customer(balance=Decimal(balance))
        take_snapshot()
        assert group("balance", name).customers == 1

    def test_the_bands_are_those_of_the_settings(self, settings):
        settings.RISK_BANDS = (0.1, 0.2, 0.3)
        with_score(0.3)
        take_snapshot()
        assert (group("all", "").critical, group("all", "").thresholds) == (1, [0.1, 0.2, 0.3])

    def test_groups_come_in_their_own_order(self):
        for balance in (0, 1, 60_000, 120_000, 160_000):
            make_customer(balance=balance)
        make_customer(num_of_products=3)
        take_snapshot()
        found = snapshot_of(timezone.localdate())
        assert [it.group for it in found if it.dimension == "balance"] == ["none", "0", "50000", "100000", "150000"]
        assert [it.group for it in found if it.dimension == "products"] == ["1", "3"]
        assert found[0].dimension == "all"


def keys_of(customer):
    balance = [edge for edge in (0, 50_000, 100_000, 150_000) if customer.balance >= edge]
    return [
        ("all", ""),
        ("country", customer.geography),
        ("products", str(customer.num_of_products)),
        ("activity", "active" if customer.is_active_member else "inactive"),
        ("balance", str(max(balance)) if customer.balance else "none"),
    ]


class TestOnceADay:
    def test_a_later_run_on_the_same_day_changes_nothing(self):
        make_customer()
        assert jobs.take_snapshot()
        make_customer(geography="Spain")
        assert not jobs.take_snapshot()
        assert group("all", "").customers == 1
        assert not PortfolioSnapshot.objects.filter(group="Spain").exists()

    def test_unless_it_is_asked_to(self):
        make_customer(geography="Spain")
        take_snapshot()
        Customer.objects.all().delete()
        make_customers(2)
        assert take_snapshot(replace=True)
        assert group("all", "").customers == 2
        assert not PortfolioSnapshot.objects.filter(group="Spain").exists()

    def test_the_day_is_the_banks(self, settings):
        settings.TIME_ZONE = "Asia/Tokyo"
        make_customer()
        with timezone.override("Asia/Tokyo"):
            take_snapshot(at=datetime(2026, 11, 24, 15, 1, tzinfo=UTC))
        assert latest_day() == date(2026, 11, 25)

    def test_without_customers_there_is_none(self):
        assert not take_snapshot()
        assert snapshot_of(latest_day()) == []

    def test_while_one_is_taken_no_other_is(self):
        make_customer()
        with turn_held(snapshots.TURN):
            assert not take_snapshot()
        assert not PortfolioSnapshot.objects.exists()

    @pytest.mark.django_db(transaction=True)
    def test_of_many_runs_at_once_one_takes_it(self):
        make_customers(30)
        assert sum(together(*[take_snapshot] * 4)) == 1
        assert group("all", "").customers == 30

    @pytest.mark.django_db(transaction=True)
    def test_one_that_is_killed_half_way_leaves_nothing_and_the_next_takes_all(self, monkeypatch):
        make_customers(3)
        killed = snapshots.TAKE.replace("FROM named GROUP BY", "FROM named, pg_sleep(60) GROUP BY")
        monkeypatch.setattr(snapshots, "TAKE", f"SET LOCAL statement_timeout = '50ms'; {killed}")
        with pytest.raises(OperationalError):
            take_snapshot()
        monkeypatch.undo()
        assert not PortfolioSnapshot.objects.exists()
        assert take_snapshot()

    @pytest.mark.django_db(transaction=True)
    def test_no_editor_waits_for_it(self):
        customer = make_customer()
        with transaction.atomic():
            take_snapshot()
            with outsider(options="-c lock_timeout=1s") as other:
                other.execute("UPDATE customers_customer SET age = 77 WHERE customer_id = %s", [customer.pk])
        assert Customer.objects.get().age == 77


class TestComparison:
    def on(self, *days):
        for day in days:
            PortfolioSnapshot.objects.create(
                day=day, taken_at=NOON, dimension="all", customers=1, bands=[0, 0, 0, 1], thresholds=[], value_at_risk=0
            )

    def test_it_is_with_the_snapshot_of_that_day(self):
        self.on(date(2026, 11, 17), date(2026, 11, 18), date(2026, 11, 19))
        assert day_before(date(2026, 11, 25), 7) == date(2026, 11, 18)

    def test_or_of_the_last_day_before_that_has_one(self):
        self.on(date(2026, 11, 15), date(2026, 11, 19))
        assert day_before(date(2026, 11, 25), 7) == date(2026, 11, 15)

    def test_and_with_none_where_that_is_too_long_ago(self):
        self.on(date(2026, 11, 14), date(2026, 11, 19))
        assert day_before(date(2026, 11, 25), 7) is None

    def test_old_ones_are_deleted_with_the_history(self, settings):
        settings.HISTORY_DAYS = 30
        today = timezone.localdate()
        self.on(today, today - timedelta(days=29), today - timedelta(days=31))
        jobs.prune_history()
        assert [it.day for it in PortfolioSnapshot.objects.all()] == [today, today - timedelta(days=29)]
        assert prune_snapshots(timezone.now() + timedelta(days=1)) == 2


def test_the_command_takes_it_and_replaces_it_only_if_asked():
    make_customer()

    def run(*options):
        call_command("take_snapshot", *options, stdout=(out := StringIO()))
        return out.getvalue()

    assert run() == "Snapshot stored.\n"
    make_customer()
    assert "today has one already" in run()
    assert group("all", "").customers == 1
    assert run("--replace") == "Snapshot stored.\n"
    assert group("all", "").customers == 2
