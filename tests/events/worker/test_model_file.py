"""Noticing another model file without reading it."""

import os
import shutil

import pytest

from customers.ml_service.files.registry import stamp_of
from events.worker.model_file import ModelFileWatch


@pytest.fixture
def directory(tmp_path):
    (tmp_path / "model.pkl").write_bytes(b"first")
    (tmp_path / "model.json").write_bytes(b"{}")
    return tmp_path


@pytest.fixture
def watch(directory):
    """A watch that has woken a worker for the present files."""
    watch = ModelFileWatch(directory)
    watch.has_changed()
    watch.remember()
    return watch


def test_at_first_no_worker_was_woken(directory):
    assert ModelFileWatch(directory).has_changed()


def test_it_reports_again_until_a_worker_was_woken(directory):
    watch = ModelFileWatch(directory)
    assert watch.has_changed()
    assert watch.has_changed()
    watch.remember()
    assert not watch.has_changed()


def test_the_same_files_are_no_change(watch):
    assert not watch.has_changed()


@pytest.mark.parametrize("name", ["model.pkl", "model.json"])
def test_another_content_of_either_file_is_a_change(watch, directory, name):
    (directory / name).write_bytes(b"longer than it was")
    assert watch.has_changed()


def test_a_file_of_the_same_size_and_time_moved_into_its_place_is_a_change(watch, directory):
    shutil.copy2(directory / "model.pkl", directory / "draft")
    os.replace(directory / "draft", directory / "model.pkl")
    assert watch.has_changed()


def test_a_file_that_goes_is_a_change_and_so_is_its_return(watch, directory):
    (directory / "model.pkl").rename(directory / "aside")
    assert watch.has_changed()
    watch.remember()
    (directory / "aside").rename(directory / "model.pkl")
    assert watch.has_changed()


def test_what_changes_between_check_and_wake_up_is_not_taken_for_known(watch, directory):
    (directory / "model.pkl").write_bytes(b"second")
    assert watch.has_changed()
    (directory / "model.pkl").write_bytes(b"third time")
    watch.remember()
    assert watch.has_changed()


def test_a_missing_file_looks_like_nothing(tmp_path):
    assert stamp_of(str(tmp_path / "model.pkl")) is None
