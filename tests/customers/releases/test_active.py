"""Which model counts: one fact in the database, and the file of this process must be that model."""

import json
import re
import shutil
from contextlib import suppress
from io import StringIO
from itertools import pairwise

import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection

from customers.api import insights
from customers.ml_service import ModelError, UnreleasedModelError, current_forest, load_forest
from customers.ml_service.files import registry
from customers.models import Customer, ModelFile, ModelRelease
from customers.monitoring import audit
from customers.releases import active, progress, storage
from customers.releases.active import ModelNotActiveError, active_model, put_into_service
from customers.scoring import scorer
from tests.customers.ml_service.forests import release as release_file
from tests.factories import A_CUSTOMER, edit, make_customer, make_customers, make_scored
from tests.others import together, turn_held

pytestmark = pytest.mark.django_db


def run(*arguments, **options):
    """What a call of the command prints."""
    out = StringIO()
    call_command("release_model", *map(str, arguments), yes=True, stdout=out, **options)
    return out.getvalue()


def contents(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def drop_in(forest, assets):
    """As the Data Lead does it: the file alone, and no process is told."""
    shutil.copy(forest, assets / "model.pkl")


def test_the_first_use_of_a_database_makes_the_present_file_the_active_model(assets):
    forest, release = active_model()
    assert release == ModelRelease.objects.get()
    assert release.sha256 == forest.sha256 == current_forest().sha256
    assert release.metadata["n_trees"] == forest.n_trees


def test_the_active_model_stays_as_long_as_the_file_does(assets):
    first, again = active_model(), active_model()
    assert first == again
    assert ModelRelease.objects.count() == 1


def test_it_is_told_that_another_model_is_active(assets, caplog):
    _forest, release = active_model()
    assert caplog.messages == [
        f"Active model is now {release}: first model of this database. All customers will be rescored."
    ]


def test_a_process_that_notices_late_what_is_active_already_makes_no_release(assets):
    assert active_model()[1] == active.activate_noticed()
    assert ModelRelease.objects.count() == 1


@pytest.mark.parametrize("activates", [active.activate_noticed, lambda: put_into_service("spring")])
def test_whatever_makes_a_model_active_waits_for_its_turn(assets, activates):
    with turn_held(active.TURN), connection.cursor() as cursor:
        cursor.execute("SET LOCAL lock_timeout = '10ms'")
        with pytest.raises(OperationalError, match="lock timeout"):
            activates()
    assert not ModelRelease.objects.exists()


def test_a_changed_file_makes_every_score_stale_and_is_used_before_anything_is_written(assets, another_forest):
    customers = [make_scored(age=age) for age in (30, 50, 70)]
    drop_in(another_forest, assets)
    assert scorer.rescore_batch().stored == 3
    expected = load_forest(another_forest)
    for customer in customers:
        customer.refresh_from_db()
        assert customer.is_current()
        assert customer.churn_risk_score == expected.predict_one({**A_CUSTOMER, "age": customer.age})
    assert ModelRelease.objects.count() == 2


def test_analyze_takes_up_a_changed_file_as_well(assets, another_forest):
    customer = make_scored()
    drop_in(another_forest, assets)
    assert scorer.analyze(customer.pk) == load_forest(another_forest).predict_one(A_CUSTOMER)


def test_going_back_to_a_former_file_in_development_is_a_new_release_again(assets, another_forest, tmp_path):
    shipped = shutil.copy(assets / "model.pkl", tmp_path)
    former = active_model()[1]
    drop_in(another_forest, assets)
    active_model()
    drop_in(shipped, assets)
    latest = active_model()[1]
    assert latest.pk > former.pk
    assert latest.sha256 == former.sha256
    assert ModelRelease.objects.count() == 3


def test_a_model_that_became_active_elsewhere_after_our_file_was_read_is_not_turned_back(
    assets, another_forest, monkeypatch
):
    """A process still holds the former forest when another has noticed the new file and registered it."""
    former = current_forest()
    active_model()
    drop_in(another_forest, assets)
    put_into_service("noticed by another process")
    readings = [former]
    monkeypatch.setattr(active, "current_forest", lambda: readings.pop() if readings else current_forest())
    forest, release = active_model()
    assert forest.sha256 == release.sha256 == load_forest(another_forest).sha256
    assert [found.sha256 for found in ModelRelease.objects.order_by("id")] == [former.sha256, forest.sha256]


def bring(forest, assets):
    """As an upgrade of the code does it: another model with all that vouches for it."""
    release_file(forest, assets_dir=assets)


class TestProduction:
    """A person puts a model into service, nothing else does."""

    @pytest.mark.parametrize("come", [drop_in, bring])
    def test_a_file_that_came_another_way_changes_nothing_and_scoring_goes_on(
        self, strict_assets, another_forest, come
    ):
        customer, waiting = make_scored(), make_customer(age=66)
        former = current_forest()
        come(another_forest, strict_assets)
        assert scorer.rescore_batch().stored == 1
        for found in (customer, waiting):
            found.refresh_from_db()
            assert found.is_current()
            assert found.churn_risk_score == former.predict_one(found.features())
        assert active_model()[0].fingerprint == ModelRelease.objects.get().fingerprint == former.fingerprint

    def test_edits_wait_for_a_model_while_an_empty_database_finds_a_file_that_was_never_released(
        self, strict_assets, another_forest
    ):
        drop_in(another_forest, strict_assets)
        customer = make_customer()
        with pytest.raises(UnreleasedModelError):
            scorer.rescore_batch()
        assert list(Customer.objects.stale()) == [customer]

    def test_an_empty_database_takes_the_released_file_that_it_finds(self, strict_assets, another_forest):
        bring(another_forest, strict_assets)
        assert active_model()[1].sha256 == load_forest(another_forest).sha256

    def test_of_two_machines_that_meet_an_empty_database_the_second_does_not_overrule_the_first(
        self, strict_assets, another_forest, monkeypatch
    ):
        shipped = active_model()[0]
        bring(another_forest, strict_assets)
        too_early = iter([None])
        monkeypatch.setattr(ModelRelease.objects, "active", lambda: next(too_early, first()))
        assert active_model()[0].sha256 == shipped.sha256
        assert ModelRelease.objects.count() == 1

    @pytest.mark.parametrize("come", [drop_in, bring])
    def test_where_the_active_model_is_nowhere_nothing_is_scored_and_it_says_what_to_do(
        self, strict_assets, another_forest, come
    ):
        customer = make_scored()
        come(another_forest, strict_assets)
        ModelFile.objects.all().delete()
        with pytest.raises(ModelNotActiveError, match=r"release .* not in the database.*release_model PATH") as caught:
            active_model()
        assert str(strict_assets) in str(caught.value)
        customer.refresh_from_db()
        assert customer.is_current()
        assert ModelRelease.objects.count() == 1

    def test_the_active_model_brought_by_the_command_makes_no_new_release(
        self, strict_assets, another_forest, tmp_path
    ):
        elsewhere = shutil.copytree(strict_assets, tmp_path / "elsewhere")
        active_model()
        bring(another_forest, strict_assets)
        ModelFile.objects.all().delete()
        assert "no score changes" in run(elsewhere / "model.pkl")
        assert active_model()[0].fingerprint == ModelRelease.objects.get().fingerprint

    def test_a_person_can_go_back_to_an_old_copy(self, strict_assets, another_forest, tmp_path):
        old_copy = shutil.copytree(strict_assets, tmp_path / "old")
        active_model()
        run(another_forest)
        run(old_copy / "model.pkl")
        forest, release = active_model()
        assert forest.sha256 == release.sha256 == load_forest(old_copy / "model.pkl").sha256
        assert ModelRelease.objects.count() == 3


def first():
    return ModelRelease.objects.order_by("id").first()


class TestUpgrade:
    """The bank's own model is active; then new code comes, and with it another shipped model."""

    @pytest.fixture
    def bank(self, strict_assets, another_forest, third_forest):
        """The bank's customer, scored by the bank's model, and another model in place since."""
        run(another_forest, note="our own")
        customer = make_scored()
        bring(third_forest, strict_assets)
        return customer

    def test_everything_goes_on_with_the_model_of_the_bank(self, bank, another_forest):
        own = load_forest(another_forest)
        edit(bank, age=55)
        assert scorer.rescore_batch().stored == 1
        bank.refresh_from_db()
        assert bank.is_current()
        assert bank.churn_risk_score == own.predict_one(bank.features()) == scorer.analyze(bank.pk)
        told = insights.of_customer(bank.pk)
        assert told["explained_score"] == bank.churn_risk_score
        assert told["explained_by"] == told["model_release"] == ModelRelease.objects.active().pk
        assert audit.audit([bank.pk]) == audit.AuditReport(audited=1)
        assert [release.sha256 for release in ModelRelease.objects.all()] == [own.sha256]

    def test_another_process_reads_it_from_the_database_as_well(self, bank, monkeypatch, another_forest):
        monkeypatch.setattr(registry, "_held", None)
        monkeypatch.setattr(storage, "_held", None)
        monkeypatch.setattr(active, "_seen", None)
        assert active_model()[0].sha256 == load_forest(another_forest).sha256
        assert active.forest_of(ModelRelease.objects.get()) is active_model()[0]

    def test_a_half_unpacked_upgrade_stops_nothing(self, bank, strict_assets, another_forest):
        for broken in (b"", b"half of it"):
            (strict_assets / "model.pkl").write_bytes(broken)
            assert active_model()[0].sha256 == load_forest(another_forest).sha256
        (strict_assets / "model.pkl").unlink()
        assert active_model()[0].sha256 == load_forest(another_forest).sha256

    def test_the_status_says_what_lies_in_place(self, bank):
        assert re.search(r"model\.pkl is another model .* the database holds", run(status=True))

    def test_the_shipped_model_is_tried_out_against_the_one_of_the_bank(self, bank, strict_assets, another_forest):
        said = run(strict_assets / "model.pkl", dry_run=True)
        mean = load_forest(another_forest).predict_one(bank.features())
        assert f"mean            {mean:.4f} ->" in said

    def test_a_person_may_take_the_shipped_model_and_go_back(self, bank, strict_assets, third_forest, another_forest):
        run(strict_assets / "model.pkl", note="it is better")
        assert active_model()[1].sha256 == load_forest(third_forest).sha256
        run(rollback=True)
        assert active_model()[1].sha256 == load_forest(another_forest).sha256


class TestGoingBack:
    """However the model in service was replaced, one command goes back to it."""

    def test_of_a_file_dropped_in(self, assets, another_forest):
        customer = make_scored()
        before = customer.churn_risk_score
        drop_in(another_forest, assets)
        scorer.rescore_batch()
        run(rollback=True)
        scorer.rescore_batch()
        customer.refresh_from_db()
        assert customer.churn_risk_score == before

    def test_of_a_file_dropped_in_that_no_process_has_noticed(self, assets, another_forest, third_forest):
        active_model()
        drop_in(another_forest, assets)
        run(third_forest)
        assert ModelRelease.objects.count() == 3
        run(rollback=True)
        assert active_model()[1].sha256 == load_forest(another_forest).sha256

    def test_of_the_shipped_model_that_nothing_was_scored_by(self, assets, another_forest):
        shipped = current_forest().sha256
        run(another_forest)
        run(rollback=True)
        assert active_model()[1].sha256 == shipped

    def test_in_production_what_never_served_is_none_to_go_back_to(self, strict_assets, another_forest):
        run(another_forest)
        with pytest.raises(CommandError, match="There is no model before"):
            run(rollback=True)

    def test_files_in_place_that_are_no_model_are_no_obstacle(self, strict_assets, another_forest):
        (strict_assets / "model.pkl").write_bytes(b"half of it")
        run(another_forest)
        assert active_model()[1].sha256 == load_forest(another_forest).sha256

    def test_a_file_that_was_copied_there_to_be_released_was_not_in_service_before(self, assets, another_forest):
        active_model()
        drop_in(another_forest, assets)
        run(another_forest, note="spring")
        assert [release.note for release in ModelRelease.objects.order_by("id")] == [
            "first model of this database",
            "spring",
        ]


class TestCommand:
    def test_a_file_that_is_accepted_is_active_at_once_with_the_reason(self, strict_assets, another_forest):
        make_customers(2)
        scorer.rescore_batch()
        said = StringIO()
        call_command("release_model", another_forest, "--yes", note="spring campaign", stdout=said)
        active = ModelRelease.objects.active()
        assert active.note == "spring campaign"
        assert active.sha256 == load_forest(another_forest).sha256
        assert str(active) in said.getvalue()
        assert Customer.objects.stale().count() == 2
        assert scorer.rescore_batch().stored == 2

    def test_accepting_the_active_file_again_makes_nothing_stale(self, assets):
        make_scored()
        call_command("release_model", assets / "model.pkl", "--yes", stdout=StringIO())
        assert not Customer.objects.stale().exists()

    @pytest.mark.parametrize("damage", ["nothing there", "not a pickle"])
    def test_a_file_that_is_no_model_is_refused_and_changes_nothing(self, assets, tmp_path, damage):
        active_model()
        path = tmp_path / "wrong.pkl"
        if damage == "not a pickle":
            path.write_bytes(b"surprise")
        with pytest.raises(CommandError, match=r"wrong\.pkl|no joblib pickle"):
            call_command("release_model", path, "--yes")
        assert ModelRelease.objects.count() == 1
        assert active_model()[0].released

    def test_it_says_what_was_verified_and_how_scores_would_move(self, assets, another_forest):
        customer = make_scored()
        said = run(another_forest)
        for expected in ("sha256", "7 trees", "credit_score", "France 0", "scikit-learn", "generated customers score"):
            assert expected in said
        assert "1 customers drawn at random" in said
        assert str(customer.pk) in said
        assert customer.surname not in said

    def test_a_dry_run_stops_there(self, strict_assets, another_forest):
        make_scored()
        before = contents(strict_assets)
        assert "Dry run: nothing was changed" in run(another_forest, dry_run=True)
        assert contents(strict_assets) == before
        assert ModelRelease.objects.count() == 1
        assert not Customer.objects.stale().exists()

    def test_a_mean_that_moves_too_far_is_refused(self, strict_assets, another_forest):
        make_scored(age=80)
        with pytest.raises(CommandError, match=r"mean score would change by [+-]0\.\d+, more than 0\.001"):
            run(another_forest, max_mean_shift=0.001)
        assert ModelRelease.objects.count() == 1
        run(another_forest, max_mean_shift=1.0)
        assert ModelRelease.objects.count() == 2

    def test_another_file_than_the_one_meant_is_refused(self, assets, another_forest):
        with pytest.raises(CommandError, match="It was not opened"):
            run(another_forest, sha256="0" * 64)
        run(another_forest, sha256=load_forest(another_forest).sha256.upper())

    def test_a_file_that_is_replaced_at_that_moment_is_not_activated(self, assets, third_forest, monkeypatch):
        forest = current_forest()
        monkeypatch.setattr(active, "current_forest", lambda: (drop_in(third_forest, assets), forest)[1])
        with pytest.raises(ModelError, match="replaced the model file"):
            put_into_service("spring")
        assert not ModelRelease.objects.exists()

    def test_nothing_is_written_into_the_models_folder(self, strict_assets, another_forest):
        before = contents(strict_assets)
        active_model()
        run(another_forest)
        run(rollback=True)
        assert contents(strict_assets) == before

    @pytest.mark.parametrize(
        ("arguments", "options"),
        [
            ([], {}),
            (["model.pkl"], {"rollback": True}),
            (["model.pkl"], {"status": True}),
            (["model.pkl"], {"to": 1}),
            (["model.pkl", "--max-mean-shift", "nan"], {}),
            (["model.pkl", "--max-mean-shift", "2"], {}),
            (["model.pkl", "--sample", "0"], {}),
        ],
    )
    def test_contradictions_are_refused(self, assets, arguments, options):
        with pytest.raises(CommandError):
            run(*arguments, **options)
        assert not ModelRelease.objects.exists()


class TestProgress:
    def test_the_status_shows_releases_and_who_scored_how_many(self, assets, another_forest):
        one, *_others = make_customers(3)
        scorer.rescore_batch()
        run(another_forest, note="spring")
        scorer.analyze(one.pk)
        said = run(status=True)
        first, second = ModelRelease.objects.order_by("id")
        assert re.search(rf"release {first.pk} +2\n", said)
        assert re.search(rf"release {second.pk} +1\n", said)
        assert re.search(r"left to rescore +2, scores of several models", said)
        assert re.search(rf"release {first.pk} .*: first model", said)
        assert re.search(rf"release {second.pk} .*: spring", said)

    def test_of_an_empty_database_too(self, assets):
        assert "Active model: none" in run(status=True)

    def test_to_wait_is_to_stay_until_all_are_rescored(self, assets, another_forest, monkeypatch):
        waiting = make_customers(3)
        scorer.rescore_batch()
        # One customer while it sleeps once, and while it sleeps again another.
        monkeypatch.setattr(progress, "sleep", lambda _seconds: scorer.analyze(waiting.pop().pk))
        said = run(another_forest, wait=True)
        assert "0 of 3 customers are scored by" in said
        assert "2 of 3 customers are scored by" in said
        assert " 1 to go" in said
        assert "All 3 customers are scored by" in said
        assert not Customer.objects.stale().exists()

    def test_where_no_worker_runs_it_says_so_and_ctrl_c_only_stops_the_watching(self, assets, monkeypatch):
        active_model()
        make_customer()
        looks = iter([None, None])

        def interrupt_later(_seconds):
            if next(looks, "end") == "end":
                raise KeyboardInterrupt

        monkeypatch.setattr(progress, "sleep", interrupt_later)
        monkeypatch.setattr(progress, "IDLE_SECONDS", 0)
        said = run(wait=True)
        assert "Is a worker running" in said
        assert "rescoring continues" in said


@pytest.mark.django_db(transaction=True)
def test_two_processes_that_notice_a_new_file_at_once_make_one_release(assets, another_forest):
    active_model()
    drop_in(another_forest, assets)
    found = together(*[lambda: active_model()[1].pk] * 4)
    assert len(set(found)) == 1
    assert ModelRelease.objects.count() == 2


@pytest.mark.django_db(transaction=True)
def test_files_that_follow_each_other_quickly_end_with_the_last_one_active(assets, another_forest, third_forest):
    active_model()

    def notice():
        for _ in range(20):
            with suppress(ModelError):  # half a swap may be seen, never used
                active_model()

    def swap():
        for forest in (another_forest, third_forest, another_forest, third_forest):
            shutil.copy(forest, assets / "draft")
            (assets / "draft").replace(assets / "model.pkl")

    together(notice, notice, swap)
    assert active_model()[1].sha256 == load_forest(third_forest).sha256
    releases_made = list(ModelRelease.objects.order_by("id").values_list("sha256", flat=True))
    assert all(one != following for one, following in pairwise(releases_made))


class TestLabelCodes:
    """A score depends on the file and on what its codes mean: either makes another model."""

    @pytest.mark.parametrize("change", ["other codes", "damaged model.json"])
    def test_other_codes_for_the_same_file_make_every_score_stale_and_back_again(self, assets, change):
        customer = make_scored(geography="Germany")
        score, metadata = customer.churn_risk_score, (assets / "model.json").read_text()
        if change == "other codes":
            swapped = json.loads(metadata)
            del swapped["golden"]  # they would refuse the wrong codes
            swapped["encodings"]["geography"] = {"France": 2, "Spain": 1, "Germany": 0}
            (assets / "model.json").write_text(json.dumps(swapped))
        else:
            (assets / "model.json").write_text(metadata[:100])
        assert scorer.rescore_batch().stored == 1
        customer.refresh_from_db()
        assert (
            customer.churn_risk_score == current_forest().predict_one({**A_CUSTOMER, "geography": "Germany"}) != score
        )
        (assets / "model.json").write_text(metadata)
        assert scorer.rescore_batch().stored == 1
        customer.refresh_from_db()
        assert customer.is_current()
        assert customer.churn_risk_score == pytest.approx(score, abs=1e-12)

    def test_a_former_file_without_its_model_json_gets_the_codes_it_served_with(self, assets, another_forest, tmp_path):
        codes = active_model()[0].encodings
        former = shutil.copy(assets / "model.pkl", tmp_path / "former.pkl")
        call_command("release_model", str(another_forest), "--yes", stdout=StringIO())
        call_command("release_model", str(former), "--yes", stdout=StringIO())
        assert current_forest().encodings == codes
        assert current_forest().sha256 == load_forest(former).sha256

    def test_releasing_what_is_active_says_that_no_score_changes(self, assets):
        active_model()
        said = StringIO()
        call_command("release_model", str(assets / "model.pkl"), "--yes", stdout=said)
        assert "no score changes" in said.getvalue()
        assert ModelRelease.objects.count() == 1
