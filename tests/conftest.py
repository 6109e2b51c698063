"""Shared by all rooms: PostgreSQL is up, signals arrive, and model files are never those of the checkout."""

import gc
import logging
import shutil
import signal
from collections import Counter
from collections.abc import Container, Generator, Iterable, Iterator
from hashlib import sha256
from pathlib import Path

import pytest
from django.db import connections
from django.test import TransactionTestCase
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings

from customers import ml_service, views
from customers.conditions import Condition
from customers.ml_service import Forest
from customers.models import ModelFile
from customers.portfolio import moves
from customers.releases import records, storage
from customers.scoring import failures
from customers.shadow import work as shadow
from events import views as events_views
from events.alerts import sending
from events.digest import sending as digest_sending
from events.overview import figures
from events.queue import broker, pause
from events.worker import model_state
from events.worker.outage import Outage
from tests.databases import begin_run, end_run, template_of_this_run
from tests.emptying import Beginning, may_delete_unasked
from tests.factories import forget_marks, no_lease_is_held, no_mark_was_lost, train_forest
from tests.hanging import pytest_exception_interact, pytest_runtest_protocol  # noqa: F401  # hooks
from vigilpay import localdb
from vigilpay.trail import middleware as trail
from vigilpay.web import access, health, metrics

SHIPPED = Path(__file__).resolve().parent.parent / "ml_assets"


# In the background of a script SIGINT is ignored, under nohup SIGHUP, and so they would be by all that tests start and
# then ask to stop. No handler is inherited: a closed terminal still does not end us, and our children have the default.
def go_on(*_signal: object) -> None:
    """Neither ignore it nor end."""


FOR_CHILDREN = {signal.SIGINT: signal.default_int_handler, signal.SIGHUP: go_on, signal.SIGQUIT: go_on}
for number, handler in FOR_CHILDREN.items():
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, handler)


# How fast a machine is at the moment is not what a test is about.
hypothesis_settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
hypothesis_settings.load_profile("patient")


# What starts processes of its own, or trains models: ``make test-fast`` leaves these folders and files out.
PROCESSES = (
    *("benchmarks/", "browser/", "chaos/", "flows/", "load/", "test_deploy.py", "test_makefile.py", "test_upgrade.py"),
    *("test_side_by_side.py", "vigilpay/web/test_gthread.py", "vigilpay/test_single_sign_on.py"),
    *("vigilpay/private_postgresql/", "vigilpay/processes/", "vigilpay/test_pooler.py", "vigilpay/test_run_worker.py"),
    *("vigilpay/test_sessions.py", "vigilpay/test_settings.py", "events/test_promotion.py"),
    *("vigilpay/web/test_metrics.py", "vigilpay/web/test_openapi_answers.py"),
    *("events/worker/test_supervisor.py", "events/triggers/test_migrations.py", "events/queue/test_broker.py"),
    *("security/test_workers.py", "customers/releases/test_rollback.py", "customers/scoring/test_bank_columns.py"),
    *("customers/scoring/test_versions.py", "customers/ml_service/training/"),
    *("customers/releases/test_training_to_release.py", "customers/import_export/test_import_customers.py"),
    *("events/freshness/test_freshness_command.py", "test_conftest.py", "test_others.py"),
    *("customers/ml_service/forest/test_engine.py", "customers/ml_service/forest/test_kernel_cache.py"),
)


# Who is let in where, and what is refused: ``make security`` runs these alone.
SECURITY = (
    *("security/", "vigilpay/access/", "vigilpay/database_roles/", "vigilpay/personal_data/", "vigilpay/trail/"),
    *("vigilpay/web/test_access.py", "vigilpay/web/test_openapi_answers.py", "vigilpay/web/test_request_size.py"),
    *("vigilpay/web/test_gthread.py", "events/queue/test_allowed.py", "events/triggers/test_objection.py"),
    *("customers/releases/test_records.py", "flows/test_change_feed.py", "flows/test_objection.py"),
)


@pytest.hookimpl(wrapper=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> Generator[None]:
    """Marked before they are chosen by their marks, and put in order when all others have had their say."""
    for item in items:
        place = item.path.relative_to(Path(__file__).parent).as_posix()
        if place.startswith(PROCESSES):
            item.add_marker(pytest.mark.process)
        if place.startswith(SECURITY):
            item.add_marker(pytest.mark.security)
    yield
    each_runs_under_a_name_of_its_own(items)
    ranks = spread(dict.fromkeys(item.path for item in items), {item.path for item in items if is_process(item)})
    items.sort(key=lambda item: ranks[item.path])


def each_runs_under_a_name_of_its_own(items: Iterable[pytest.Item]) -> None:
    """xdist knows a test by its id: of several with the same one it runs the first, and is content."""
    named = Counter(item.nodeid for item in items)
    for item in items:
        if named[item.nodeid] > 1:  # of schemathesis, which gives each address of the API a name and all the same id
            item._id = item.parent.id.child(item.name)
    twice = [name for name, times in Counter(item.nodeid for item in items).items() if times > 1]
    if twice:
        raise pytest.UsageError(f"Several tests are called {twice[0]}: all but the first would not run.")


def is_process(item: pytest.Item) -> bool:
    return item.get_closest_marker("process") is not None


def spread(files: Iterable[Path], waiting: Container[Path]) -> dict[Path, float]:
    """A rank for each file: what mostly waits for processes runs beside what computes, and the last to run is short."""
    of_kind = {kind: [file for file in files if (file in waiting) == kind] for kind in (True, False)}
    last = {True: 0.8, False: 1.0}
    return {file: last[kind] * i / len(its) for kind, its in of_kind.items() for i, file in enumerate(its)}


def pytest_configure() -> None:
    begin_run()
    localdb.ensure_started()


def pytest_collection_finish() -> None:
    """Some hundred thousand objects stay until the end: no search for garbage goes through them again."""
    gc.collect()
    gc.freeze()


def pytest_sessionfinish() -> None:
    end_run()


@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_modify_db_settings) -> None:
    """The test database is a copy too: nothing is left for its own ``migrate`` to do."""
    connections["default"].settings_dict["TEST"]["TEMPLATE"] = template_of_this_run()


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup, django_db_blocker) -> None:
    """The migrations have marked all customers once; no test is about that mark. To this all come back that commit."""
    with django_db_blocker.unblock():
        forget_marks()
        if may_delete_unasked():
            beginning = Beginning.of_now()
            TransactionTestCase._fixture_teardown = lambda _test: beginning.restore()


@pytest.fixture(scope="session", autouse=True)
def each_model_is_packed_once() -> Iterator[None]:
    """Some thousand tests activate the shipped model, and compressing it takes longer than most of them."""
    pack, known = storage.packed, {}

    def packed(forest: Forest, source: bytes) -> ModelFile:
        key = forest.fingerprint, forest.flat.contents, sha256(source).digest()
        model = known.get(key) or known.setdefault(key, pack(forest, source))
        fields = (field.attname for field in ModelFile._meta.concrete_fields)
        return ModelFile(**{name: getattr(model, name) for name in fields} | {"metadata": dict(forest.metadata)})

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(storage, "packed", packed)
        yield


@pytest.fixture(autouse=True)
def free_lease(request: pytest.FixtureRequest) -> None:
    """Each test finds the lease free, since a sequence shows it, which no rollback takes back; and no mark lost, as
    where tables were emptied after the test before."""
    if request.node.get_closest_marker("django_db"):
        request.getfixturevalue("db")
        no_lease_is_held()
        no_mark_was_lost()


@pytest.fixture(autouse=True)
def nothing_told_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test reads of a condition as the first one that meets it."""
    for module, name in (
        (views, "database_away"),
        (model_state, "unusable"),
        (pause, "skipped"),
        (digest_sending, "refused"),
        (figures, "without_movers"),
        (moves, "without_moves"),
        (events_views, "unanswered"),
        (access, "database_away"),
        (trail, "unwritten"),
        (health, "lacking"),
        (metrics, "unmeasured"),
    ):
        monkeypatch.setattr(module, name, Condition(module.log))
    monkeypatch.setattr(failures, "_reported", set())
    monkeypatch.setattr(storage, "_held", None)
    monkeypatch.setattr(storage, "_refused", None)
    monkeypatch.setattr(shadow, "_held", None)
    monkeypatch.setattr(broker, "OUTAGE", Outage("The broker"))
    monkeypatch.setattr(sending, "refused", {channel: Condition(logging.getLogger()) for channel in sending.WAYS})


@pytest.fixture
def assets(tmp_path: Path, settings) -> Iterator[Path]:
    """A copy of ``ml_assets/`` that a test may damage; the model service and the settings point to it."""
    directory = tmp_path / "ml_assets"
    shutil.copytree(SHIPPED, directory, ignore=shutil.ignore_patterns("candidates"))
    settings.ML_ASSETS_DIR, settings.MODEL_CACHE = directory, tmp_path / "model_cache"
    ml_service.configure(assets_dir=directory, accept_unreleased=True)
    yield directory
    ml_service.configure(assets_dir=SHIPPED, accept_unreleased=True)


@pytest.fixture
def strict_assets(assets: Path, settings) -> Path:
    """As ``assets``, under the rules of production: a file that was not released is refused."""
    settings.ACCEPT_UNRELEASED_MODEL = False
    records.configure_models()
    return assets


@pytest.fixture(scope="session")
def another_forest(tmp_path_factory) -> Path:
    """Not the shipped model, and small."""
    return train_forest(tmp_path_factory.mktemp("forest") / "another.pkl", seed=1)


@pytest.fixture(scope="session")
def third_forest(tmp_path_factory) -> Path:
    return train_forest(tmp_path_factory.mktemp("forest") / "third.pkl", seed=2)
