"""`prune_releases` deletes models that are asked for no more, and nothing else."""

from io import StringIO

import pytest
from django.core.management import call_command
from django.db.models.functions import Now

from customers.ml_service.files.packaging import verify
from customers.models import ModelFile, ModelProposal, ModelRelease, ScoreRecord
from customers.releases.active import active_model, put_into_service
from customers.releases.pruning import stored_models
from tests.factories import make_scored, train_forest

pytestmark = pytest.mark.django_db


@pytest.fixture
def four(strict_assets, another_forest, third_forest, tmp_path):
    """Fingerprints of the models of four releases, none of which has scored a customer."""
    active_model()
    for path in (another_forest, third_forest, train_forest(tmp_path / "fourth.pkl", seed=4)):
        put_into_service("", verify(path))
    return list(ModelRelease.objects.order_by("id").values_list("fingerprint", flat=True))


def run(**options):
    call_command("prune_releases", stdout=(out := StringIO()), **options)
    return out.getvalue()


def stored():
    return set(ModelFile.objects.values_list("pk", flat=True))


def test_the_active_one_and_the_one_before_stay(four):
    assert "2 models deleted" in run()
    assert stored() == set(four[2:])
    assert ModelRelease.objects.count() == 4


def test_so_does_one_that_a_score_names(four):
    make_scored()
    ScoreRecord.objects.update(scored_by=ModelRelease.objects.earliest("id"))
    run()
    assert stored() == {four[0], *four[2:]}


@pytest.mark.parametrize(("state", "stays"), [("open", True), ("approved", True), ("refused", False)])
def test_and_one_that_is_proposed(four, state, stays):
    decided = {} if state == "open" else {"decided_by": "ben", "decided_at": Now()}
    ModelProposal.objects.create(fingerprint=four[1], proposed_by="anna", state=state, **decided)
    run()
    assert (four[1] in stored()) is stays


def test_a_dry_run_tells_why_each_stays_and_deletes_none(four):
    said = run(dry_run=True)
    assert said.count("would be deleted") == 2
    assert "is active" in said
    assert "was active before" in said
    assert len(stored()) == 4
    assert all(model.size > 1000 for model in stored_models())
