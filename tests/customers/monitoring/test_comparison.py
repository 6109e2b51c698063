"""Whether contacts keep customers: a true effect is found, and where there is none, one time in twenty."""

import json
from datetime import timedelta

import numpy as np
import pytest
from django.utils import timezone

from customers.models import Contact, ControlGroup, Customer, Outcome, ScoreRecord
from customers.monitoring.comparison import Group, compare, difference_of
from customers.monitoring.evaluation import evaluate
from customers.outreach.control import is_in_control
from tests.customers.monitoring.test_evaluation import FIRST_DAY, NO_CONTROL_GROUP, after, complete, run, scored
from tests.factories import A_CUSTOMER

CAMPAIGNS = 1000
CUSTOMERS = 1000
LEAST = 0.5


def group(left, customers):
    return Group(customers, left, left / customers)


def campaign(seed, *, share=0.2, kept=0.0):
    """Made-up customers, of whom a control group is left alone; of the others, contacts keep this share of leavers."""
    chance = np.random.default_rng(seed)
    drawn = ControlGroup(seed=seed, share=share)
    control = np.array([is_in_control(customer_id, drawn) for customer_id in range(1, CUSTOMERS + 1)])
    scores = chance.random(CUSTOMERS)
    left = chance.random(CUSTOMERS) < scores * 0.6
    left &= control | (chance.random(CUSTOMERS) >= kept)
    contacted = ~control & (chance.random(CUSTOMERS) < scores)
    return scores, left, control, contacted


class TestInterval:
    @pytest.mark.parametrize(
        ("one", "other", "low", "high"),
        [
            # Newcombe 1998, table II, method 10: 56/70 and 48/80, 9/10 and 3/10, 10/10 and 0/10.
            ((56, 70), (48, 80), 0.0524, 0.3339),
            ((9, 10), (3, 10), 0.1705, 0.8090),
            ((10, 10), (0, 10), 0.6075, 1.0),
        ],
    )
    def test_it_is_the_published_one(self, monkeypatch, one, other, low, high):
        monkeypatch.setattr("customers.monitoring.comparison.FEWEST_IN_GROUP", 1)
        found = difference_of(group(*one), group(*other))
        assert found[1:] == (pytest.approx(low, abs=5e-5), pytest.approx(high, abs=5e-5))


class TestCampaigns:
    def test_one_in_twenty_without_any_effect_is_a_false_alarm(self):
        """The seeds are 1 to 1,000, and were not chosen by what comes out."""
        verdicts = [compare(*campaign(seed), least_score=LEAST).verdict for seed in range(1, CAMPAIGNS + 1)]
        alarms = verdicts.count("fewer left") + verdicts.count("more left")
        assert alarms + verdicts.count("may be chance") == CAMPAIGNS
        assert 0.03 * CAMPAIGNS <= alarms <= 0.07 * CAMPAIGNS

    def test_an_effect_is_found(self):
        found = [compare(*campaign(seed, kept=0.5), least_score=LEAST) for seed in range(1, 31)]
        assert [it.verdict for it in found].count("fewer left") >= 28
        # Of some 45 % who would leave, half are kept.
        assert np.mean([it.difference for it in found]) == pytest.approx(0.225, abs=0.02)

    def test_contacts_that_drive_customers_away_are_found_too(self):
        scores, left, control, contacted = campaign(7)
        assert compare(scores, left | ~control, control, contacted, least_score=LEAST).verdict == "more left"

    def test_customers_below_the_worklists_range_do_not_count(self):
        scores, left, control, contacted = campaign(7)
        other_fates = np.where(scores >= LEAST, left, ~left)
        assert compare(scores, left, control, contacted, least_score=LEAST) == compare(
            scores, other_fates, control, contacted, least_score=LEAST
        )

    def test_those_contacted_are_counted_among_those_who_could_be(self):
        found = compare(*campaign(7), least_score=LEAST)
        assert found.contacted.customers + found.not_contacted.customers == found.others.customers
        assert found.contacted.left + found.not_contacted.left == found.others.left

    @pytest.mark.parametrize(("control", "gone"), [(49, 20), (60, 9)])
    def test_of_too_few_nothing_is_said(self, control, gone):
        is_control = np.arange(500) < control
        left = np.arange(500) % 500 < gone
        none = np.zeros(500, dtype=bool)
        found = compare(np.ones(500), left, is_control, none, least_score=LEAST)
        assert (found.verdict, found.difference, found.low, found.high) == ("too few", None, None, None)
        assert found.contacted == Group(0, 0, None)


def store(scores, left, contacted, *, release=1, days_ago=75):
    """Customers 1 to n with these scores from before the window, and what became of them."""
    before = timezone.now() - timedelta(days=days_ago)
    in_time = timezone.now() - timedelta(days=59)
    ids = range(1, len(scores) + 1)
    Customer.objects.bulk_create([Customer(customer_id=it, **A_CUSTOMER) for it in ids])
    ScoreRecord.objects.bulk_create(
        ScoreRecord(customer_id=it, score=score, version=1, scored_by_id=release, cause="created", scored_at=before)
        for it, score in zip(ids, scores, strict=True)
    )
    Outcome.objects.bulk_create(
        Outcome(customer_id=it, left_on=after(20)) for it, gone in zip(ids, left, strict=True) if gone
    )
    Contact.objects.bulk_create(
        Contact(customer_id=it, by="ann", channel="phone", outcome="informed", at=in_time)
        for it, was in zip(ids, contacted, strict=True)
        if was
    )
    complete()


def rescore(chosen, score):
    """Give these customers another score just before the window."""
    before = dict(ScoreRecord.objects.values_list("customer_id", "score"))
    at = timezone.now() - timedelta(days=62)
    changed = {"score": score, "version": 2, "scored_by_id": 1, "cause": "edited", "scored_at": at}
    ScoreRecord.objects.bulk_create(
        ScoreRecord(customer_id=it, previous_score=before[it], **changed)
        for it in (np.flatnonzero(chosen) + 1).tolist()
    )


def drawn(seed, share=0.2, *, days_ago=70):
    return ControlGroup.objects.create(seed=seed, share=share, since=timezone.now() - timedelta(days=days_ago))


def evaluated(**options):
    return evaluate(days=30, first_day=FIRST_DAY, **options)


@pytest.mark.django_db
class TestInTheDatabase:
    @pytest.mark.parametrize("seed", [1, 2, 3])
    def test_it_compares_the_same_customers(self, seed):
        scores, left, control, contacted = campaign(seed, kept=0.3)
        drawn(seed)
        store(scores, left, contacted)
        found = evaluated()
        assert found.comparison == compare(scores, left, control, contacted, least_score=LEAST)
        assert found.no_comparison == ""

    def test_one_release_changes_nothing_of_it(self):
        scores, left, _control, contacted = campaign(4)
        drawn(4)
        store(scores, left, contacted)
        ScoreRecord.objects.filter(customer_id__lte=CUSTOMERS // 2).update(scored_by_id=2)
        assert evaluated(release=2).comparison == evaluated().comparison

    def test_a_contact_that_reached_no_one_or_came_too_late_is_none(self):
        store([0.9] * 4, [True] * 4, [True] * 4)
        drawn(1, 0.000001)
        Contact.objects.filter(customer_id=1).update(outcome="not reached")
        Contact.objects.filter(customer_id=2).update(at=timezone.now() - timedelta(days=30))  # after the window
        Contact.objects.filter(customer_id=3).update(at=timezone.now() - timedelta(days=38))  # after leaving
        assert evaluated().comparison.contacted.customers == 1

    def test_without_a_control_group_it_says_what_to_set(self):
        store([0.9], [False], [False])
        found = evaluated()
        assert (found.comparison, found.no_comparison) == (None, NO_CONTROL_GROUP)

    def test_a_window_from_before_the_group_was_drawn_compares_nothing(self):
        store([0.9], [False], [False])
        drawn(1, days_ago=59)
        assert evaluated().comparison is None
        assert "the window begins before it" in evaluated().no_comparison

    def test_a_group_from_before_the_kept_scores_compares_nothing(self, settings):
        settings.HISTORY_DAYS = 65
        store([0.9], [False], [False])
        drawn(1, days_ago=70)
        assert evaluated().comparison is None
        assert "the scores of that day are no longer kept" in evaluated().no_comparison

    def test_accepted_offers_that_lower_scores_do_not_reverse_the_verdict(self):
        """By the score before the window those who were kept would be gone from the others, and those who were lost."""
        scores, left, control, contacted = campaign(6, kept=0.5)
        would_leave = campaign(6)[1]
        drawn(6, days_ago=200)
        store(scores, left, contacted, days_ago=210)
        rescore(would_leave & ~left & ~control, 0.1)
        early = np.flatnonzero(left & (np.arange(CUSTOMERS) % 2 == 0)) + 1
        Outcome.objects.filter(customer_id__in=early.tolist()).update(left_on=after(-90))
        found = evaluated()
        expected = compare(scores, left, control, contacted, least_score=LEAST)
        assert (found.comparison.control, found.comparison.others) == (expected.control, expected.others)
        assert found.comparison.verdict == "fewer left"
        assert found.compared.last_day == found.window.last_day

    def test_a_score_that_is_no_longer_kept_stands_in_the_next_one(self):
        store([0.9, 0.2], [False, False], [False, False])
        drawn(1, 0.000001)
        rescore(np.array([True, True]), 0.6)
        ScoreRecord.objects.filter(scored_at__lt=timezone.now() - timedelta(days=72)).delete()
        assert evaluated().comparison.others.customers == 1

    @pytest.mark.parametrize(("day", "counts"), [(-3, True), (3, False)])
    def test_who_came_later_counts_by_the_first_score(self, day, counts):
        drawn(1, 0.000001)
        scored(0.1, on=FIRST_DAY - timedelta(days=20))
        late = scored(0.9, on=after(day))
        scored(0.1, on=after(day), customer=late)
        complete()
        assert evaluated().comparison.others.customers == counts


@pytest.mark.django_db
class TestCommand:
    def said(self, *arguments):
        return run(f"--as-of={FIRST_DAY}", *arguments)[0]

    def test_it_prints_groups_difference_and_interval(self):
        scores, left, _, contacted = campaign(5, kept=0.5)
        drawn(5)
        store(scores, left, contacted)
        found, said = evaluated().comparison, self.said()
        assert "Customers with a score of 50.0 % or more when they were assigned" in said
        share = f"{100 * found.control.share_left:.1f} %"
        assert ["control", "group", str(found.control.customers), str(found.control.left), *share.split()] in [
            line.split() for line in said.splitlines()
        ]
        assert f"Control group less all others: {100 * found.difference:+.1f} points (95 % interval " in said
        assert "Fewer customers left where contacts were possible." in said

    def test_too_few_are_said_to_be(self):
        drawn(5)
        store([0.9] * 20, [True] * 20, [False] * 20)
        assert "Too few to tell: at least 50 customers in each group, and 10 who left, are needed." in self.said()

    def test_what_may_be_chance_is_called_so(self):
        scores, left, _, contacted = campaign(5)
        drawn(5)
        store(scores, left, contacted)
        assert "The interval contains 0: the difference may be chance." in self.said()

    def test_json_keeps_its_keys_and_has_the_comparison(self):
        scores, left, _, contacted = campaign(5)
        drawn(5)
        store(scores, left, contacted)
        told = json.loads(self.said("--json"))
        assert {"window", "judgements", "compared", "comparison", "no_comparison"} == set(told)
        assert {"release", "customers", "left", "unknown", "performance"} == set(told["judgements"][0])
        assert told["comparison"]["control"]["customers"] == evaluated().comparison.control.customers
