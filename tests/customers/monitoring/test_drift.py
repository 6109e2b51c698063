"""The portfolio against the release's reference, counted by PostgreSQL."""

import json
import logging
import random
from datetime import timedelta
from io import StringIO
from itertools import pairwise

import numpy as np
import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from customers.ml_service.messages import NO_BREAK
from customers.ml_service.reference import COLUMNS, CONTINUOUS, Intervals, Values, describe
from customers.ml_service.schema import FEATURES
from customers.ml_service.stability import stability_index
from customers.models import Customer, DriftCheck, ImportBatch, ModelRelease
from customers.monitoring import drift
from customers.monitoring.drift import BinMove, ColumnShift, NothingToCompareError, bin_names, measure
from customers.releases.active import active_model
from customers.scoring import scorer
from tests.factories import make_customer, make_scored, random_fields, random_rows, refer_to

pytestmark = pytest.mark.django_db


def row(**fields):
    return tuple({**random_fields(random.Random(1)), **fields}[name] for name in FEATURES)


def shift_in(column, found=None):
    return next(shift for shift in (found or measure()).shifts if shift.column == column)


class TestIndex:
    def test_as_calculated_by_hand(self):
        refer_to([row(is_active_member=active) for active in [True] * 5 + [False] * 5])
        for active in [True] * 6 + [False] * 4:
            make_customer(is_active_member=active)
        # Half were active, six of ten are: 0.1 * ln(1.2) - 0.1 * ln(0.8).
        shift = shift_in("is_active_member")
        assert shift.psi == pytest.approx(0.04054651)
        assert shift.moved_most == BinMove("no", 0.5, 0.4)

    def test_by_tenths_as_calculated_by_hand(self):
        refer_to([row(age=age) for age in range(20, 80)])
        for age in (18, 20, 25, 26, *range(32, 80, 6)):
            make_customer(age=age)
        # Twelve customers: three below 26, one in each of eight other tenths, and one in the second.
        expected = stability_index([0.1] * 10, [3 / 12, *[1 / 12] * 9])
        assert shift_in("age").psi == pytest.approx(expected)
        assert shift_in("age").moved_most == BinMove("below 26", pytest.approx(0.1), 0.25)

    def test_every_column_is_that_of_a_plain_count(self):
        rows = random_rows(400, seed=3)
        refer_to(rows, scores=np.random.default_rng(3).beta(1, 4, 400))
        pick = random.Random(4)
        for _ in range(150):
            make_customer(**{**random_fields(pick), "age": pick.randint(18, 60)})
        scorer.rescore_batch()
        Customer.objects.filter(pk__in=Customer.objects.order_by("pk")[:30].values("pk")).update(age=61)
        found = measure()
        assert (found.customers, found.scores, found.reference_rows) == (150, 120, 400)
        for name in COLUMNS:
            assert shift_in(name, found).psi == pytest.approx(plainly(name)), name

    def test_a_value_that_no_training_customer_had_is_counted_apart(self):
        refer_to([row(tenure=tenure) for tenure in (1, 2) * 10])
        for tenure in (1, 2, 70, 80):
            make_customer(tenure=tenure)
        assert shift_in("tenure").moved_most == BinMove("other", 0.0, 0.5)
        assert shift_in("tenure").psi == pytest.approx(stability_index([0.5, 0.5, 0.0], [0.25, 0.25, 0.5]))

    @pytest.mark.parametrize(
        ("column", "reference", "expected"),
        [
            (
                "score",
                Intervals((0.25, 0.5), (0.2, 0.3, 0.5)),
                ("below 25.0_%", "25.0_% to below 50.0_%", "50.0_% or more"),
            ),
            ("balance", Intervals((127000.0,), (0.4, 0.6)), ("below EUR_127,000", "EUR_127,000 or more")),
            ("age", Intervals((26.0,), (0.4, 0.6)), ("below 26", "26 or more")),
            ("has_cr_card", Values((0, 1), (0.3, 0.7)), ("no", "yes")),
            ("num_of_products", Values((1, 2), (0.3, 0.7)), ("1", "2")),
        ],
    )
    def test_bins_are_called_as_staff_write_such_values(self, column, reference, expected):
        assert bin_names(column, reference) == tuple(name.replace("_", NO_BREAK) for name in expected)

    def test_a_column_of_one_value_in_training_has_one_bin(self):
        refer_to([row(age=40)] * 5)
        make_customer(age=90)
        assert shift_in("age").psi == 0.0


def plainly(name):
    """The index of a column, counted row by row in Python."""
    stored = ModelRelease.objects.active().metadata["reference"]["columns"][name]
    field = {"score": "churn_risk_score"}.get(name, name)
    customers = Customer.objects.filter(stale_since__isnull=True) if name == "score" else Customer.objects.all()
    present = [float(it) if name in CONTINUOUS else it for it in customers.values_list(field, flat=True)]
    if name in CONTINUOUS:
        bounds = [-np.inf, *stored["edges"], np.inf]
        counts = [sum(low <= it < high for it in present) for low, high in pairwise(bounds)]
    else:
        counts = [present.count(value) for value in stored["values"]]
    assert sum(counts) == len(present)
    return stability_index(stored["shares"], [count / len(present) for count in counts])


class TestScores:
    def test_stale_ones_do_not_count(self):
        refer_to(random_rows(20, seed=1))
        current, edited = make_scored(), make_scored()
        make_customer()
        Customer.objects.filter(pk=edited.pk).update(age=77)
        assert (measure().customers, measure().scores) == (3, 1)
        current.delete()
        assert measure().scores == 0

    def test_nor_do_those_of_a_former_model(self):
        make_scored()
        ModelRelease.objects.create(
            sha256="f" * 64,
            fingerprint="f" * 64,
            metadata={"reference": describe(random_rows(20, seed=1), [0.5] * 20)},
        )
        assert (measure().customers, measure().scores) == (1, 0)

    def test_without_any_the_score_is_left_out(self):
        refer_to(random_rows(20, seed=1))
        make_customer()
        assert [shift.column for shift in measure().shifts] == list(FEATURES)


class TestVerdict:
    @pytest.mark.parametrize(
        ("psi", "by_chance", "verdict"),
        [
            (0.099, 0.001, "stable"),
            (0.1, 0.001, "moderate shift"),
            (0.249, 0.001, "moderate shift"),
            (0.25, 0.001, "major shift"),
            (0.3, 0.31, "too few to tell"),
            (0.05, 0.31, "stable"),
        ],
    )
    def test_by_the_usual_thresholds(self, psi, by_chance, verdict):
        assert ColumnShift("age", psi, by_chance, BinMove("any", 1.0, 1.0)).verdict == verdict

    def test_by_those_of_the_settings(self, settings):
        settings.DRIFT_WARNING, settings.DRIFT_ALARM = 0.01, 0.02
        assert ColumnShift("age", 0.015, 0.0, BinMove("any", 1.0, 1.0)).verdict == "moderate shift"
        assert ColumnShift("age", 0.02, 0.0, BinMove("any", 1.0, 1.0)).verdict == "major shift"

    def test_a_handful_of_customers_is_no_drift(self):
        refer_to(random_rows(300, seed=1))
        for country in ("France", "France", "France", "Germany", "Spain"):
            make_customer(credit_score=400, geography=country)
        found = measure()
        assert shift_in("credit_score", found).verdict == "major shift"
        assert shift_in("geography", found).verdict == "too few to tell"


class TestNoReference:
    def test_a_release_without_one_says_so(self):
        _, release = active_model()
        ModelRelease.objects.filter(pk=release.pk).update(metadata={"n_trees": 7})
        with pytest.raises(NothingToCompareError, match=rf"^Release {release.pk} .* has no figures of its training"):
            measure()

    def test_a_broken_one_is_named(self):
        release = refer_to(random_rows(5, seed=1))
        release.metadata["reference"]["columns"]["age"] = {}
        release.save()
        with pytest.raises(NothingToCompareError, match="cannot be used: the shares of age must be a list"):
            measure()

    def test_before_the_first_model(self):
        with pytest.raises(NothingToCompareError, match="No model has been released"):
            measure()

    def test_without_customers(self):
        refer_to(random_rows(5, seed=1))
        with pytest.raises(NothingToCompareError, match="no customers"):
            measure()

    def test_a_release_keeps_what_its_model_json_says(self, assets):
        path = assets / "model.json"
        reference = json.loads(json.dumps(describe(random_rows(50, seed=1), [0.5] * 50)))
        path.write_text(json.dumps({**json.loads(path.read_text()), "reference": reference}))
        active_model()
        make_customer()
        assert measure().reference_rows == 50


@pytest.fixture
def shifted():
    """A hundred customers, all of them older than nearly all in training, and otherwise of no kind."""
    refer_to(random_rows(400, seed=1))
    pick = random.Random(2)
    for _ in range(100):
        make_customer(**{**random_fields(pick), "age": 90})


class TestWhenItIsDue:
    """Before the check of the day: when so many customers have come, gone or been imported that it would be late."""

    def is_due(self, customers, stale=0):
        return drift.is_due(ModelRelease.objects.active_id(), customers, stale)

    def test_before_the_first_model_it_is_not(self):
        assert not drift.is_due(None, 10, 0)

    def test_the_first_check_is_due_once_most_are_scored(self, shifted):
        assert not self.is_due(100, stale=11)
        assert self.is_due(100, stale=10)
        assert not self.is_due(0)

    def test_another_when_a_tenth_has_come_or_gone(self, shifted):
        drift.check()
        assert not self.is_due(110)
        assert self.is_due(111)
        assert not self.is_due(90)
        assert self.is_due(89)

    def test_or_when_as_many_were_imported(self, shifted):
        check = drift.check()
        assert not self.is_due(check.customers)
        ImportBatch.objects.create(
            file_name="f", file_bytes=1, sha256="0" * 64, state="imported", stored_new=1, stored_changed=10
        )
        assert self.is_due(check.customers)
        drift.check()
        assert not self.is_due(check.customers)

    def test_a_release_that_can_not_be_compared_is_not_tried_again_and_again(self, shifted):
        ModelRelease.objects.update(metadata={})
        assert not self.is_due(100)


class TestCheck:
    def test_it_keeps_what_it_found(self, shifted):
        found = drift.check()
        assert found == measure()
        kept = DriftCheck.objects.get()
        assert drift.drift_of(kept) == found
        assert drift.last_check(found.release) == kept

    def test_a_shift_is_a_line_in_the_log(self, shifted, caplog):
        drift.check()
        [line] = [record for record in caplog.records if record.name == "vigilpay.drift"]
        assert line.levelno == logging.WARNING
        assert "trained on: age (PSI " in line.message
        assert ", major shift)" in line.message

    def test_customers_as_they_were_are_none(self, caplog):
        refer_to(random_rows(300, seed=1))
        for values in random_rows(300, seed=1):
            make_customer(**dict(zip(FEATURES, values, strict=True)))
        assert drift.check().warning == ""
        assert "vigilpay.drift" not in [record.name for record in caplog.records]

    def test_those_older_than_the_history_are_forgotten(self, shifted, settings):
        drift.check()
        DriftCheck.objects.update(checked_at=timezone.now() - timedelta(days=settings.HISTORY_DAYS + 1))
        drift.check()
        assert DriftCheck.objects.count() == 1


def run(*arguments):
    """What a call prints, and how it exits."""
    out = StringIO()
    try:
        call_command("drift", *arguments, stdout=out)
    except CommandError as error:
        return out.getvalue(), str(error), error.returncode
    return out.getvalue(), "", 0


class TestCommand:
    def test_it_prints_what_moved_most_first_and_fails_beyond_the_alarm(self, shifted):
        printed, error, code = run()
        lines = printed.splitlines()
        head = "100 customers, 0 of them with an up-to-date score, compared with the 400 customers that release "
        assert lines[0].startswith(head)
        assert lines[2].split() == ["field", "PSI", "result", "largest", "change"]
        assert lines[3].startswith("age ")
        assert "major shift" in lines[3]
        assert "or more: " in lines[3]
        assert len(lines) == 3 + len(FEATURES)
        assert code == 1
        assert error.startswith("The customers differ from those the model was trained on: age (PSI ")

    def test_below_the_alarm_it_succeeds(self, shifted, settings):
        settings.DRIFT_ALARM = 100.0
        assert run()[1:] == ("", 0)

    def test_as_json(self, shifted):
        printed, _, code = run("--json")
        told = json.loads(printed)
        assert (told["customers"], told["reference_rows"], code) == (100, 400, 1)
        age = next(shift for shift in told["shifts"] if shift["column"] == "age")
        assert age["verdict"] == "major shift"
        assert set(age["moved_most"]) == {"bin", "reference_share", "share"}

    def test_it_keeps_nothing(self, shifted):
        run()
        assert not DriftCheck.objects.exists()

    def test_with_nothing_to_compare_it_says_why(self):
        assert run() == ("", "Nothing was compared. No model has been released yet.", 2)


def test_customers_who_have_objected_are_left_out():
    refer_to([row(is_active_member=active) for active in [True, False] * 5])
    make_customer(is_active_member=False)
    make_customer(is_active_member=True, objected_at=timezone.now())
    found = measure()
    assert found.customers == 1
    assert shift_in("is_active_member", found).moved_most.share in (0.0, 1.0)
