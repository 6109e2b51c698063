"""A model's folder that this user may not write: one line says which and what to do, and nothing is half written."""

import os
import shutil
import tempfile
from contextlib import contextmanager
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from customers import ml_service
from customers.models import ModelRelease
from customers.releases import records
from customers.releases.active import active_model
from tests.conftest import SHIPPED
from tests.customers.ml_service.forests import write_csv
from tests.factories import make_scored

pytestmark = pytest.mark.django_db

UNPRIVILEGED = 65534


@pytest.fixture
def folder(settings, another_forest):
    """A model's folder that every user can reach, under the rules of production; a model to release lies in it."""
    with tempfile.TemporaryDirectory(dir="/tmp", ignore_cleanup_errors=True) as parent:
        os.chmod(parent, 0o755)
        settings.ML_ASSETS_DIR = Path(parent, "models")
        shutil.copytree(SHIPPED, settings.ML_ASSETS_DIR, ignore=shutil.ignore_patterns("former", "candidates"))
        shutil.copy(another_forest, settings.ML_ASSETS_DIR / "next.pkl")
        settings.ACCEPT_UNRELEASED_MODEL = False
        records.configure_models()
        make_scored()
        run(settings.ML_ASSETS_DIR / "next.pkl", dry_run=True)  # so that all it needs is imported
        yield settings.ML_ASSETS_DIR
        ml_service.configure(assets_dir=SHIPPED, accept_unreleased=True)


@contextmanager
def not_writable(path, models=None):
    """To this process: root's rights are laid down for as long. All other folders of the models are writable."""
    for folder in ((models or path), *(models or path).rglob("*")):
        if folder.is_dir():
            folder.chmod(0o777)
    former = path.stat().st_mode
    path.chmod(0o555)
    is_root = os.geteuid() == 0
    if is_root:
        os.seteuid(UNPRIVILEGED)
    try:
        yield
    finally:
        if is_root:
            os.seteuid(0)
        path.chmod(former)


def run(*arguments, **options):
    out = StringIO()
    call_command("release_model", *map(str, arguments), yes=True, stdout=out, **options)
    return out.getvalue()


def contents(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("part", [".", "card", "former", "former/*"])
@pytest.mark.parametrize("act", ["release", "rollback"])
def test_a_release_says_which_folder_and_what_to_do_and_changes_nothing(folder, part, act):
    if act == "rollback":
        run(folder / "next.pkl")
        active_model()
    before, releases = contents(folder), ModelRelease.objects.count()
    [unwritable, *_others] = sorted(folder.glob(part)) if part != "." else [folder]
    with not_writable(unwritable, folder), pytest.raises(CommandError) as caught:
        run("--rollback") if act == "rollback" else run(folder / "next.pkl")
    message = str(caught.value)
    assert f"cannot write to {unwritable}, which belongs to" in message
    assert "VIGILPAY_ML_ASSETS" in message
    assert "\n" not in message
    assert contents(folder) == before
    assert ModelRelease.objects.count() == releases


def test_a_folder_that_is_not_there_yet_is_made_where_that_is_possible(folder, settings):
    settings.ML_ASSETS_DIR = folder / "deep" / "models"
    with not_writable(folder), pytest.raises(CommandError, match=f"cannot write to {folder}, "):
        run(folder / "next.pkl")
    records.configure_models()
    run(folder / "next.pkl")
    assert active_model()[1].note == "released from next.pkl"


def test_a_trial_and_scores_need_no_right_to_write(folder):
    with not_writable(folder):
        assert "Dry run: nothing was changed" in run(folder / "next.pkl", dry_run=True)
        assert make_scored(age=66).is_current()


def test_a_training_is_refused_before_its_minutes_have_passed(folder, tmp_path):
    table = write_csv(tmp_path / "churn.csv")
    tmp_path.chmod(0o755)
    with not_writable(folder), pytest.raises(CommandError, match=r"cannot write to .*Nothing was trained\.$"):
        call_command("train_model", str(table), stdout=StringIO())
    assert not (folder / "candidates").exists()


def test_candidates_of_another_user_keep_no_user_from_a_release(folder):
    (folder / "candidates").mkdir()
    with not_writable(folder / "candidates", folder):
        run(folder / "next.pkl")
    assert active_model()[1].note == "released from next.pkl"


def test_a_disk_that_is_full_is_told_in_the_same_way(folder, monkeypatch):
    full = OSError(28, "No space left on device", str(folder / ".model.npz.1.tmp"))
    monkeypatch.setattr(
        "customers.ml_service.files.packaging._write_durably", lambda *_given: (_ for _ in ()).throw(full)
    )
    before = contents(folder)
    with pytest.raises(CommandError, match=r"No space left on device\. Nothing was changed$"):
        run(folder / "next.pkl")
    assert contents(folder) == before
