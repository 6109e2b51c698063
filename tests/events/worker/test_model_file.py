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
    """A watch that has told a worker of the present files."""
    watch = ModelFileWatch(directory)
    watch.changed()
    watch.remember()
    return watch


def test_at_first_nobody_has_been_told(directory):
    assert ModelFileWatch(directory).changed()


def test_it_asks_again_until_a_worker_has_been_told(directory):
    watch = ModelFileWatch(directory)
    assert watch.changed()
    assert watch.changed()
    watch.remember()
    assert not watch.changed()


def test_the_same_files_are_no_change(watch):
    assert not watch.changed()


@pytest.mark.parametrize("name", ["model.pkl", "model.json"])
def test_another_content_of_either_file_is_a_change(watch, directory, name):
    (directory / name).write_bytes(b"longer than it was")
    assert watch.changed()


def test_a_file_of_the_same_size_and_time_moved_into_its_place_is_a_change(watch, directory):
    shutil.copy2(directory / "model.pkl", directory / "draft")
    os.replace(directory / "draft", directory / "model.pkl")
    assert watch.changed()


def test_a_file_that_goes_is_a_change_and_so_is_its_return(watch, directory):
    (directory / "model.pkl").rename(directory / "aside")
    assert watch.changed()
    watch.remember()
    (directory / "aside").rename(directory / "model.pkl")
    assert watch.changed()


def test_what_changes_between_looking_and_telling_is_not_taken_for_told(watch, directory):
    (directory / "model.pkl").write_bytes(b"second")
    assert watch.changed()
    (directory / "model.pkl").write_bytes(b"third time")
    watch.remember()
    assert watch.changed()


def test_a_missing_file_looks_like_nothing(tmp_path):
    assert stamp_of(str(tmp_path / "model.pkl")) is None
