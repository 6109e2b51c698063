"""What makes a storm fail, and what its line says then."""

from collections import Counter

import pytest

from tests.chaos.checks import Findings
from tests.chaos.editors import Tally
from tests.chaos.table import HEAD, RULE, Line, skipped


def tally(made=100, refused=0, slowest=0.1):
    return Tally(Counter({"some way": made}), refused=refused, slowest_seconds=slowest)


@pytest.mark.parametrize(
    ("now", "without_us", "good"),
    [
        (tally(), tally(), True),
        (tally(refused=1), tally(), True),  # 1 % is chance
        (tally(refused=3), tally(), False),
        (tally(refused=12), tally(refused=10), True),
        (tally(refused=30), tally(refused=10), False),
        (tally(slowest=1.0), tally(), True),
        (tally(slowest=1.5), tally(), False),
        (tally(slowest=1.5), tally(slowest=0.5), True),
    ],
)
def test_what_postgresql_refuses_without_us_is_no_fault_of_ours(now, without_us, good):
    line = Line("some fault", now, Findings(), 0.0, without_us=without_us)
    assert line.is_good() is good
    assert bool(line.evidence()) is not good


@pytest.mark.parametrize(
    ("tally", "findings", "seconds", "trouble"),
    [
        (Tally(failed=["a deadlock"]), Findings(), 1.0, []),
        (Tally(), Findings(wrong_scores=["one"]), 1.0, []),
        (Tally(), Findings(lost_rows=["one"]), 1.0, []),
        (Tally(), Findings(history=["one"]), 1.0, []),
        (Tally(), Findings(), None, []),
        (Tally(), Findings(), 1.0, ["the fault was not injected"]),
    ],
)
def test_each_of_these_makes_a_storm_fail_and_is_shown(tally, findings, seconds, trouble):
    assert Line("none", Tally(), Findings(), 0.0).is_good()
    line = Line("some fault", tally, findings, seconds, trouble)
    assert not line.is_good()
    assert line.evidence() or "never" in str(line)


def test_the_lines_of_a_table_are_as_wide_as_its_head():
    lines = [Line("some fault", tally(), Findings(), None, without_us=without) for without in (None, tally())]
    assert {len(text) for text in (HEAD, RULE, *map(str, lines))} == {len(HEAD)}
    assert "pg_dump" in skipped("some fault", ["pg_dump"])
