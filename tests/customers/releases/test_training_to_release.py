"""From a training file to a model in service and back, by the commands as the documents name them."""

import shlex
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import ProgrammingError

from customers.management.commands import train_model
from customers.ml_service import current_forest, load_forest
from customers.models import ModelRelease
from customers.releases.active import active_model
from customers.scoring import scorer
from tests.customers.ml_service.forests import write_csv
from tests.factories import make_scored

pytestmark = pytest.mark.django_db

TRAINED = {}
train_it = train_model.train


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    return write_csv(tmp_path_factory.mktemp("table") / "churn.csv")


@pytest.fixture(autouse=True)
def trained_once(monkeypatch):
    """The same customers give the same forest: what one test has trained serves the others."""
    monkeypatch.setattr(train_model, "train", lambda data, **how: TRAINED.get("it") or keep(train_it(data, **how)))


def keep(trained):
    TRAINED["it"] = trained
    return trained


def run(*arguments, **options):
    """What a command prints."""
    out = StringIO()
    call_command(*map(str, arguments), stdout=out, **options)
    return out.getvalue()


def train(table, **options):
    return run("train_model", table, trees=3, **options)


def in_place(assets):
    return {path.name: path.read_bytes() for path in assets.iterdir() if path.is_file()}


def candidates(assets):
    return sorted((assets / "candidates").glob("*/model.pkl"))


@pytest.mark.parametrize("before", ["a worker has scored by the shipped model", "nothing was ever scored"])
def test_in_development_it_is_in_service_and_one_command_goes_back(assets, table, before):
    shipped = current_forest().fingerprint
    if before != "nothing was ever scored":
        customer = make_scored()
    said = train(table)
    assert "Active model: release" in said
    [path] = candidates(assets)
    assert active_model()[1].sha256 == load_forest(path).sha256
    assert ModelRelease.objects.latest("id").note == "trained on churn.csv"
    run("release_model", "--rollback")
    assert active_model()[1].fingerprint == shipped
    if before != "nothing was ever scored":
        score = customer.churn_risk_score
        scorer.analyze(customer.pk)
        customer.refresh_from_db()
        assert customer.churn_risk_score == pytest.approx(score, abs=1e-12)  # numba's sums end in other digits


def test_and_back_from_a_model_that_was_dropped_in(assets, another_forest, table):
    active_model()
    (assets / "model.pkl").write_bytes(another_forest.read_bytes())
    train(table)
    run("release_model", "--rollback")
    assert active_model()[1].sha256 == load_forest(another_forest).sha256


class TestProduction:
    def test_it_writes_a_candidate_and_touches_nothing_in_service(self, strict_assets, table):
        customer, before = make_scored(), in_place(strict_assets)
        train(table)
        assert in_place(strict_assets) == before
        assert len(candidates(strict_assets)) == 1
        assert ModelRelease.objects.count() == 1
        customer.refresh_from_db()
        assert customer.is_current()

    def test_the_printed_lines_try_it_out_and_put_it_into_service(self, strict_assets, table):
        shipped = active_model()[1].sha256
        lines = [line.split("manage.py ")[1] for line in train(table).splitlines() if "manage.py" in line]
        assert "Dry run: nothing was changed." in run(*shlex.split(lines[0]), "--yes")
        assert ModelRelease.objects.count() == 1
        run(*shlex.split(lines[1]), "--yes")
        assert active_model()[1].sha256 == load_forest(candidates(strict_assets)[0]).sha256
        assert ModelRelease.objects.latest("id").note == "reason"
        run("release_model", "--rollback")
        assert active_model()[1].sha256 == shipped

    def test_where_two_persons_decide_the_line_proposes(self, strict_assets, table, settings):
        settings.ONE_PERSON_RELEASES = False
        assert train(table).splitlines()[-1].endswith('model.pkl --by USERNAME --note "reason"')
        assert "\nPropose it with: manage.py release_model" in train(table)

    def test_a_folder_with_spaces_in_its_name_is_quoted(self, strict_assets, table, tmp_path):
        lines = train(table, output=tmp_path / "a b").splitlines()
        command = shlex.split(lines[-1].split("manage.py ")[1])
        assert command == ["release_model", str(tmp_path / "a b" / "model.pkl"), "--note", "reason"]


def test_a_candidate_alone_is_written_where_that_is_asked_for(assets, table):
    said = train(table, candidate=True)
    assert "Make it the active model with: manage.py release_model" in said
    assert not ModelRelease.objects.exists()


@pytest.mark.parametrize("way", [".", "candidates/.."])
def test_the_files_in_service_are_no_place_for_a_candidate(assets, table, way):
    before = in_place(assets)
    (assets / "candidates").mkdir()
    with pytest.raises(CommandError, match="only release_model replaces"):
        train(table, output=assets / way)
    assert in_place(assets) == before


def test_a_training_is_not_lost_for_a_database_without_tables(assets, table, monkeypatch):
    def call(*_given, **_options):
        raise ProgrammingError('relation "customers_modelrelease" does not exist\nLINE 1')

    monkeypatch.setattr(train_model, "call_command", call)
    with pytest.raises(
        CommandError, match=r"does not exist\. Run `manage\.py migrate`, then: manage\.py release_model /"
    ):
        train(table)
    assert len(candidates(assets)) == 1
