import io

import pytest
from django.core.management import CommandError, call_command

from customers.management.commands.train_model import Command
from customers.ml_service import load_forest

from .forests import write_csv


def test_the_command_trains_prints_its_figures_and_writes_a_released_model(tmp_path):
    out = io.StringIO()
    path = write_csv(tmp_path / "churn.csv")
    call_command(Command(stdout=out), str(path), seed=3, trees=4, output=tmp_path / "assets")
    assert "roc_auc" in out.getvalue()
    assert "±" in out.getvalue()
    forest = load_forest(tmp_path / "assets" / "model.pkl")
    assert forest.released
    assert forest.n_trees == 4
    assert forest.metadata["training"]["seed"] == 3


def test_a_file_that_cannot_be_trained_on_is_told_in_a_sentence(tmp_path):
    path = tmp_path / "bad.csv"
    path.write_text("a,b\n1,2\n")
    with pytest.raises(CommandError, match="the header lacks credit_score"):
        call_command(Command(stdout=io.StringIO()), str(path), output=tmp_path)
