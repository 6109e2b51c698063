import json
import os
import re

import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.ensemble import RandomForestClassifier

from customers.ml_service import ModelClassError, ModelVersionError, load_forest
from customers.ml_service.files import packaging
from customers.ml_service.files.golden import generate_rows
from customers.ml_service.files.packaging import verify
from customers.ml_service.schema import BANK_SPELLING
from tests.customers.ml_service.forests import CUSTOMER, as_numbers, dump, fit, left, release


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    return dump(fit(), tmp_path_factory.mktemp("source"), "from_the_data_lead.pkl")


def test_a_release_puts_the_files_and_their_card_in_place(source, tmp_path):
    metadata = release(source, assets_dir=tmp_path / "new" / "assets", note="spring model")
    folder = tmp_path / "new" / "assets"
    assert sorted(path.name for path in folder.iterdir()) == ["README.md", "model.json", "model.npz", "model.pkl"]
    assert metadata["sha256"] in (folder / "README.md").read_text()
    assert (folder / "model.pkl").read_bytes() == source.read_bytes()
    assert json.loads((folder / "model.json").read_text()) == metadata
    assert metadata["note"] == "spring model"
    assert metadata["encodings"]["geography"] == {"France": 0, "Germany": 1, "Spain": 2}
    assert len(metadata["golden"]["rows"]) == len(metadata["golden"]["scores"]) == 24
    assert load_forest(folder / "model.pkl").released


def test_what_the_source_knows_of_itself_is_kept(source, tmp_path):
    first = release(source, assets_dir=tmp_path / "first", note="n")
    path = tmp_path / "first" / "model.json"
    codes = {"geography": {"France": 0, "Spain": 1, "Germany": 2}, "gender": {"Female": 0, "Male": 1}}
    path.write_text(json.dumps(first | {"metrics": {"roc_auc": 0.9}, "encodings": codes, "golden": None}))
    second = release(tmp_path / "first" / "model.pkl", assets_dir=tmp_path / "second")
    assert second["metrics"] == {"roc_auc": 0.9}
    assert second["encodings"] == codes
    assert second["note"] == "n"
    assert second["golden"]["scores"] != first["golden"]["scores"]


def test_a_refused_file_changes_nothing(source, tmp_path):
    release(source, assets_dir=tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    other = tmp_path / "other.pkl"
    dump({"not": "a forest"}, tmp_path, "other.pkl")
    with pytest.raises(ModelClassError):
        release(other, assets_dir=tmp_path)
    other.unlink()
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_disk_that_fails_half_way_changes_nothing(source, tmp_path, monkeypatch):
    release(source, assets_dir=tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    second = tmp_path.parent / "second.pkl"
    dump(fit(seed=5), tmp_path.parent, "second.pkl")
    original = packaging._write_durably

    def full(path, data):
        if "json" in path.name:
            raise OSError("no space left on device")
        original(path, data)

    monkeypatch.setattr(packaging, "_write_durably", full)
    with pytest.raises(OSError, match="no space"):
        release(second, assets_dir=tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_pictures_of_a_former_model_do_not_stay_beside_the_new_one(source, tmp_path):
    picture = tmp_path / "card" / "calibration.svg"
    picture.parent.mkdir()
    picture.touch()
    release(source, assets_dir=tmp_path)
    assert not picture.exists()


def test_a_compiled_forest_that_is_not_the_same_forest_is_refused(source, tmp_path, monkeypatch):
    monkeypatch.setattr(packaging, "score_matrix", lambda flat, matrix: np.full(len(matrix), 0.5))
    with pytest.raises(ModelVersionError, match="differ by"):
        release(source, assets_dir=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_named_columns_in_any_order_can_be_released(tmp_path):
    rows = generate_rows(200)
    frame = pd.DataFrame(as_numbers(rows), columns=list(BANK_SPELLING)).iloc[:, ::-1]
    model = RandomForestClassifier(5, random_state=0, n_jobs=2).fit(frame, left(rows))
    metadata = release(dump(model, tmp_path), assets_dir=tmp_path / "assets")
    expected = model.predict_proba(frame)[:, 1]
    forest = load_forest(tmp_path / "assets" / "model.pkl")
    np.testing.assert_allclose(forest.predict_tuples(rows), expected, atol=1e-12)
    assert metadata["n_trees"] == 5


def test_metadata_names_no_path(source, tmp_path):
    release(source, assets_dir=tmp_path)
    assert not re.search(r'"/|\.pkl', (tmp_path / "model.json").read_text())
    assert load_forest(tmp_path / "model.pkl").predict_one(CUSTOMER) > 0


class TestFindings:
    """What a person reads before a model goes into service."""

    def checksum_line(self, path, **options):
        [line] = [line for line in verify(path, **options).findings() if line.startswith("checksum")]
        return line

    def test_a_model_json_that_names_the_file_is_told(self, source, tmp_path):
        release(source, assets_dir=tmp_path)
        assert "names this one" in self.checksum_line(tmp_path / "model.pkl")

    def test_so_is_one_that_names_another_and_what_follows_for_the_codes(self, source, tmp_path):
        release(source, assets_dir=tmp_path)
        other = dump(fit(seed=9), tmp_path, "other.pkl")
        assert "is another file's; label codes are taken as alphabetical" in self.checksum_line(other)

    def test_and_none_at_all(self, source):
        metadata = verify(source).forest.metadata
        assert "no model.json beside it" in self.checksum_line(source)
        assert "those it served with before" in self.checksum_line(source, remembered=metadata)

    def test_another_version_of_scikit_learn_is_told_and_noted_not_refused(self, tmp_path, monkeypatch):
        with monkeypatch.context() as then:
            then.setattr(sklearn.base, "__version__", "1.2.0")
            path = dump(fit(), tmp_path)
        package = verify(path)
        [line] = [line for line in package.findings() if line.startswith("version")]
        assert f"written by scikit-learn 1.2.0; {sklearn.__version__} is installed" in line
        assert package.forest.metadata["sklearn_version"] == "1.2.0"

    def test_the_installed_one_is_told_as_such(self, source):
        assert (
            f"version: written by scikit-learn {sklearn.__version__}, which is installed" in verify(source).findings()
        )


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_what_root_releases_belongs_to_the_owner_of_the_folder(source, tmp_path):
    """Who has to read it, whatever root's umask is, and to release the next one."""
    (tmp_path / "models").mkdir()
    os.chown(tmp_path / "models", 10001, 10002)
    former = os.umask(0o077)
    try:
        release(source, assets_dir=tmp_path / "models" / "new" / "assets")
    finally:
        os.umask(former)
    written = list((tmp_path / "models").rglob("*"))
    assert len(written) == 6
    assert {(path.stat().st_uid, path.stat().st_gid) for path in written} == {(10001, 10002)}
