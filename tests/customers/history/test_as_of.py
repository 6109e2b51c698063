"""The list of customers as it was: equal to what the table was at that moment."""

import csv
import io
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from customers.history import as_of as module
from customers.history.as_of import NotKeptError
from customers.history.retention import prune_history
from customers.ml_service.schema import FEATURES
from customers.models import Customer, HistoryExtent, UnscoredVersion
from customers.releases.active import active_model
from customers.scoring import scorer
from tests.customers.history.pasts import (
    EVENTS,
    a_past_of_its_own,
    as_of,
    happen,
    live_through,
    moment,
    remember_from,
    table,
)
from tests.factories import edit, make_customer, make_customers, make_scored

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def remembered(db):
    active_model()  # once, and not again in each example
    remember_from(timezone.now() - timedelta(days=1))


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(events=EVENTS, pruned=st.integers(0, 13))
def test_whatever_happens_each_list_is_what_the_table_was_and_still_so_after_older_history_was_deleted(events, pruned):
    with a_past_of_its_own():
        kept = live_through(events)
        for at, customers in kept:
            assert as_of(at) == customers
        before, _ = kept[pruned % len(kept)]
        prune_history(before)
        for at, customers in kept:
            if at >= before:
                assert as_of(at) == customers
            else:
                with pytest.raises(NotKeptError):
                    as_of(at)


class TestOneCustomer:
    def history_of(self, *events):
        kept = live_through([(way, [1], age) for way, age in events])
        return [(at, next(it for it in customers if it.customer_id == 1)) for at, customers in kept]

    def test_an_edit_keeps_the_former_score_until_the_next_one(self):
        history = self.history_of(("score", 40), ("edit", 70), ("score", 40))
        (_, first), (between, stale), (_, last) = history
        [found] = [it for it in as_of(between) if it.customer_id == 1]
        assert found == stale
        assert (found.version, found.scored_version, found.score) == (2, 1, first.score)
        assert last.score != first.score

    def test_an_objection_takes_the_score_away_and_its_withdrawal_does_not_bring_it_back(self):
        history = self.history_of(("score", 40), ("object", 40), ("edit", 50), ("withdraw", 40), ("score", 40))
        scores = [next(it for it in as_of(at) if it.customer_id == 1) for at, _ in history]
        assert [it.has_objected for it in scores] == [False, True, True, False, False]
        assert [it.score is None for it in scores] == [False, True, True, True, False]
        assert [it.release is None for it in scores] == [False, True, True, True, False]

    @pytest.mark.parametrize("since", [("withdraw",), ("withdraw", "edit"), ("edit", "withdraw", "edit", "edit")])
    def test_not_even_when_the_history_before_has_been_deleted(self, since):
        history = self.history_of(*((way, 40 + number) for number, way in enumerate(("score", "object", *since))))
        at, withdrawn = history[-1]
        prune_history(at)
        assert withdrawn.score is None
        assert withdrawn in as_of(at)

    def test_what_took_the_score_away_is_deleted_when_a_score_has_come_behind_it(self):
        history = self.history_of(*((way, 40) for way in ("score", "object", "withdraw", "score", "edit")))
        prune_history(history[-1][0])
        assert not UnscoredVersion.objects.filter(customer_id=1, objected_at__isnull=False).exists()

    def test_a_version_that_another_model_scored_again_began_when_it_was_edited(self):
        """The record of that score says when an older version was edited."""
        ways = ("score", "edit", "edit", "score", "edit", "score", "release", "score", "edit", "score")
        for at, customer in self.history_of(*((way, 40 + number) for number, way in enumerate(ways))):
            assert customer in as_of(at)

    def test_a_change_that_waited_for_another_of_the_same_row_is_the_later_one(self):
        """Its statement began first: the version decides, not the time."""
        customer = make_customer(age=30)
        for age in (31, 32, 33):
            edit(customer, age=age)
        UnscoredVersion.objects.filter(customer_id=customer.pk, version=2).update(edited_at=moment())
        [found] = as_of(moment())
        assert (found.version, found.values[FEATURES.index("age")]) == (4, 33)


def test_it_is_read_page_by_page_and_who_leaves_meanwhile_is_in_it(monkeypatch):
    monkeypatch.setattr(module, "PAGE_ROWS", 3)
    make_customers(10)
    while scorer.rescore_batch().claimed:
        pass
    then, at = table(), moment()
    pages = module.read_as_of(at)
    found = next(pages)
    happen(("truncate", [], 0))
    found += [customer for page in pages for customer in page]
    assert found == then


class TestWhatIsNotKept:
    def test_a_moment_before_the_history_is_refused(self, capsys):
        make_scored()
        remember_from(moment())
        with pytest.raises(
            CommandError, match=r"is not known: the history is complete from .* on\. Choose a later time"
        ):
            call_command("customers_as_of", (timezone.now() - timedelta(hours=1)).isoformat())
        assert capsys.readouterr().out == ""

    def test_so_is_one_whose_history_was_deleted(self):
        at = moment()
        make_scored()
        as_of(at)
        prune_history(moment())
        with pytest.raises(NotKeptError):
            as_of(at)

    def test_or_is_deleted_while_it_is_read(self):
        make_scored()
        pages = module.read_as_of(moment())
        next(pages)
        prune_history(moment())
        with pytest.raises(NotKeptError):
            next(pages)

    def test_what_was_deleted_once_is_not_known_again(self):
        late = moment()
        prune_history(late)
        prune_history(late - timedelta(days=30))
        assert HistoryExtent.objects.get().complete_since == late

    def test_without_a_note_it_says_what_makes_one(self):
        HistoryExtent.objects.all().delete()
        with pytest.raises(CommandError, match=r"Run manage\.py prune_history"):
            call_command("customers_as_of", timezone.now().isoformat())
        call_command("prune_history")
        assert as_of(moment()) == []


class TestCommand:
    def test_it_prints_the_list(self, capsys):
        customer, waiting = make_scored(age=41), make_customer(age=42)
        at = moment()
        Customer.objects.all().delete()
        call_command("customers_as_of", at.isoformat())
        rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
        assert [row["customer_id"] for row in rows] == [str(customer.pk), str(waiting.pk)]
        assert (rows[0]["age"], rows[0]["has_cr_card"], rows[0]["balance"]) == ("41", "1", "50000.00")
        assert float(rows[0]["churn_risk_score"]) == customer.churn_risk_score
        assert rows[0]["release"] == str(customer.scored_by_id)
        assert [rows[1][name] for name in ("churn_risk_score", "release", "scored_at")] == ["", "", ""]
        assert "Made Up" not in str(rows)

    def test_or_writes_it_to_a_file_which_is_there_when_it_is_complete(self, tmp_path, capsys, monkeypatch):
        make_customers(3)
        path = tmp_path / "list.csv"
        at = moment().isoformat()
        call_command("customers_as_of", at, "--output", path)
        assert capsys.readouterr().out.startswith("3 customers as of ")
        assert len(path.read_text().splitlines()) == 4
        path.unlink()
        monkeypatch.setattr(module, "read_page", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            call_command("customers_as_of", at, "--output", path)
        assert list(tmp_path.iterdir()) == []

    def test_a_day_is_its_first_moment_in_the_banks_zone(self, capsys):
        make_customer()
        call_command("customers_as_of", timezone.localdate().isoformat())
        assert len(capsys.readouterr().out.splitlines()) == 1

    @pytest.mark.parametrize("text", ["2999-01-01", "yesterday", "2026-02-30"])
    def test_what_is_no_moment_of_the_past_is_refused(self, text):
        with pytest.raises(CommandError, match=r"is in the future|is not a date or time"):
            call_command("customers_as_of", text)
