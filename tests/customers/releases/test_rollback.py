"""Back to a former model by one command, whatever interrupted the one before."""

import json
import os
import shutil
from contextlib import suppress
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from customers.ml_service import ModelError, current_forest, load_forest
from customers.ml_service.files import former, packaging
from customers.models import Customer, ModelRelease
from customers.releases import active
from customers.releases.active import active_model
from customers.scoring import scorer
from tests.factories import make_scored

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
        said = go_back()
        assert served() == [two[0], two[1], two[0]]
        assert "back to release" in ModelRelease.objects.active().note
        assert active_model()[0].sha256 == two[0]
        assert f"--to {ModelRelease.objects.earliest('id').pk}" in said

    def test_with_its_own_label_codes_and_scores(self, two):
        customer = Customer.objects.get()
        before = customer.churn_risk_score
        scorer.rescore_batch()
        go_back()
        scorer.rescore_batch()
        customer.refresh_from_db()
        assert customer.is_current()
        assert customer.churn_risk_score == before
        assert current_forest().encodings.geography["Germany"] == 2  # not the alphabetical 1

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

    def test_naming_the_active_one_puts_its_files_in_place_and_makes_no_release(self, two, strict_assets):
        """As on the other hosts, after one of them went back."""
        go_back()
        for name in ("model.pkl", "model.json", "model.npz"):
            shutil.copy(former.folder_of(strict_assets, release_of(two[1]).fingerprint) / name, strict_assets)
        kept = former.folder_of(strict_assets, release_of(two[0]).fingerprint)
        aside = kept.rename(strict_assets / "aside")
        with pytest.raises(ModelError):
            active_model()
        aside.rename(kept)
        said = go_back(to=release_of(two[0]).pk)
        assert "already active" in said
        assert active_model()[0].sha256 == two[0]
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


class TestKeptFiles:
    def test_they_are_missing(self, two, strict_assets):
        shutil.rmtree(strict_assets / "former")
        with pytest.raises(CommandError, match=r"not kept on this machine: put its model\.pkl .* into .*former"):
            go_back()
        assert active_model()[0].sha256 == two[1]

    def test_and_can_be_put_there_by_hand_without_a_model_json(self, two, strict_assets):
        folder = former.folder_of(strict_assets, release_of(two[0]).fingerprint)
        (folder / "model.json").unlink()
        (folder / "model.npz").unlink()
        go_back()
        assert active_model()[1].fingerprint == release_of(two[0]).fingerprint

    def test_a_damaged_one_is_refused_before_it_is_opened(self, two, strict_assets, monkeypatch):
        path = former.find(strict_assets, release_of(two[0]).fingerprint, two[0])
        path.write_bytes(path.read_bytes()[:-1] + b"x")
        monkeypatch.setattr(packaging, "load_estimator", lambda data: pytest.fail("it was opened"))
        with pytest.raises(CommandError, match="It was not opened"):
            go_back()
        assert len(served()) == 2

    def test_other_label_codes_than_those_of_then_are_refused(self, two, strict_assets):
        path = former.folder_of(strict_assets, release_of(two[0]).fingerprint) / "model.json"
        metadata = json.loads(path.read_text())
        metadata["encodings"]["gender"] = {"Female": 1, "Male": 0}
        path.write_text(json.dumps({**metadata, "golden": None}))
        with pytest.raises(CommandError, match="other label codes"):
            go_back()
        assert len(served()) == 2

    def test_a_dry_run_of_it_changes_nothing(self, two, strict_assets):
        before = sorted(strict_assets.rglob("*"))
        assert "Dry run: nothing was changed" in go_back(dry_run=True)
        assert served() == two
        assert sorted(strict_assets.rglob("*")) == before

    def test_no_more_than_five_are_kept(self, two, strict_assets):
        for age in range(6):
            folder = strict_assets / "former" / f"older{age}"
            folder.mkdir()
            os.utime(folder, ns=(0, age))
        go_back()
        folders = {path.name for path in (strict_assets / "former").iterdir()}
        assert len(folders) == 6  # with the active one
        assert release_of(two[1]).fingerprint[:12] in folders


class CrashError(Exception):
    """The process is gone at this point: nothing after it happens."""


def crash(*_arguments, **_options):
    raise CrashError


def crash_at_the_second_file(monkeypatch):
    """model.npz and model.pkl are replaced, model.json is not."""
    replace = Path.replace

    def replacing(path, target):
        return crash() if target.name == "model.json" and target.parent.name == "ml_assets" else replace(path, target)

    monkeypatch.setattr(Path, "replace", replacing)


CRASHES = {
    "before the files": lambda patch: patch.setattr(active, "keep_outgoing", crash),
    "between two files": crash_at_the_second_file,
    "between files and row": lambda patch: patch.setattr(active, "activate", crash),
    "after the row": lambda patch: patch.setattr(former, "forget_intent", crash),
}


@pytest.fixture(params=["development", "production"])
def mode(request, assets):
    if request.param == "production":
        request.getfixturevalue("strict_assets")
    return request.param


@pytest.mark.parametrize("moment", CRASHES)
@pytest.mark.parametrize("worker", ["no worker", "a worker that looks meanwhile"])
class TestInterruption:
    """Whatever a worker makes of the state in between, the same command again arrives where the first one went."""

    @pytest.fixture(autouse=True)
    def four_served(self, mode, assets, another_forest, third_forest, tmp_path):
        make_scored(geography="Germany")
        make_scored(geography="Spain")
        command(another_forest)
        command(third_forest)
        go_back()  # to another_forest; the next one goes to the shipped model
        scorer.rescore_batch()

    def interrupted(self, moment, worker, act):
        with pytest.MonkeyPatch.context() as patch:
            CRASHES[moment](patch)
            with pytest.raises(CrashError):
                act()
        if worker != "no worker":
            with suppress(ModelError):
                scorer.rescore_batch()
            every_current_score_is_that_of_the_release_it_names()
        act()
        active_model()
        scorer.rescore_batch()
        every_current_score_is_that_of_the_release_it_names()
        assert not Customer.objects.stale().exists()

    def test_a_return_arrives(self, moment, worker, assets):
        shipped = ModelRelease.objects.earliest("id")
        self.interrupted(moment, worker, go_back)
        assert ModelRelease.objects.active().fingerprint == shipped.fingerprint
        assert former.read_intent(assets) == {}

    def test_a_release_arrives(self, moment, worker, assets, third_forest):
        self.interrupted(moment, worker, lambda: command(third_forest))
        assert ModelRelease.objects.active().sha256 == load_forest(third_forest).sha256

    def test_after_a_return_that_was_given_up_another_release_decides(self, moment, worker, assets, third_forest):
        with pytest.MonkeyPatch.context() as patch:
            CRASHES[moment](patch)
            with pytest.raises(CrashError):
                go_back()
        command(third_forest)
        shipped = ModelRelease.objects.earliest("id")
        preceding = ModelRelease.objects.get(pk=shipped.pk + 1)
        go_back()
        assert ModelRelease.objects.active().fingerprint == preceding.fingerprint


def every_current_score_is_that_of_the_release_it_names():
    """Current rows carry the active model's answer; the model that is in place is the active one, then."""
    for customer in Customer.objects.all():
        if customer.is_current():
            try:
                forest, release = active_model()
            except ModelError:
                return
            if release.pk == customer.scored_by_id:
                fields = {name: getattr(customer, name) for name in packaging.FEATURES}
                assert customer.churn_risk_score == pytest.approx(forest.predict_one(fields), abs=1e-12)
