"""A model's folder that this user may not write: a training says which and what to do; a release needs none."""

import os
import shutil
import tempfile
from contextlib import contextmanager
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from customers import ml_service
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
        shutil.copytree(SHIPPED, settings.ML_ASSETS_DIR, ignore=shutil.ignore_patterns("candidates"))
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


def test_trials_releases_and_scores_need_no_right_to_write(folder):
    before = contents(folder)
    with not_writable(folder):
        assert "Dry run: nothing was changed" in run(folder / "next.pkl", dry_run=True)
        run(folder / "next.pkl")
        assert make_scored(age=66).is_current()
        run("--rollback")
    assert active_model()[1].note.startswith("back to release")
    assert contents(folder) == before


def test_a_training_is_refused_before_its_minutes_have_passed(folder, tmp_path):
    table = write_csv(tmp_path / "churn.csv")
    tmp_path.chmod(0o755)
    with not_writable(folder), pytest.raises(CommandError, match=r"cannot write to .*Nothing was trained\.$"):
        call_command("train_model", str(table), stdout=StringIO())
    assert not (folder / "candidates").exists()
