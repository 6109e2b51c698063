import hashlib
import io
import json
import logging
import pickle

import joblib
import numpy as np
import pytest
import sklearn
from sklearn.base import BaseEstimator
from sklearn.ensemble import ExtraTreesClassifier, RandomForestClassifier, RandomForestRegressor

from customers.ml_service import (
    ModelClassError,
    ModelCorruptError,
    ModelMissingError,
    ModelVersionError,
    UnreleasedModelError,
    load_forest,
)
from customers.ml_service.errors import UnknownReleaseError
from customers.ml_service.files.assets import open_forest
from customers.ml_service.files.golden import generate_rows
from customers.ml_service.files.records import Records
from tests.customers.ml_service.forests import CUSTOMER, as_mapping, as_numbers, dump, fit, release


@pytest.fixture(scope="module")
def model():
    return fit(n_jobs=-1)


@pytest.fixture
def released(model, tmp_path):
    """The path of a released model."""
    source = tmp_path / "from_the_data_lead"
    source.mkdir()
    release(dump(model, source), assets_dir=tmp_path / "assets")
    return tmp_path / "assets" / "model.pkl"


def edit_metadata(path, **changes):
    target = path.with_name("model.json")
    metadata = json.loads(target.read_text()) | changes
    target.write_text(json.dumps(metadata))


def test_a_released_forest_tells_what_it_is(model, released):
    forest = load_forest(released)
    assert forest.released
    assert forest.sha256 == hashlib.sha256(released.read_bytes()).hexdigest() == forest.metadata["sha256"]
    assert forest.n_trees == len(model.estimators_)
    rows = generate_rows(40)
    expected = model.predict_proba(as_numbers(rows))[:, 1]
    np.testing.assert_allclose(forest.predict_many(map(as_mapping, rows)), expected, atol=1e-12)
    np.testing.assert_allclose(forest.predict_tuples(rows), expected, atol=1e-12)
    score = forest.predict_one(as_mapping(rows[0]))
    assert type(score) is float
    assert score == pytest.approx(expected[0], abs=1e-12)


def test_a_file_without_metadata_is_read_in_alphabetical_codes_and_says_so(model, tmp_path, caplog):
    path = dump(model, tmp_path)
    with caplog.at_level(logging.WARNING, logger="vigilpay.model"):
        forest = load_forest(str(path))
    assert not forest.released
    assert forest.metadata == {}
    assert "France 0, Germany 1, Spain 2, Female 0, Male 1" in caplog.text
    assert "release_model" in caplog.text


def test_metadata_of_another_file_does_not_count(model, released):
    path = dump(fit(seed=2), released.parent)
    edit_metadata(
        path, encodings={"geography": {"France": 2, "Germany": 0, "Spain": 1}, "gender": {"Female": 1, "Male": 0}}
    )
    forest = load_forest(path)
    assert not forest.released
    assert forest.encodings.geography["France"] == 0


def test_stored_codes_are_used(released):
    # Golden rows go with their codes.
    gender = {"Female": 0, "Male": 1}
    codes = {"geography": {"France": 1, "Germany": 0, "Spain": 2}, "gender": gender}
    edit_metadata(released, golden=None, encodings=codes)
    swapped = load_forest(released).predict_one({**CUSTOMER, "geography": "Germany"})
    edit_metadata(
        released, encodings={"geography": {"France": 0, "Germany": 1, "Spain": 2}, "gender": {"Female": 0, "Male": 1}}
    )
    assert load_forest(released).predict_one({**CUSTOMER, "geography": "France"}) == swapped


def test_damaged_codes_refuse_the_model(released):
    edit_metadata(released, encodings={"geography": {}})
    with pytest.raises(ModelCorruptError, match="encodings of geography"):
        load_forest(released)


@pytest.mark.parametrize("content", [b"{", b"[]", b"\xff\xfe", b""])
def test_damaged_metadata_counts_as_none(released, content):
    released.with_name("model.json").write_bytes(content)
    assert not load_forest(released).released


def test_released_arrays_spare_the_pickle(released, monkeypatch):
    monkeypatch.setattr(joblib, "load", lambda *args: pytest.fail("the pickle was read"))
    assert load_forest(released).released


def tamper(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def truncate(path):
    path.write_bytes(path.read_bytes()[:100])


@pytest.mark.parametrize("damage", [tamper, truncate, lambda path: path.unlink()])
def test_arrays_that_are_not_the_released_ones_are_not_used(released, damage, caplog):
    expected = load_forest(released).predict_one(CUSTOMER)
    damage(released.with_name("model.npz"))
    assert load_forest(released).predict_one(CUSTOMER) == expected
    assert "flat arrays are not used" in caplog.text


def test_arrays_of_another_model_are_not_used(released, caplog):
    arrays = json.loads(released.with_name("model.json").read_text())["arrays"]
    edit_metadata(released, arrays=arrays | {"source_sha256": "0" * 64})
    load_forest(released)
    assert "flat arrays are not used" in caplog.text


def test_arrays_never_unpickle(released):
    buffer = io.BytesIO()
    np.savez(buffer, nodes=np.array([Trap()], dtype=object))
    released.with_name("model.npz").write_bytes(buffer.getvalue())
    arrays = json.loads(released.with_name("model.json").read_text())["arrays"]
    edit_metadata(released, arrays=arrays | {"sha256": hashlib.sha256(buffer.getvalue()).hexdigest()})
    assert load_forest(released).released


class Trap:
    def __reduce__(self):
        return pytest.fail, ("the pickle was run",)


def test_an_unreleased_pickle_is_refused_before_it_can_run(tmp_path):
    path = tmp_path / "model.pkl"
    path.write_bytes(pickle.dumps(Trap()))
    with pytest.raises(UnreleasedModelError, match="release_model PATH"):
        open_forest(path, accept_unreleased=False)
    with pytest.raises(pytest.fail.Exception):
        open_forest(path, accept_unreleased=True)


class TestReleasedAlone:
    """Where only released files will do, the records of releases decide, not the files."""

    @pytest.fixture
    def opened(self, released):
        """Opens it by records with these contents."""
        checksum = hashlib.sha256(released.read_bytes()).hexdigest()

        def load(*contents, may_be_unpickled=True, sha256=checksum):
            records = Records(sha256, may_be_unpickled, frozenset(contents))
            return open_forest(released, accept_unreleased=False, records=records)

        return load

    def test_arrays_with_contents_of_a_release_are_used(self, released, opened):
        contents = load_forest(released).flat.contents
        assert not opened("0" * 64, contents).unpickled

    @pytest.mark.parametrize("contents", [[], ["0" * 64]])
    def test_others_are_built_from_the_pickle(self, released, opened, contents):
        expected = load_forest(released)
        assert not expected.unpickled
        forest = opened(*contents)
        assert forest.unpickled
        assert forest.flat.contents == expected.flat.contents

    @pytest.mark.parametrize("unknown", [{"may_be_unpickled": False}, {"sha256": "0" * 64}])
    def test_what_they_do_not_know_is_not_loaded(self, released, opened, unknown):
        with pytest.raises(UnknownReleaseError, match="never released in this database"):
            opened(load_forest(released).flat.contents, **unknown)

    def test_without_records_arrays_are_read_and_no_pickle(self, released):
        assert not open_forest(released, accept_unreleased=False).unpickled
        released.with_name("model.npz").unlink()
        with pytest.raises(UnknownReleaseError, match="not unpickled"):
            open_forest(released, accept_unreleased=False)


def test_golden_rows_that_disagree_refuse_the_model(released):
    golden = json.loads(released.with_name("model.json").read_text())["golden"]
    golden["scores"][3] += 1e-6
    edit_metadata(released, golden=golden)
    with pytest.raises(ModelVersionError, match="golden rows"):
        load_forest(released)


@pytest.mark.parametrize("golden", [{"rows": []}, {"rows": [[1]], "scores": [1]}, [], {"rows": [], "scores": [1]}])
def test_damaged_golden_rows_refuse_the_model(released, golden):
    edit_metadata(released, golden=golden)
    with pytest.raises(ModelCorruptError, match="golden rows"):
        load_forest(released)


def test_no_file(tmp_path):
    with pytest.raises(ModelMissingError, match="there is no model file"):
        load_forest(tmp_path / "model.pkl")
    with pytest.raises(ModelMissingError, match="cannot be read"):
        load_forest(tmp_path)


@pytest.mark.parametrize("content", [b"", b"hello", b"\x80\x05", b"x\x9c" + b"0" * 40])
def test_what_is_no_pickle_is_corrupt(tmp_path, content):
    path = tmp_path / "model.pkl"
    path.write_bytes(content)
    with pytest.raises(ModelCorruptError, match="truncated or no joblib pickle"):
        load_forest(path)


@pytest.mark.parametrize("part", [0.1, 0.5, 0.9, 0.999])
def test_truncated_files_are_corrupt(model, tmp_path, part):
    path = dump(model, tmp_path)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * part)])
    with pytest.raises(ModelCorruptError):
        load_forest(path)


@pytest.mark.parametrize(
    "thing", [{"a": 1}, ExtraTreesClassifier(), RandomForestRegressor(), RandomForestClassifier(), BaseEstimator()]
)
def test_other_things_are_refused_by_class(tmp_path, thing):
    with pytest.raises(ModelClassError, match="RandomForestClassifier"):
        load_forest(dump(thing, tmp_path))


def test_a_pickle_of_unknown_modules_asks_for_other_versions(tmp_path):
    path = tmp_path / "model.pkl"
    path.write_bytes(b"cno_such_library\nThing\n.")
    with pytest.raises(ModelVersionError, match="no_such_library"):
        load_forest(path)


def written_by(model, version, folder, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(sklearn.base, "__version__", version)
        return dump(model, folder)


def test_another_scikit_learn_is_only_warned_of_when_the_scores_agree(model, tmp_path, monkeypatch, caplog):
    path = written_by(model, "1.2.0", tmp_path, monkeypatch)
    assert load_forest(path).predict_one(CUSTOMER) == load_forest(dump(model, tmp_path, "same.pkl")).predict_one(
        CUSTOMER
    )
    assert "1.2.0" in caplog.text


def test_another_scikit_learn_that_cannot_be_loaded_is_told(model, tmp_path, monkeypatch):
    path = written_by(model, "1.2.0", tmp_path, monkeypatch)

    def fail(*args):
        import warnings

        from sklearn.exceptions import InconsistentVersionWarning

        warnings.warn(
            InconsistentVersionWarning(
                estimator_name="x", current_sklearn_version="9", original_sklearn_version="1.2.0"
            ),
            stacklevel=1,
        )
        raise KeyError("missing_go_to_left")

    monkeypatch.setattr(joblib, "load", fail)
    with pytest.raises(ModelVersionError, match="other library versions"):
        load_forest(path)
