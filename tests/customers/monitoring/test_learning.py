"""What a forest may learn from the history: values as they were on the day, and who left from then on."""

from datetime import timedelta
from decimal import Decimal

import numpy as np
import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from customers.history.as_of import NotKeptError
from customers.management.commands import train_model
from customers.management.training_report import about_past
from customers.ml_service.errors import InputError
from customers.ml_service.forest.encoding import Encodings
from customers.ml_service.schema import set_bounds
from customers.ml_service.training import Trained, TrainingData, TrainingDataError
from customers.models import CategoryAlias, Customer, Outcome, OutcomesComplete
from customers.monitoring.learning import PastCustomers, about_left_out, gather, read_past
from customers.monitoring.window import Window
from customers.presentation.durations import format_day
from customers.releases.active import active_model
from tests.customers.history.pasts import (
    EVENTS,
    IDS,
    a_past_of_its_own,
    let_all_be_earlier,
    live_through,
    remember_from,
    table,
)
from tests.factories import edit, make_customer

pytestmark = pytest.mark.django_db

TODAY = timezone.localdate()
DAYS = 30
FIRST_DAY = TODAY - timedelta(days=60)
WINDOW = Window(FIRST_DAY, FIRST_DAY + timedelta(days=DAYS - 1))
# On a day before the window, in it, or behind it; of the others nothing is known.
FATES = st.dictionaries(
    st.sampled_from(IDS),
    st.tuples(st.sampled_from(["left", "stayed"]), st.sampled_from([-5, 0, 10, 29, 30, 50])),
    max_size=4,
)


def note_outcome(customer_id, fate, days):
    day = FIRST_DAY + timedelta(days=days)
    Outcome.objects.create(customer_id=customer_id, **{"left_on" if fate == "left" else "stayed_until": day})


def reconstructed(then, now, last_rows, fates, all_leavers_known):
    """The same, row by row, from the table of that day and of today, and the last row that each id had."""
    present = {it.customer_id: it for it in now}
    expected = PastCustomers(WINDOW)
    for customer in then:
        fate, days = fates.get(customer.customer_id, ("unknown", 0))
        here = present.get(customer.customer_id)
        if customer.has_objected or (here or last_rows[customer.customer_id]).has_objected:
            expected.objected += 1
        elif fate == "left" and days < 0:
            expected.left_before += 1
        elif fate == "left" or (fate == "stayed" and days >= DAYS - 1):
            expected.rows.append(plain(customer.values))
            expected.labels.append(fate == "left" and days < DAYS)
        elif all_leavers_known and here:
            expected.rows.append(plain(customer.values))
            expected.labels.append(False)
        else:
            expected.unknown += 1
    return expected


def plain(values):
    return tuple(value if isinstance(value, str) else float(value) for value in values)


@pytest.fixture(autouse=True)
def model(db):
    active_model()  # once, and not again in each example


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(events=EVENTS, day=st.integers(0, 13), fates=FATES, all_leavers_known=st.booleans())
def test_it_is_what_the_table_was_on_that_day_and_nothing_that_came_later(events, day, fates, all_leavers_known):
    with a_past_of_its_own():
        kept = live_through(events)
        at, then = kept[day % len(kept)]
        last_rows = {it.customer_id: it for _, customers in kept for it in customers}
        now = table()
        let_all_be_earlier(at - WINDOW.begins)
        for customer_id, (fate, days) in fates.items():
            note_outcome(customer_id, fate, days)
        if all_leavers_known:
            OutcomesComplete.objects.create(until=TODAY)
        assert gather(WINDOW) == reconstructed(then, now, last_rows, fates, all_leavers_known)


@pytest.fixture
def bank():
    """Twenty customers of long ago, ten of whom left in the window; all outcomes are known."""
    remember_from(timezone.now())
    words = {0: {"geography": "DEUTSCHLAND"}, 1: {"geography": "Germany"}, 2: {"geography": "Italy\u00a0"}}
    others = {**words, 3: {"gender": "F"}, 19: {"credit_score": 250}}
    customers = [make_customer(age=30 + number, **others.get(number, {})) for number in range(20)]
    let_all_be_earlier(timezone.now() - WINDOW.begins + timedelta(hours=1))
    for customer in customers[::2]:
        Outcome.objects.create(customer_id=customer.pk, left_on=FIRST_DAY + timedelta(days=3))
    OutcomesComplete.objects.create(until=TODAY)
    return customers


@pytest.fixture
def least_score():
    """Raise the least credit score that a customer can have."""
    yield lambda low: set_bounds({"credit_score": (Decimal(low), Decimal(1000))})
    set_bounds({})


def ages(past):
    return past.data.column("age")


class TestRead:
    def test_values_of_that_day_and_who_left_since(self, bank):
        Customer.objects.update(age=91)
        past = read_past(DAYS, FIRST_DAY)
        assert ages(past) == [float(30 + number) for number in range(20)]
        assert past.data.labels.tolist() == [1, 0] * 10

    def test_who_came_later_is_not_among_them(self, bank):
        late = make_customer(age=77)
        Outcome.objects.create(customer_id=late.pk, left_on=TODAY)
        assert 77.0 not in ages(read_past(DAYS, FIRST_DAY))

    def test_who_objects_now_is_left_out_and_counted_also_after_leaving(self, bank):
        Customer.objects.filter(pk__in=[bank[0].pk, bank[1].pk]).set_objection(True)
        Customer.objects.filter(pk=bank[0].pk).delete()
        past = read_past(DAYS, FIRST_DAY)
        assert (past.objected, ages(past)) == (2, [float(32 + number) for number in range(18)])

    def test_of_whom_nothing_is_known_is_left_out_and_counted(self, bank):
        Customer.objects.filter(pk=bank[1].pk).delete()
        past = read_past(DAYS, FIRST_DAY)
        assert (past.unknown, len(past.data.rows)) == (1, 19)

    def test_who_had_impossible_values_by_the_present_bounds_is_left_out_and_counted(self, bank, least_score):
        least_score(300)
        past = read_past(DAYS, FIRST_DAY)
        assert (past.impossible, ages(past)) == (1, [float(30 + number) for number in range(19)])
        assert "Not used because a value is not possible by the present bounds: 1." in about_left_out(past)

    def test_words_of_then_are_read_as_files_are_and_those_who_had_others_are_counted(self, bank):
        CategoryAlias.objects.create(field="geography", written="Deutschland", meant="Germany")
        CategoryAlias.objects.create(field="gender", written="F", meant="Female")
        past = read_past(DAYS, FIRST_DAY)
        assert past.data.column("geography")[:4] == ["Germany", "Germany", "Italy", "France"]
        assert past.data.column("gender")[:5] == ["Male", "Male", "Male", "Female", "Male"]
        assert past.reworded == 3
        assert "Used with the country or gender that an import would store: 3 customers." in about_past(past)

    def test_without_a_day_it_is_the_latest_possible(self, bank):
        OutcomesComplete.objects.create(until=WINDOW.last_day)
        assert read_past(DAYS).window == WINDOW

    def test_too_few_are_refused_with_the_numbers(self, bank):
        Outcome.objects.filter(customer_id__in=[it.pk for it in bank[8:]]).delete()
        with pytest.raises(TrainingDataError, match=r"4 left from .*, and 16 stayed\. .* left before: 0\. "):
            read_past(DAYS, FIRST_DAY)

    def test_a_day_before_the_history_is_refused(self, bank):
        with pytest.raises(NotKeptError):
            read_past(DAYS, FIRST_DAY - timedelta(days=1))


class TestCommand:
    @pytest.fixture
    def trained_on(self, monkeypatch, assets):
        """What it would train on; no forest is trained."""
        seen = []

        def stop(data, **_how):
            seen.append(data)
            raise TrainingDataError("Stopped.")

        monkeypatch.setattr(train_model, "train", stop)
        return seen

    def run(self, *arguments):
        with pytest.raises(CommandError) as refused:
            call_command("train_model", *map(str, arguments))
        return str(refused.value)

    def test_it_trains_on_the_customers_of_that_day_and_says_whom_it_leaves_out(self, bank, trained_on, capsys):
        edit(bank[0], age=91)
        Customer.objects.filter(pk=bank[1].pk).set_objection(True)
        assert self.run("--from-history", "--as-of", FIRST_DAY, "--horizon", DAYS) == "Stopped. Nothing was trained."
        [data] = trained_on
        assert data.column("age") == [30.0, *(float(30 + number) for number in range(2, 20))]
        out = capsys.readouterr().out
        assert out.startswith(f"19 customers as they stood when {format_day(FIRST_DAY)} began; 52.6")
        assert "Not used because they objected to profiling: 1.\n" in out

    def test_values_that_no_model_takes_are_refused_in_words(self, bank, trained_on, monkeypatch):
        def refuse(_data, **_how):
            raise InputError("credit_score is -1; expected a whole number from 0 to 1,000", row=3)

        monkeypatch.setattr(train_model, "train", refuse)
        told = self.run("--from-history", "--as-of", FIRST_DAY, "--horizon", DAYS)
        assert told.endswith("expected a whole number from 0 to 1,000. Nothing was trained.")

    @pytest.mark.parametrize(
        ("arguments", "told"),
        [
            ([], "Name a file to train on, or give --from-history"),
            (["a.csv", "--from-history"], "Name a file to train on, or give --from-history"),
            (["a.csv", "--horizon", "30"], "--as-of and --horizon are about the history"),
            (["--from-history", "--strict"], "--decimal, --strict and mappings are about a file"),
            (["--from-history"], "No customer is known to have stayed"),
        ],
    )
    def test_options_that_do_not_go_together_are_refused_and_outcomes_that_are_missing(
        self, arguments, told, trained_on
    ):
        assert told in self.run(*arguments)
        assert trained_on == []

    def test_a_day_before_the_history_is_refused_in_words(self, bank, trained_on):
        told = self.run("--from-history", "--as-of", FIRST_DAY - timedelta(days=2), "--horizon", DAYS)
        assert "the history is complete from" in told
        assert told.endswith("Nothing was trained.")


def test_the_metadata_says_which_day_and_horizon_it_learned_from():
    facts = {"from_history": {"as_of": "2026-03-31", "horizon_days": 30}}
    trained = Trained(b"", Encodings(), {"training": {"rows": 20}}, TrainingData([], np.array([])), np.array([]))
    assert train_model.with_facts(trained, facts).metadata["training"] == {"rows": 20, **facts}
