"""Shared by all rooms: the private PostgreSQL is up, and model files are never those of the checkout."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings

from customers import ml_service
from tests.factories import forget_marks, no_mark_was_lost, nobody_is_awake, train_forest
from vigilpay import localdb

SHIPPED = Path(__file__).resolve().parent.parent / "ml_assets"


# How fast a machine is at the moment is not what a test is about.
hypothesis_settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
hypothesis_settings.load_profile("patient")


def pytest_configure() -> None:
    localdb.ensure_started()


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup, django_db_blocker) -> None:
    """The migrations have marked all customers once; no test is about that mark."""
    with django_db_blocker.unblock():
        forget_marks()


@pytest.fixture(autouse=True)
def asleep(request: pytest.FixtureRequest) -> None:
    """Each test finds all workers asleep, for a promise shows in a sequence, which no rollback takes back; and no mark
    lost, as where tables were emptied after the test before."""
    if request.node.get_closest_marker("django_db"):
        request.getfixturevalue("db")
        nobody_is_awake()
        no_mark_was_lost()


@pytest.fixture
def assets(tmp_path: Path, settings) -> Iterator[Path]:
    """A copy of ``ml_assets/`` that a test may damage; the model service and the settings point to it."""
    directory = tmp_path / "ml_assets"
    shutil.copytree(SHIPPED, directory)
    settings.ML_ASSETS_DIR = directory
    ml_service.configure(assets_dir=directory, accept_unreleased=True)
    yield directory
    ml_service.configure(assets_dir=SHIPPED, accept_unreleased=True)


@pytest.fixture
def strict_assets(assets: Path, settings) -> Path:
    """As ``assets``, under the rules of production: a file that nobody released is refused."""
    settings.ACCEPT_UNRELEASED_MODEL = False
    ml_service.configure(assets_dir=assets, accept_unreleased=False)
    return assets


@pytest.fixture(scope="session")
def another_forest(tmp_path_factory) -> Path:
    """Not the shipped model, and small."""
    return train_forest(tmp_path_factory.mktemp("forest") / "another.pkl", seed=1)


@pytest.fixture(scope="session")
def third_forest(tmp_path_factory) -> Path:
    return train_forest(tmp_path_factory.mktemp("forest") / "third.pkl", seed=2)
