"""The release of a model that was fitted on something else, and of one behind scalers, through the command."""

import shutil
from decimal import Decimal
from io import StringIO

import joblib
import numpy as np
import pytest
from django.core.management import CommandError, call_command
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from customers.ml_service import FEATURES, ModelColumnsError
from customers.ml_service.files.golden import generate_rows
from customers.models import Customer, ModelRelease
from customers.monitoring import audit
from customers.releases import storage
from customers.releases.active import active_model
from customers.scoring import scorer
from tests.customers.ml_service.forests import as_numbers, fit_pipeline, unfitted
from tests.factories import make_customer

pytestmark = pytest.mark.django_db


def run(*arguments):
    """What a call of the command prints."""
    out = StringIO()
    call_command("release_model", *map(str, arguments), yes=True, stdout=out)
    return out.getvalue()


@pytest.fixture(scope="module")
def pipelines(tmp_path_factory):
    """A searched Pipeline, and its last step alone, as it is dumped after the whole was refused somewhere."""
    folder = tmp_path_factory.mktemp("pipelines")
    model = fit_pipeline(
        GridSearchCV(make_pipeline(StandardScaler(), MinMaxScaler(), unfitted(min_samples_leaf=5)), {}, cv=2)
    )
    for name, part in {"whole": model, "forest": model.best_estimator_[-1]}.items():
        joblib.dump(part, folder / f"{name}.pkl")
    return folder


def customers_of(rows):
    for row in rows:
        fields = dict(zip(FEATURES, row, strict=True))
        make_customer(**fields | {"balance": Decimal(str(fields["balance"]))})


class TestTheLastStepAlone:
    def test_it_is_refused_and_nothing_was_changed(self, assets, pipelines):
        before = active_model()[1], (assets / "model.pkl").read_bytes()
        with pytest.raises(
            CommandError, match=r"age: none of its .* Scaled values, most likely\..* the whole Pipeline"
        ):
            run(pipelines / "forest.pkl")
        assert (active_model()[1], (assets / "model.pkl").read_bytes()) == before

    def test_a_copy_of_it_scores_no_customer(self, assets, pipelines):
        shutil.copy(pipelines / "forest.pkl", assets / "model.pkl")
        customer = make_customer()
        with pytest.raises(ModelColumnsError):
            scorer.analyze(customer.pk)
        customer.refresh_from_db()
        assert customer.churn_risk_score is None

    def test_with_a_reason_it_is_released_and_the_reason_is_kept(self, assets, pipelines):
        told = run(pipelines / "forest.pkl", "--trust-columns", "customers come scaled here")
        assert "Reason: customers come scaled here" in told
        release = ModelRelease.objects.active()
        assert release.metadata["columns_trusted"] == "customers come scaled here"
        assert run(pipelines / "forest.pkl").endswith("It was already active; no score changes.\n")

    def test_a_reason_is_for_a_path(self, assets):
        with pytest.raises(CommandError, match="--trust-columns needs the PATH"):
            run("--status", "--trust-columns", "why not")


def test_the_whole_pipeline_is_released_and_every_score_is_its_own(assets, pipelines):
    rows = [(*row[:5], round(100_000.01 + row[5], 2), *row[6:]) for row in generate_rows(60, seed=7)]
    customers_of(rows)
    told = run(pipelines / "whole.pkl")
    assert "nodes, in a GridSearchCV; StandardScaler and MinMaxScaler before it folded into its thresholds" in told
    scorer.rescore_batch()
    stored = Customer.objects.order_by("pk").values_list("churn_risk_score", flat=True)
    expected = joblib.load(pipelines / "whole.pkl").predict_proba(as_numbers(rows))[:, 1]
    np.testing.assert_allclose(list(stored), expected, rtol=0, atol=1e-12)
    report = audit.audit()
    assert (report.audited, report.wrong, report.left) == (60, 0, 0)
    assert len(set(stored)) > 20
    assert storage.source_of(ModelRelease.objects.active()) == (pipelines / "whole.pkl").read_bytes()
