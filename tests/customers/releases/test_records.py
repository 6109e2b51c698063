"""A user who can write into the models' folder, and not into the database, runs no code and changes no score."""

import ast
import io
import json
import logging
import pickle
import shutil
from contextlib import suppress
from hashlib import sha256
from io import StringIO
from pathlib import Path

import joblib
import numpy as np
import pytest
from django.core.management import CommandError, call_command

from customers.checks import active_model_is_stored
from customers.ml_service import ModelError, UnreleasedModelError, current_forest, load_forest, predict_churn
from customers.ml_service.files import registry, stored
from customers.ml_service.files.packaging import verify
from customers.ml_service.forest.compiled import from_arrays
from customers.models import Customer, ModelFile, ModelRelease
from customers.monitoring import audit
from customers.releases import active, records, storage
from customers.releases.active import ModelNotActiveError, active_model
from customers.scoring import scorer
from events.worker import warmup
from tests.conftest import SHIPPED
from tests.customers.ml_service.forests import release as release_file
from tests.factories import A_CUSTOMER, edit, make_customer, make_scored

pytestmark = pytest.mark.django_db

ROOT = Path(__file__).resolve().parents[3]


class Trap:
    def __reduce__(self):
        return pytest.fail, ("the planted pickle was run",)


def plant(folder):
    """A pickle that runs code, and a model.json that names it as `release_model` would have."""
    data = pickle.dumps(Trap())
    (folder / "model.pkl").write_bytes(data)
    described = json.loads((folder / "model.json").read_text())
    del described["arrays"]
    (folder / "model.json").write_text(json.dumps(described | {"sha256": sha256(data).hexdigest()}))


def alter_arrays(folder, change=lambda arrays: arrays["values"].fill(0.0), save=np.savez):
    """Other arrays behind the same model.pkl, and a model.json that names them as `release_model` would have."""
    with np.load(folder / "model.npz") as stored:
        arrays = dict(stored)
    change(arrays)
    save(buffer := io.BytesIO(), **arrays)
    (folder / "model.npz").write_bytes(buffer.getvalue())
    described = json.loads((folder / "model.json").read_text())
    described["arrays"]["sha256"] = sha256(buffer.getvalue()).hexdigest()
    (folder / "model.json").write_text(json.dumps({**described, "golden": None}))


def run(*arguments, **options):
    out = StringIO()
    call_command("release_model", *map(str, arguments), stdout=out, **options)
    return out.getvalue()


@pytest.fixture
def new_process(monkeypatch):
    """Call it to forget what a process that starts now cannot know."""

    def forget():
        for module, name, empty in (
            *((registry, "_held", None), (registry, "_identified", None), (active, "_seen", None)),
            *((storage, "_held", None), (storage, "_refused", None), (records, "_tried", set())),
        ):
            monkeypatch.setattr(module, name, empty)

    return forget


@pytest.fixture
def served(strict_assets, another_forest):
    """The folder of a bank in production that has released two models; a customer is scored by the second.

    The files of both lie on this machine, as earlier versions kept them.
    """
    make_scored()
    release_file(another_forest, assets_dir=strict_assets / "former" / "another")
    shutil.copytree(
        SHIPPED, strict_assets / "former" / "shipped", ignore=shutil.ignore_patterns("former", "candidates")
    )
    run(another_forest, yes=True)
    release_file(another_forest, assets_dir=strict_assets)
    make_scored(age=61)
    return strict_assets


def all_kept(folder):
    return list((folder / "former").glob("*/"))


def stored_nowhere():
    """As after an upgrade from a version that kept files."""
    ModelFile.objects.all().delete()


WAYS = {
    "a drain": scorer.rescore_batch,
    "analyze": lambda: scorer.analyze(make_customer().pk),
    "the audit": audit.audit,
    "a dry run": lambda: run(ROOT / "ml_assets" / "model.pkl", dry_run=True, yes=True),
    "a release": lambda: run(ROOT / "ml_assets" / "model.pkl", yes=True),
    "a worker's start": warmup.worker_spawned,
    "a rollback": lambda: run(rollback=True),
    "the status": lambda: run(status=True),
    "the checks": lambda: call_command("check", databases=["default"], stderr=StringIO()),
    "the model card": lambda: call_command("model_card", stdout=StringIO()),
    "plain Python": lambda: predict_churn(A_CUSTOMER),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("where", ["in place", "kept", "everywhere"])
@pytest.mark.parametrize("is_stored", [True, False])
def test_no_planted_file_is_unpickled(served, way, where, is_stored, new_process):
    make_customer(age=33)
    if not is_stored:
        stored_nowhere()
    for folder in {"in place": [served], "kept": all_kept(served), "everywhere": [served, *all_kept(served)]}[where]:
        plant(folder)
    new_process()
    with suppress(ModelError, CommandError):
        WAYS[way]()


@pytest.mark.parametrize("way", WAYS)
def test_without_a_model_json_not_even_the_first_file_is_opened(strict_assets, way, new_process):
    plant(strict_assets)
    (strict_assets / "model.json").unlink()
    new_process()
    with suppress(ModelError, CommandError):
        WAYS[way]()


def test_the_first_release_does_not_open_the_file_that_it_replaces(strict_assets, another_forest, new_process):
    plant(strict_assets)
    new_process()
    run(another_forest, yes=True)
    assert active_model()[1].sha256 == load_forest(another_forest).sha256


def test_a_planted_file_stops_no_scoring(served, new_process):
    expected = current_forest()
    for folder in (served, *all_kept(served)):
        plant(folder)
    new_process()
    customer = make_customer(age=33)
    assert scorer.rescore_batch().stored
    customer.refresh_from_db()
    assert customer.churn_risk_score == expected.predict_one(customer.features())


def test_planted_where_nothing_is_stored_it_leaves_customers_stale_and_checks_and_status_tell_of_it(
    served, new_process
):
    assert active_model_is_stored(databases=["default"]) == []
    stored_nowhere()
    for folder in (served, *all_kept(served)):
        plant(folder)
    new_process()
    make_customer()
    with pytest.raises(ModelNotActiveError):
        scorer.rescore_batch()
    assert [found.id for found in active_model_is_stored(databases=["default"])] == ["customers.W002"]
    assert "this machine scores nothing" in run(status=True)


def test_a_file_of_our_own_that_was_never_released_is_not_even_loaded(served, third_forest, new_process):
    release_file(third_forest, assets_dir=served)
    new_process()
    with pytest.raises(UnreleasedModelError, match=r"never released in this database.* release_model PATH"):
        current_forest()


def test_the_refusal_ends_with_the_release_though_no_file_has_changed(served, third_forest, new_process):
    """As another host's release of the same file."""
    release_file(third_forest, assets_dir=served)
    new_process()
    with pytest.raises(UnreleasedModelError):
        current_forest()
    found = load_forest(third_forest)
    release = ModelRelease.objects.create(
        sha256=found.sha256, fingerprint=found.fingerprint, arrays_sha256=found.flat.contents
    )
    assert active_model()[1] == release
    assert not active_model()[0].unpickled


def test_of_a_database_without_releases_the_first_file_is_taken_and_the_next_is_not(
    strict_assets, another_forest, new_process
):
    (strict_assets / "model.npz").unlink()
    first = active_model()[0]
    assert first.unpickled
    release_file(another_forest, assets_dir=strict_assets)
    new_process()
    assert active_model()[0].sha256 == first.sha256


def test_the_audit_opens_no_file_but_the_released_one(served):
    """Not even in the moment after the forest was loaded."""
    forest, release = active_model()
    for folder in (served, *all_kept(served)):
        plant(folder)
    assert audit.original_of(forest, release)
    ModelFile.objects.update(source=stored.pack(pickle.dumps(Trap())))
    with pytest.raises(ModelError, match="SHA-256"):
        audit.original_of(forest, release)


class TestArrays:
    def test_those_of_a_release_are_used_without_the_pickle(self, served, new_process, monkeypatch):
        new_process()
        monkeypatch.setattr(joblib, "load", lambda *_: pytest.fail("the pickle was read"))
        assert active_model()[0].flat.contents == ModelRelease.objects.active().arrays_sha256

    @pytest.mark.parametrize(
        "change",
        [
            lambda arrays: arrays["values"].fill(0.0),
            lambda arrays: arrays["shares"].fill(0.5),
            lambda arrays: arrays.update(roots=arrays["roots"][::-1].copy()),
        ],
        ids=["scores", "reasons", "order of trees"],
    )
    def test_altered_ones_are_refused_and_the_score_stays_right(self, served, change, new_process, caplog):
        expected = current_forest()
        alter_arrays(served, change)
        new_process()
        customer = make_customer(age=33)
        scorer.rescore_batch()
        customer.refresh_from_db()
        assert customer.churn_risk_score == expected.predict_one(customer.features())
        [told] = [found for found in caplog.records if "was altered" in found.message]
        assert told.levelno == logging.ERROR
        assert "release_model" in told.message
        assert ModelRelease.objects.active().arrays_sha256 == expected.flat.contents

    @pytest.mark.parametrize("save", [np.savez_compressed, lambda file, **arrays: np.savez(file, note=1, **arrays)])
    def test_how_a_file_packs_them_does_not_matter(self, served, save, new_process):
        alter_arrays(served, change=lambda arrays: None, save=save)
        new_process()
        assert not active_model()[0].unpickled

    def test_those_of_the_first_file_come_from_its_pickle(self, strict_assets, new_process):
        true = current_forest().flat.contents
        alter_arrays(strict_assets)
        new_process()
        assert active_model()[1].arrays_sha256 == true

    def test_the_shipped_ones_are_those_of_the_shipped_pickle(self):
        package = verify(ROOT / "ml_assets" / "model.pkl")
        with np.load(ROOT / "ml_assets" / "model.npz") as arrays:
            assert from_arrays(dict(arrays)).contents == package.forest.flat.contents


class TestReleaseOfAFormerVersion:
    """It has a fingerprint, and no checksum of its arrays."""

    @pytest.fixture
    def release(self, served, new_process):
        ModelRelease.objects.update(arrays_sha256="")
        stored_nowhere()
        new_process()
        return ModelRelease.objects.active()

    def test_it_stays_active_and_no_row_becomes_stale(self, release):
        scorer.rescore_batch()
        customer = make_scored()
        assert not Customer.objects.stale().exists()
        edit(customer, age=55)
        assert scorer.rescore_batch().stored == 1
        assert ModelRelease.objects.active().identity == release.identity

    def test_its_arrays_are_built_from_its_pickle_once_and_used_from_then_on(self, release, new_process):
        assert active_model()[0].unpickled
        new_process()
        assert not active_model()[0].unpickled

    def test_altered_arrays_are_not_believed_meanwhile(self, release, served, new_process):
        true = load_forest(served / "model.pkl").flat.contents
        for folder in (served, *all_kept(served)):
            alter_arrays(folder)
        assert active_model()[0].flat.contents == true
        assert ModelRelease.objects.active().arrays_sha256 == true

    def test_a_worker_s_start_stores_it_and_all_before_it(self, release, served, new_process):
        (served / "model.pkl").unlink()
        warmup.worker_spawned()
        assert ModelRelease.objects.active().arrays_sha256
        assert set(ModelFile.objects.values_list("pk")) == set(ModelRelease.objects.values_list("fingerprint"))
        shutil.rmtree(served)
        new_process()
        assert not active_model()[0].unpickled

    def test_a_process_that_may_not_store_it_scores_all_the_same(self, release, monkeypatch, caplog):
        caplog.set_level(logging.DEBUG, "vigilpay.model")
        denied = "SELECT 1 / 0, %(contents)s, %(release)s"
        monkeypatch.setattr(records, "NOTE_CONTENTS", denied)
        customer = make_customer(age=44)
        assert scorer.rescore_batch().stored
        customer.refresh_from_db()
        assert customer.is_current()
        assert ModelRelease.objects.active().arrays_sha256 == ""
        assert caplog.text.count("is not stored: division by zero") == 1

    def test_a_release_of_the_same_file_stores_it(self, release, served):
        run(served / "model.pkl", yes=True)
        assert ModelRelease.objects.active().identity == release.identity
        assert ModelRelease.objects.active().arrays_sha256 == load_forest(served / "model.pkl").flat.contents


def calls(tree, names):
    """Which of these functions the code calls."""
    called = (node.func for node in ast.walk(tree) if isinstance(node, ast.Call))
    return {ast.unparse(function).rpartition(".")[2] for function in called} & names


def test_nothing_is_unpickled_elsewhere():
    """A new way to a pickle has to be held to the rules above, then it may be named here."""
    unpickling, opening = set(), set()
    for path in (path for room in ("customers", "events", "vigilpay") for path in (ROOT / room).rglob("*.py")):
        tree = ast.parse(path.read_text())
        imports = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
        if imports & {"pickle", "cPickle", "dill", "cloudpickle", "shelve", "marshal"} or "joblib" in imports:
            unpickling.add(path.relative_to(ROOT).as_posix())
        if calls(tree, {"load_estimator", "load_forest"}):
            opening.add(path.relative_to(ROOT).as_posix())
    files = "customers/ml_service/files"
    # The one of the queue reads plain data alone: tests/events/queue/test_allowed.py.
    plain = "events/queue/pickles.py"
    assert unpickling == {f"{files}/pickles.py", "customers/ml_service/training/trained.py", plain}
    assert opening == {f"{files}/assets.py", f"{files}/packaging.py", "customers/monitoring/audit.py"}
