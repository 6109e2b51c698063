"""Model files that served before are found again."""

import os

import pytest

from customers.ml_service import ModelCorruptError, ModelMissingError, load_forest
from customers.ml_service.files import former
from tests.customers.ml_service.forests import dump, fit, release


@pytest.fixture
def assets(tmp_path):
    release(dump(fit(), tmp_path), assets_dir=tmp_path / "assets")
    return tmp_path / "assets"


def test_all_three_files_are_kept_and_found(assets):
    forest = load_forest(assets / "model.pkl")
    former.keep_forest(assets, forest)
    path = former.find(assets, forest.fingerprint, forest.sha256)
    assert sorted(found.name for found in path.parent.iterdir()) == ["model.json", "model.npz", "model.pkl"]
    assert load_forest(path).fingerprint == forest.fingerprint


def test_files_that_were_replaced_meanwhile_are_not_taken_for_the_former_ones(assets):
    forest = load_forest(assets / "model.pkl")
    (assets / "model.pkl").write_bytes(b"another")
    former.keep_forest(assets, forest)
    assert not former.is_kept(assets, forest.fingerprint)


def test_what_is_kept_loads_as_what_is_in_place_does(assets):
    forest = load_forest(assets / "model.pkl")
    with pytest.raises(ModelMissingError):
        former.kept_forest(assets, forest.fingerprint)
    former.keep_forest(assets, forest)
    assert former.kept_forest(assets, forest.fingerprint).fingerprint == forest.fingerprint


def test_a_folder_that_holds_another_model_than_it_is_named_after_is_not_used(assets):
    forest = load_forest(assets / "model.pkl")
    former.keep_forest(assets, forest)
    former.folder_of(assets, forest.fingerprint).rename(former.folder_of(assets, "f" * 64))
    with pytest.raises(ModelCorruptError, match="another model"):
        former.kept_forest(assets, "f" * 64)


def test_of_a_file_that_was_only_copied_there_nothing_else_is_kept(assets, tmp_path):
    """The model.json and the arrays beside it are those of the model before."""
    dump(fit(seed=2), tmp_path).replace(assets / "model.pkl")
    forest = load_forest(assets / "model.pkl")
    former.keep_forest(assets, forest)
    folder = former.folder_of(assets, forest.fingerprint)
    assert [path.name for path in folder.iterdir()] == ["model.pkl"]
    assert load_forest(folder / "model.pkl").fingerprint == forest.fingerprint


@pytest.mark.parametrize("damage", [b"another", b"<html>"])
def test_what_lies_there_instead_is_not_taken_for_kept(assets, damage):
    forest = load_forest(assets / "model.pkl")
    former.keep_forest(assets, forest)
    assert former.is_kept(assets, forest.fingerprint)
    former.find(assets, forest.fingerprint, forest.sha256).write_bytes(damage)
    assert not former.is_kept(assets, forest.fingerprint)


def test_what_is_kept_already_is_not_written_again(assets):
    forest = load_forest(assets / "model.pkl")
    former.keep_forest(assets, forest)
    path = former.find(assets, forest.fingerprint, forest.sha256)
    before = path.stat().st_ino, path.parent.stat().st_mtime_ns
    former.keep_forest(assets, forest)
    assert path.stat().st_ino == before[0]
    assert path.parent.stat().st_mtime_ns > before[1]


def test_a_missing_one_is_told_with_the_place_to_put_it(assets):
    with pytest.raises(ModelMissingError) as caught:
        former.find(assets, "f" * 64, "a" * 64)
    assert str(assets / "former" / "ffffffffffff") in str(caught.value)
    assert "aaaaaaaaaaaa" in str(caught.value)


def test_only_the_five_kept_last_stay_and_the_active_one(assets):
    for age in range(8):
        folder = assets / "former" / f"model{age}------"
        folder.mkdir(parents=True)
        os.utime(folder, ns=(0, -age * 10**9))
    former.remove_oldest(assets, "model7------...")
    left = sorted(path.name.rstrip("-") for path in (assets / "former").iterdir())
    assert left == [*(f"model{age}" for age in range(5)), "model7"]


def test_where_nothing_was_ever_kept_there_is_nothing_to_remove(tmp_path):
    former.remove_oldest(tmp_path, "f" * 64)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", [b"", b"{", b"[1]"])
def test_a_damaged_intent_is_none(assets, content):
    former.write_intent(assets, {"from": 2, "to": 1})
    assert former.read_intent(assets) == {"from": 2, "to": 1}
    (assets / "former" / former.INTENT_FILE).write_bytes(content)
    assert former.read_intent(assets) == {}
    former.forget_intent(assets)
    former.forget_intent(assets)
