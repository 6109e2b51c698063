import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numba.core.dispatcher import Dispatcher

from customers.ml_service import FEATURES, warm
from customers.ml_service.files.golden import generate_rows
from customers.ml_service.forest import engine, explain_kernels, kernel_cache, kernels
from customers.ml_service.forest.compiled import INDEX_BITS, INDEX_MASK, build, score_matrix
from customers.ml_service.forest.explain import Explainer
from tests.customers.ml_service.forests import CUSTOMER, as_numbers, fit

ROOT = Path(__file__).resolve().parents[4]


def run(code, tmp_path, **environment):
    """Run code in a fresh interpreter and return what it prints as JSON."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "CUSTOMER": json.dumps(CUSTOMER), **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


START = "import json, os, sys; customer = json.loads(os.environ['CUSTOMER'])\n"


def test_a_first_score_needs_neither_numba_nor_scikit_learn_nor_django(tmp_path):
    code = START + (
        "from customers.ml_service import predict_churn\n"
        "score = predict_churn(customer)\n"
        "heavy = ('numba', 'sklearn', 'joblib', 'django', 'pandas')\n"
        "print(json.dumps([score, [name for name in heavy if name in sys.modules]]))"
    )
    score, heavy = run(code, tmp_path)
    assert 0 <= score <= 1
    assert heavy == []


def test_without_numba_everything_works_and_says_so(tmp_path):
    code = START + (
        "import logging; messages = []\n"
        "logging.getLogger('vigilpay.model').addHandler(type('H', (logging.Handler,),"
        " {'emit': lambda self, record: messages.append(record.getMessage())})())\n"
        "sys.modules['numba'] = None\n"
        "from customers.ml_service import current_forest, warm_kernels\n"
        "warm = warm_kernels()\n"
        "forest = current_forest()\n"
        "explained = forest.explain_many([customer] * 20)[7]\n"
        "print(json.dumps([warm, forest.predict_many([customer] * 300)[9], sum(explained.contributions.values())"
        " + explained.base_value, messages]))"
    )
    warm, score, total, messages = run(code, tmp_path)
    assert not warm
    assert total == pytest.approx(score, abs=1e-12)
    assert len(messages) == 2
    assert "using the slower numpy path" in messages[0]


def test_an_unwritable_cache_falls_back_to_numpy(tmp_path):
    """numba raises where it finds no directory to cache in, as under systemd or in a read-only container."""
    code = START + (
        "import numba.core.caching as caching\n"
        "caching.CacheImpl._locator_classes = []\n"
        "import tempfile; tempfile.tempdir = '/nowhere'\n"
        "from customers.ml_service import current_forest, warm_kernels\n"
        "print(json.dumps([warm_kernels(), current_forest().predict_many([customer] * 300)[9]]))"
    )
    warm, score = run(code, tmp_path)
    assert not warm
    assert 0 <= score <= 1


def test_numpy_and_kernels_score_alike():
    forest = build(fit())
    matrix = as_numbers(generate_rows(700)).astype(np.float32)
    assert engine.warm_kernels()
    np.testing.assert_allclose(engine.score_rows(forest, matrix), score_matrix(forest, matrix), rtol=0, atol=1e-14)
    one = engine.score_row(forest, matrix[0].tolist())
    assert one == pytest.approx(score_matrix(forest, matrix[:1])[0], abs=1e-14)


@pytest.fixture
def cold(monkeypatch):
    """Kernels that were not loaded yet, and a record of their loads."""
    kernels = engine._Kernels("kernels", batch_rows=256, singles=20)
    monkeypatch.setattr(engine, "scoring", kernels)
    return kernels


def test_single_rows_start_in_numpy_and_change_to_kernels_in_the_long_run(cold):
    forest, row = build(fit()), as_numbers(generate_rows(1))[0].tolist()
    scores = []
    for _ in range(20):
        scores.append(engine.score_row(forest, row))
        assert cold._module is None
    scores.append(engine.score_row(forest, row))
    assert cold._module is not None
    assert scores == pytest.approx([scores[0]] * 21, abs=1e-14)


def test_single_explanations_start_in_numpy_too(monkeypatch):
    explaining = engine._Kernels("explain_kernels", batch_rows=16, singles=3)
    monkeypatch.setattr(engine, "explaining", explaining)
    explainer, row = Explainer(build(fit(100, n_estimators=3))), as_numbers(generate_rows(1)).astype(np.float32)
    first = explainer.contributions(row)
    for _ in range(2):
        explainer.contributions(row)
        assert explaining._module is None
    np.testing.assert_allclose(explainer.contributions(row), first, rtol=0, atol=1e-14)
    assert explaining._module is not None


def test_a_batch_loads_the_kernels_at_once(cold):
    forest = build(fit())
    engine.score_rows(forest, np.zeros((256, 9), np.float32))
    assert cold._module is not None


def test_a_single_row_does_not_wait_for_another_threads_load(cold):
    import threading

    with cold._lock:
        cold._singles_left = 0
        got = []
        thread = threading.Thread(target=lambda: got.append(cold.for_rows(1)))
        thread.start()
        thread.join(5)
        assert got == [None]


def test_without_kernels_explanations_come_from_numpy(monkeypatch):
    forest = build(fit(100, n_estimators=3))
    matrix = as_numbers(generate_rows(20)).astype(np.float32)
    assert engine.warm_kernels()
    fast = Explainer(forest).contributions(matrix)
    monkeypatch.setattr(engine.explaining, "for_rows", lambda n_rows: None)
    np.testing.assert_allclose(Explainer(forest).contributions(matrix), fast, rtol=0, atol=1e-7)


def test_warm_compiles_into_the_directory_it_is_given(tmp_path):
    cache = tmp_path / "kernels"
    code = START + (
        "from customers.ml_service import warm\nfrom customers.ml_service.forest import engine\n"
        "engine.explaining = engine.scoring  # compiling the others takes ten seconds more and shows nothing else\n"
        f"print(json.dumps(warm.main([{str(cache)!r}])))"
    )
    assert run(code, tmp_path) == 0
    [index] = cache.rglob("kernels.score_rows*.nbi")
    index.write_bytes(index.read_bytes()[:100])
    assert run(code, tmp_path) == 0  # warmed again it is mended
    assert kernel_cache._is_whole(index)


def test_warm_tells_by_its_exit_code_that_only_numpy_is_there(monkeypatch):
    monkeypatch.setattr(warm, "warm_kernels", lambda: False)
    assert warm.main([]) == 1


@pytest.mark.parametrize("module", [kernels, explain_kernels])
def test_no_kernel_keeps_other_threads_waiting(module):
    """A drain writes in one thread what it computes in another."""
    compiled = [it for it in vars(module).values() if isinstance(it, Dispatcher)]
    assert len(compiled) > 2
    assert all(it.targetoptions["nogil"] for it in compiled)


def test_the_kernels_know_the_layout_of_the_arrays():
    assert kernels._SHIFT == INDEX_BITS
    assert kernels._MASK == INDEX_MASK
    assert kernels._FEATURES == explain_kernels._FEATURES == len(FEATURES)
