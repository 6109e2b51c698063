"""Back to a former model by one command, whatever interrupted the one before."""

import shutil
from contextlib import suppress
from io import StringIO

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection, transaction

from customers.ml_service import load_forest
from customers.ml_service.files.packaging import verify
from customers.models import Customer, ModelFile, ModelRelease
from customers.releases import active, storage
from customers.releases.active import active_model, put_into_service
from customers.scoring import scorer
from tests.factories import make_scored
from tests.others import outsider

pytestmark = pytest.mark.django_db


def command(*arguments, **options):
    """What a call prints."""
    out = StringIO()
    call_command("release_model", *map(str, arguments), yes=True, stdout=out, **options)
    return out.getvalue()


def go_back(**options):
    return command("--rollback", **options)


def served():
    """Checksums in the order of service."""
    return list(ModelRelease.objects.order_by("id").values_list("sha256", flat=True))


@pytest.fixture
def two(strict_assets, another_forest):
    """The shipped model released, and another after it; their checksums."""
    make_scored(geography="Germany")
    command(another_forest)
    return served()


@pytest.fixture
def three(two, third_forest):
    command(third_forest)
    return served()


class TestTarget:
    def test_the_model_before_the_active_one_serves_again(self, two):
        go_back()
        assert served() == [two[0], two[1], two[0]]
        assert "back to release" in ModelRelease.objects.active().note
        assert active_model()[0].sha256 == two[0]

    def test_with_its_own_label_codes_and_scores(self, two):
        customer = Customer.objects.get()
        before = customer.churn_risk_score
        scorer.rescore_batch()
        go_back()
        scorer.rescore_batch()
        customer.refresh_from_db()
        assert customer.is_current()
        assert customer.churn_risk_score == before
        assert active_model()[0].encodings.geography["Germany"] == 2  # not the alphabetical 1

    def test_twice_goes_further_back_and_never_forth_again(self, three):
        go_back()
        go_back()
        assert served()[3:] == [three[1], three[0]]
        with pytest.raises(CommandError, match=r"There is no model before release .*Choose with --to"):
            go_back()
        assert len(served()) == 5

    def test_any_release_can_be_named(self, three):
        first = ModelRelease.objects.earliest("id")
        go_back(to=first.pk, note="spring was better")
        assert served()[3:] == [three[0]]
        assert ModelRelease.objects.active().note == "spring was better"

    def test_naming_the_active_one_makes_no_release(self, two):
        go_back()
        assert "already active" in go_back(to=release_of(two[0]).pk)
        assert len(served()) == 3

    def test_a_release_that_never_was_is_named(self, two):
        with pytest.raises(CommandError, match=r"no release 4711\. Choose with --to: release"):
            go_back(to=4711)

    def test_a_database_without_releases_says_so(self, strict_assets):
        with pytest.raises(CommandError, match="No model was ever released"):
            go_back()

    def test_the_only_model_has_nothing_before_it(self, strict_assets):
        active_model()
        with pytest.raises(CommandError, match="There is no other release"):
            go_back()


def release_of(sha256):
    return ModelRelease.objects.filter(sha256=sha256).earliest("id")


class TestStoredModel:
    """It needs no file of this machine."""

    def test_of_a_machine_without_any_model_file(self, two, strict_assets):
        shutil.rmtree(strict_assets)
        go_back()
        assert active_model()[0].sha256 == two[0]

    def test_that_is_missing_is_said_with_the_checksum_of_its_file(self, two):
        ModelFile.objects.filter(sha256=two[0]).delete()
        (settings.ML_ASSETS_DIR / "model.pkl").unlink()
        with pytest.raises(CommandError, match=rf"not in the database.*sha256 {two[0][:12]}.*release_model PATH"):
            go_back()
        assert active_model()[0].sha256 == two[1]

    def test_a_dry_run_of_it_changes_nothing(self, two):
        assert "Dry run: nothing was changed" in go_back(dry_run=True)
        assert served() == two


class CrashError(Exception):
    """The process is gone at this point: nothing after it happens."""


def crash(*_arguments, **_options):
    raise CrashError


CRASHES = {
    "before the model is stored": lambda patch: patch.setattr(storage, "packed", crash),
    "between model and row": lambda patch: patch.setattr(active, "summary", crash),
    "before it is committed": lambda patch: patch.setattr(active.log, "warning", crash),
}


@pytest.fixture(params=["development", "production"])
def mode(request, assets):
    if request.param == "production":
        request.getfixturevalue("strict_assets")
    return request.param


@pytest.mark.parametrize("moment", CRASHES)
class TestInterruption:
    """Model and release are one transaction: the state before stays, and the same command again arrives."""

    @pytest.fixture(autouse=True)
    def three_served(self, mode, assets, another_forest):
        make_scored(geography="Germany")
        make_scored(geography="Spain")
        command(another_forest)
        scorer.rescore_batch()

    def interrupted(self, moment, act):
        before, models = served(), ModelFile.objects.count()
        with pytest.MonkeyPatch.context() as patch:
            CRASHES[moment](patch)
            with suppress(CrashError):
                act()
                return  # it does not come by there
        assert (served(), ModelFile.objects.count()) == (before, models)
        every_current_score_is_that_of_the_release_it_names()
        act()

    def arrived(self):
        scorer.rescore_batch()
        every_current_score_is_that_of_the_release_it_names()
        assert not Customer.objects.stale().exists()

    def test_a_return_arrives(self, moment):
        shipped = ModelRelease.objects.earliest("id")
        self.interrupted(moment, go_back)
        assert ModelRelease.objects.active().fingerprint == shipped.fingerprint
        self.arrived()

    def test_a_release_arrives(self, moment, third_forest):
        self.interrupted(moment, lambda: command(third_forest))
        assert ModelRelease.objects.active().sha256 == load_forest(third_forest).sha256
        self.arrived()


def every_current_score_is_that_of_the_release_it_names():
    """Current rows carry the active model's answer."""
    forest, release = active_model()
    for customer in Customer.objects.filter(scored_by=release):
        assert customer.churn_risk_score == pytest.approx(forest.predict_one(customer.features()), abs=1e-12)


def test_a_process_that_is_killed_in_the_middle_leaves_the_model_before(tmp_path, transactional_db, another_forest):
    """By the database itself: the session ends before its transaction does."""
    _, before = active_model()
    with pytest.raises(OperationalError):
        release_and_die(another_forest)
    connection.close()
    assert active_model()[1] == before
    assert ModelFile.objects.count() == 1


@transaction.atomic
def release_and_die(forest):
    put_into_service("", verify(forest))
    with outsider() as psql:
        psql.execute("SELECT pg_terminate_backend(%s)", [backend_pid()])
    ModelRelease.objects.count()


def backend_pid():
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return cursor.fetchone()[0]
