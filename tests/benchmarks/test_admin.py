"""The benchmark says what it measured, and its verdict follows from that. How fast anything is, it does not test."""

from tests.benchmarks.quick_runs import assert_measured, quick

MEASURED = ["risk rising, server / 200 ms", "risk rising, SQL / 20 ms"]


def test_every_measurement_gives_figures_and_a_verdict_that_is_the_exit_status():
    assert_measured(quick("tests.benchmarks.admin", "risk rising"), MEASURED)
