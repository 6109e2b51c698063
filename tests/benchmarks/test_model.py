"""The benchmark says what it measured, and its verdict follows from that. How fast anything is, it does not test."""

from concurrent.futures import ThreadPoolExecutor
from functools import partial

from tests.benchmarks.quick_runs import assert_measured, quick

MEASURED = {
    "scores": ["one score", "600 scores", "20 what-ifs", "largest difference from predict_proba"],
    "explanations": ["one explanation", "batches of 512", "largest difference from shap", "add up to the score"],
    "cold": ["new process to first score"],
}


def test_every_measurement_gives_figures_and_a_verdict_that_is_the_exit_status():
    with ThreadPoolExecutor(len(MEASURED)) as pool:
        runs = list(pool.map(partial(quick, "tests.benchmarks.model"), MEASURED))
    for run, expected in zip(runs, MEASURED.values(), strict=True):
        assert_measured(run, expected)
