import os
import shutil
import signal
import threading
import time
import warnings

import pytest

from customers import ml_service
from customers.ml_service import (
    ModelCorruptError,
    ModelMissingError,
    UnreleasedModelError,
    configure,
    current_forest,
    explain,
    explain_many,
    predict_churn,
    predict_many,
)
from customers.ml_service.errors import UnknownReleaseError
from customers.ml_service.files import registry
from customers.ml_service.files.records import Records
from customers.ml_service.files.registry import current_identity
from tests.customers.ml_service.forests import CUSTOMER, dump, fit, release


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    """Two model files, A and B."""
    folder = tmp_path_factory.mktemp("sources")
    return dump(fit(seed=1), folder, "a.pkl"), dump(fit(seed=2), folder, "b.pkl")


@pytest.fixture
def assets(tmp_path, sources, monkeypatch):
    """A folder with A released, configured as production; what was configured before returns afterwards."""
    monkeypatch.setattr(registry, "_settings", registry._settings)
    monkeypatch.setattr(registry, "_held", None)
    monkeypatch.setattr("customers.ml_service.forest.engine._cache_directory", None)
    release(sources[0], assets_dir=tmp_path)
    configure(assets_dir=tmp_path, accept_unreleased=False)
    return tmp_path


def count_loads(monkeypatch):
    loads = []
    original = registry.open_forest

    def counted(path, **rules):
        loads.append(path)
        return original(path, **rules)

    monkeypatch.setattr(registry, "open_forest", counted)
    return loads


def test_the_forest_is_loaded_once(assets, monkeypatch):
    loads = count_loads(monkeypatch)
    first = current_forest()
    assert current_forest() is first
    assert predict_churn(CUSTOMER) == first.predict_one(CUSTOMER)
    assert list(predict_many([CUSTOMER] * 2)) == [first.predict_one(CUSTOMER)] * 2
    assert explain(CUSTOMER).score == explain_many([CUSTOMER])[0].score == predict_churn(CUSTOMER)
    assert len(loads) == 1


def test_many_threads_load_it_once(assets, monkeypatch):
    loads = count_loads(monkeypatch)
    seen, barrier = [], threading.Barrier(8)

    def use():
        barrier.wait()
        seen.append(current_forest())

    threads = [threading.Thread(target=use) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(map(id, seen))) == 1
    assert len(loads) == 1


def test_a_changed_file_is_noticed_at_the_next_call(assets, sources):
    before = predict_churn(CUSTOMER), current_forest().sha256
    release(sources[1], assets_dir=assets)
    assert current_forest().sha256 != before[1]
    assert predict_churn(CUSTOMER) != before[0]


def test_a_file_that_was_not_released_is_refused_and_the_former_never_served(assets, sources):
    current_forest()
    shutil.copy(sources[1], assets / "model.pkl")
    for _ in range(2):
        with pytest.raises(UnreleasedModelError, match=r"manage\.py release_model PATH"):
            current_forest()
    release(assets / "model.pkl", assets_dir=assets)
    assert current_forest().released


def test_in_development_it_is_accepted_with_a_warning(assets, sources, caplog):
    configure(assets_dir=assets, accept_unreleased=True)
    shutil.copy(sources[1], assets / "model.pkl")
    assert not current_forest().released
    assert "not released" in caplog.text
    caplog.clear()
    current_forest()
    assert caplog.text == ""


def test_a_bad_file_is_not_read_again_until_it_changes(assets, sources, monkeypatch):
    good = current_forest()
    (assets / "model.json").unlink()
    (assets / "model.pkl").write_bytes(b"truncated")
    configure(assets_dir=assets, accept_unreleased=True)
    loads = count_loads(monkeypatch)
    for _ in range(3):
        with pytest.raises(ModelCorruptError):
            current_forest()
    tries = len(loads)
    assert tries <= 2
    release(sources[0], assets_dir=assets)
    assert current_forest().sha256 == good.sha256
    assert len(loads) > tries


def test_raised_errors_are_fresh_each_time(assets):
    (assets / "model.json").unlink()
    errors = []
    for _ in range(2):
        with pytest.raises(UnreleasedModelError) as caught:
            current_forest()
        errors.append(caught.value)
    assert errors[0] is not errors[1]
    assert str(errors[0]) == str(errors[1])


def test_a_missing_file_is_looked_for_again(assets):
    moved = (assets / "model.pkl").rename(assets / "away")
    with pytest.raises(ModelMissingError):
        current_forest()
    moved.rename(assets / "model.pkl")
    assert current_forest().released


def test_a_swap_caught_half_way_is_waited_for(assets, sources, tmp_path_factory):
    """model.json is new already, model.pkl still the old one for an instant."""
    current_forest()
    other = tmp_path_factory.mktemp("other")
    release(sources[1], assets_dir=other)
    shutil.copy(other / "model.json", assets)

    def finish():
        time.sleep(registry._SWAP_SECONDS / 3)
        shutil.copy(other / "model.npz", assets)
        shutil.copy(other / "model.pkl", assets / "new")
        (assets / "new").replace(assets / "model.pkl")

    thread = threading.Thread(target=finish)
    thread.start()
    try:
        assert current_forest().metadata["sha256"] == current_forest().sha256
    finally:
        thread.join()


class TestRecords:
    """Who keeps the records of releases is asked before a file is loaded."""

    @pytest.fixture
    def asked(self, assets):
        """What was asked; answers are taken from `answer`."""
        asked = []

        def records_of(sha256):
            asked.append(sha256)
            if isinstance(self.answer, Exception):
                raise self.answer
            return Records(sha256, may_be_unpickled=self.answer)

        configure(assets_dir=assets, accept_unreleased=False, records_of=records_of)
        return asked

    answer: object = True

    def test_once_for_a_file_that_may_be_loaded(self, asked):
        assert current_forest() is current_forest()
        assert asked == [current_forest().sha256]

    def test_again_each_time_for_one_that_may_not_until_it_may(self, asked):
        self.answer = False
        for _ in range(2):
            with pytest.raises(UnknownReleaseError):
                current_forest()
        self.answer = True
        assert current_forest().unpickled
        assert len(asked) == 3

    def test_an_error_of_the_records_reaches_the_caller_and_is_not_remembered(self, asked):
        self.answer = ConnectionError("away")
        with pytest.raises(ConnectionError, match="away"):
            current_forest()
        self.answer = True
        assert current_forest().released

    def test_not_at_all_in_development(self, asked, assets):
        configure(assets_dir=assets, accept_unreleased=True, records_of=lambda _sha256: pytest.fail("asked"))
        assert current_forest().released

    def test_not_for_the_question_which_model_it_is(self, asked, assets, sources):
        before = current_identity()
        assert (before.sha256, before.fingerprint) == (current_forest().sha256, current_forest().fingerprint)
        asked.clear()
        release(sources[1], assets_dir=assets)
        assert current_identity() is current_identity() != before
        assert asked == []


def test_configuring_another_folder_changes_the_model(assets, sources, tmp_path_factory):
    first = current_forest().sha256
    other = tmp_path_factory.mktemp("other")
    release(sources[1], assets_dir=other)
    configure(assets_dir=other, accept_unreleased=False)
    assert current_forest().sha256 != first


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_fork_during_a_load_does_not_hang_the_child(assets, monkeypatch):
    started, original = threading.Event(), registry.open_forest

    def slow(path, **rules):
        started.set()
        time.sleep(0.3)
        return original(path, **rules)

    monkeypatch.setattr(registry, "open_forest", slow)
    thread = threading.Thread(target=current_forest)
    thread.start()
    started.wait()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12 warns of exactly what is tested here
        child = os.fork()
    if child == 0:
        signal.alarm(20)  # a child that hangs ends by itself
        os._exit(0 if current_forest().released else 1)
    thread.join()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_the_public_names_are_all_there():
    for name in ml_service.__all__:
        assert getattr(ml_service, name) is not None
    assert callable(ml_service.explain)
