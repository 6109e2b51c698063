"""Scores as they were stored, against who left since."""

import json
import random
from datetime import date, datetime, timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone
from sklearn.metrics import roc_auc_score

from customers.import_export.outcomes import import_outcomes
from customers.models import Customer, ModelRelease, Outcome, OutcomesComplete, ScoreRecord
from customers.monitoring import evaluation
from customers.monitoring.evaluation import NothingToEvaluateError, Window, evaluate
from customers.presentation.durations import format_day
from customers.scoring import scorer
from tests.customers.import_export.csv_files.texts import text_of, write_text
from tests.factories import make_customer, random_fields

pytestmark = pytest.mark.django_db

TODAY = timezone.localdate()
# The window of most tests: the thirty days from here on.
FIRST_DAY = TODAY - timedelta(days=60)
LAST_DAY = FIRST_DAY + timedelta(days=29)


NO_CONTROL_GROUP = (
    "There is no control group, so the effect of contacts is not known. Set VIGILPAY_CONTROL_SHARE, for example to "
    "0.05: a random 5 % of the customers is then in no worklist."
)


def after(days):
    return FIRST_DAY + timedelta(days=days)


def scored(score, *, on=FIRST_DAY - timedelta(days=5), customer=None, release=1):
    """A customer with a record of this score, stored at noon of that day."""
    customer = customer or make_customer()
    at = timezone.make_aware(datetime.combine(on, datetime.min.time().replace(hour=12)))
    ScoreRecord.objects.create(
        customer_id=customer.pk, score=score, version=1, scored_by_id=release, cause="created", scored_at=at
    )
    return customer


def left(customer, day):
    Outcome.objects.create(customer_id=customer.pk, left_on=day)
    return customer


def complete(until=TODAY):
    OutcomesComplete.objects.create(until=until)


def judgements(**options):
    return evaluate(**{"days": 30, "first_day": FIRST_DAY, **options}).judgements


def fates_of(**options):
    """Score and fate of all that were judged, and how many are unknown."""
    window = Window(FIRST_DAY, LAST_DAY)
    found = evaluation.fates(window, options.get("release"))
    known = sorted((score, is_gone) for it in found.values() for score, is_gone in zip(it.scores, it.left, strict=True))
    return known, sum(it.unknown for it in found.values())


class TestStory:
    def test_scored_then_left(self):
        for score, day in [(0.9, after(3)), (0.8, None), (0.3, after(10)), (0.1, None)] * 25:
            customer = scored(score)
            if day:
                left(customer, day)
        complete()
        # Of four pairs of one who left and one who stayed, three have the higher score on the one who left.
        [judgement] = judgements()
        assert (judgement.release, judgement.customers, judgement.left, judgement.unknown) == (1, 100, 50, 0)
        assert judgement.performance.roc_auc == 0.75
        assert judgement.performance.brier == pytest.approx((0.1**2 + 0.8**2 + 0.7**2 + 0.1**2) / 4)

    def test_from_the_first_score_to_the_figures(self, tmp_path):
        pick = random.Random(8)
        customers = [make_customer(**random_fields(pick)) for _ in range(200)]
        assert scorer.rescore_batch().stored == 200
        ScoreRecord.objects.update(scored_at=timezone.now() - timedelta(days=90))
        then = dict(ScoreRecord.objects.values_list("customer_id", "score"))
        # What became of them since: new values, and a new score, which was not known at the time.
        Customer.objects.update(age=91)
        for customer in customers:
            scorer.analyze(customer.pk)
        gone = {customer.pk for customer in customers if pick.random() < (0.9 if then[customer.pk] > 0.3 else 0.3)}
        rows = [[str(customer_id), after(7).isoformat()] for customer_id in gone]
        path = write_text(tmp_path / "left.csv", text_of([["customer_id", "date"], *rows]))
        import_outcomes(path, observed_until=TODAY)
        [judgement] = judgements()
        assert (judgement.customers, judgement.left) == (200, len(gone))
        expected = roc_auc_score([customer.pk in gone for customer in customers], [then[it.pk] for it in customers])
        assert judgement.performance.roc_auc == pytest.approx(expected)


class TestWhichScore:
    def test_the_last_one_before_the_window(self):
        customer = scored(0.1, on=after(-9))
        scored(0.2, on=after(-1), customer=customer)
        scored(0.3, on=after(0), customer=customer)
        complete()
        assert fates_of() == ([(0.2, False)], 0)

    def test_who_was_scored_only_since_is_not_judged(self):
        scored(0.3, on=after(0))
        complete()
        assert fates_of() == ([], 0)
        with pytest.raises(NothingToEvaluateError, match=f"No customer had a score before {format_day(FIRST_DAY)}"):
            judgements()

    def test_each_release_is_judged_by_itself(self):
        scored(0.1, release=4)
        scored(0.2, release=3)
        twice = scored(0.3, on=after(-9), release=3)
        scored(0.4, on=after(-2), release=4, customer=twice)
        complete()
        assert [(it.release, it.customers) for it in judgements()] == [(3, 1), (4, 2)]
        assert [(it.release, it.customers) for it in judgements(release=3)] == [(3, 1)]
        with pytest.raises(NothingToEvaluateError, match="Release 5 gave no customer's last score"):
            judgements(release=5)


class TestFate:
    @pytest.mark.parametrize(("days", "fate"), [(0, True), (29, True), (30, False), (45, False)])
    def test_who_left_within_the_window_did(self, days, fate):
        left(scored(0.5), after(days))
        assert fates_of() == ([(0.5, fate)], 0)

    def test_who_was_gone_before_it_is_not_judged(self):
        left(scored(0.5), after(-1))
        complete()
        assert fates_of() == ([], 0)

    def test_of_those_without_a_word_nothing_is_known(self):
        scored(0.5)
        assert fates_of() == ([], 1)

    @pytest.mark.parametrize(("days", "known"), [(28, False), (29, True), (40, True)])
    def test_until_all_who_left_up_to_its_end_are_known(self, days, known):
        scored(0.5)
        complete(after(days))
        assert fates_of() == (([(0.5, False)], 0) if known else ([], 1))

    @pytest.mark.parametrize(("days", "known"), [(28, False), (29, True), (40, True)])
    def test_or_the_customer_was_there_at_its_end(self, days, known):
        Outcome.objects.create(customer_id=scored(0.5).pk, stayed_until=after(days))
        assert fates_of() == (([(0.5, False)], 0) if known else ([], 1))

    def test_who_was_deleted_without_an_outcome_may_have_left(self):
        scored(0.5).delete()
        complete()
        assert fates_of() == ([], 1)

    def test_who_was_deleted_after_leaving_has_left(self):
        left(scored(0.5), after(3)).delete()
        complete()
        assert fates_of() == ([(0.5, True)], 0)


class TestWindow:
    def test_by_default_it_is_the_last_one_that_is_known_to_the_end(self):
        scored(0.5)
        complete(TODAY - timedelta(days=3))
        window = evaluate(days=10).window
        assert window == Window(TODAY - timedelta(days=12), TODAY - timedelta(days=3))
        assert window.begins.date() == window.first_day

    def test_one_that_is_not_over_is_refused(self):
        complete(LAST_DAY - timedelta(days=1))
        with pytest.raises(
            NothingToEvaluateError, match=f"can begin on {format_day(FIRST_DAY - timedelta(days=1))} at"
        ):
            judgements()

    def test_the_last_day_of_a_customer_who_stayed_is_a_day_that_is_known(self):
        Outcome.objects.create(customer_id=scored(0.5).pk, stayed_until=LAST_DAY)
        assert judgements()[0].customers == 1

    def test_one_whose_scores_are_no_longer_kept_is_refused(self, settings):
        settings.HISTORY_DAYS = 59
        complete()
        with pytest.raises(NothingToEvaluateError, match="are not kept"):
            judgements()

    @pytest.mark.parametrize("beyond", [{"days": 99_999_999_999}, {"days": 1, "first_day": date.max}])
    def test_one_beyond_the_calendar_is_refused(self, beyond):
        complete()
        with pytest.raises(NothingToEvaluateError):
            evaluate(**beyond)

    def test_without_a_customer_who_is_known_to_have_stayed_there_is_none(self):
        left(scored(0.5), after(3))
        with pytest.raises(NothingToEvaluateError, match="No customer is known to have stayed"):
            judgements()


def run(*arguments):
    """What a call prints, and how it exits."""
    out = StringIO()
    try:
        call_command("evaluate_model", "--horizon=30", *arguments, stdout=out)
    except CommandError as error:
        return f"{out.getvalue()}{error}", error.returncode
    return out.getvalue().replace("\N{NO-BREAK SPACE}", " "), 0


@pytest.fixture
def many():
    """A hundred customers of whom the sixty with the highest scores left, and one of whom nothing is known since."""
    release = ModelRelease.objects.create(sha256="a" * 64, fingerprint="a" * 64)
    for number in range(120):
        customer = scored(number / 120, release=release.pk)
        if number >= 60:
            left(customer, after(3))
    scored(0.5, release=release.pk).delete()
    complete()
    return release


class TestCommand:
    def test_it_prints_figures_and_the_calibration(self, many):
        said, code = run(f"--as-of={FIRST_DAY}")
        lines = said.splitlines()
        first, last = format_day(FIRST_DAY), format_day(LAST_DAY)
        assert lines[0] == f"Last scores stored before {first}, and customers who left from {first} to {last}"
        assert lines[2].startswith(f"Release {many.pk}: 120 customers, 60 of them left; 1 more are not used")
        assert [" ".join(line.split()) for line in lines[4:7]] == [
            "ROC AUC 1.0000 ± 0.0000",
            "PR AUC 1.0000",
            "Brier score 0.0833",
        ]
        assert "lift at 10 %       2.00" in said
        assert lines[-13].split() == ["12", "4.6", "%", "0.0", "%"]
        assert lines[-4].split() == ["12", "94.6", "%", "100.0", "%"]
        assert lines[-2:] == ["Control group", NO_CONTROL_GROUP]
        assert code == 0

    def test_as_json(self, many):
        told = json.loads(run(f"--as-of={FIRST_DAY}", f"--release={many.pk}", "--json")[0])
        assert told["window"] == {"first_day": str(FIRST_DAY), "last_day": str(LAST_DAY)}
        assert told["judgements"][0]["performance"]["roc_auc"] == 1.0
        assert len(told["judgements"][0]["performance"]["calibration"]) == 10

    def test_too_few_are_said_to_be(self):
        left(scored(0.5), after(3))
        scored(0.1)
        complete()
        said, code = run(f"--as-of={FIRST_DAY}")
        assert "Release 1: 2 customers, 1 of them left\n" in said
        assert "Too few to judge: at least 50 customers who left and 50 who stayed are needed." in said
        assert code == 0

    def test_with_nothing_to_go_by_it_says_what_to_do(self):
        said, code = run()
        assert "import_outcomes" in said
        assert code == 1

    def test_a_day_that_is_none_is_refused(self):
        assert "--as-of" in run("--as-of=yesterday")[0]


def test_days_are_those_of_the_time_zone(settings):
    settings.TIME_ZONE = "Asia/Tokyo"
    with timezone.override("Asia/Tokyo"):
        assert Window(date(2026, 1, 2), date(2026, 1, 3)).begins.utctimetuple()[:5] == (2026, 1, 1, 15, 0)


def test_customers_who_have_objected_are_left_out():
    scored(0.9)
    Customer.objects.filter(pk=scored(0.8).pk).update(objected_at=timezone.now())
    complete()
    assert fates_of() == ([(0.9, False)], 0)
