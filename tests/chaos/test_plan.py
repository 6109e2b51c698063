"""A seed is a plan."""

from tests.chaos import plan
from tests.chaos.faults import FAULTS
from tests.chaos.settings import SHORT

ALWAYS = {"kill -9 an idle worker", "crash PostgreSQL (immediate)", "release a model with other label codes"}


def names(seed, **options):
    return [fault.name for fault in plan.faults(seed, **options)]


def test_the_same_seed_gives_the_same_faults_in_the_same_order_and_another_seed_others():
    assert names("7", short=False) == names("7", short=False)
    assert names("7", short=False) != names("8", short=False)


def test_a_long_storm_has_every_fault():
    assert sorted(names("7", short=False)) == sorted(FAULTS)


def test_short_storms_have_those_that_were_the_worst_and_differ_in_the_others():
    plans = [set(names(str(seed), short=True)) for seed in range(20)]
    assert all(plan >= ALWAYS and len(plan) == SHORT.faults for plan in plans)
    assert len(set.union(*plans)) > 10


def test_short_storms_know_the_faults_of_a_banks_own_database():
    drawn = set.union(*(set(names(str(seed), short=True)) for seed in range(60)))
    assert {name.split(" ")[0] for name in drawn} >= {"a", "such", "editors", "hostile", "restart"}
    assert not [name for name in drawn if FAULTS[name].needs or FAULTS[name].refusals], "these take too long"


def test_faults_can_be_chosen_by_a_part_of_their_names():
    assert set(names("7", short=True, only=["PostgreSQL (", "pusher"])) == {
        "restart PostgreSQL (fast)",
        "crash PostgreSQL (immediate)",
        "kill -9 the pusher",
    }
