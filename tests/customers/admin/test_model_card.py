"""`manage.py model_card`, and the card that the repository shows of the shipped model."""

import json
import shutil
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from tests.customers.ml_service.forests import diagnosis

SHIPPED = Path(__file__).resolve().parents[3] / "ml_assets"


def run(*arguments, **options):
    out = StringIO()
    call_command("model_card", *map(str, arguments), stdout=out, **options)
    return out.getvalue()


def card_in(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in (folder / "README.md", *sorted((folder / "card").glob("*")))
    }


def test_the_committed_card_is_what_the_command_writes_of_the_committed_model(tmp_path):
    run(SHIPPED / "model.pkl", output=tmp_path)
    assert card_in(SHIPPED) == card_in(tmp_path), "run: manage.py model_card"


def test_the_card_is_written_beside_the_model_in_service(assets):
    (assets / "README.md").unlink()
    model = {name: (assets / name).read_bytes() for name in ("model.pkl", "model.json", "model.npz")}
    assert str(assets / "README.md") in run()
    assert json.loads(model["model.json"])["sha256"] in (assets / "README.md").read_text()
    assert {name: (assets / name).read_bytes() for name in model} == model


def test_pictures_come_with_the_figures_and_go_with_them(assets):
    path = assets / "model.json"
    metadata = json.loads(path.read_text())
    path.write_text(json.dumps({**metadata, "diagnostics": diagnosis()}))
    run()
    assert len(card_in(assets)) == 12
    path.write_text(json.dumps({**metadata, "diagnostics": {}}))
    run()
    assert list(card_in(assets)) == ["README.md"]


def test_another_file_gets_its_own_card_and_is_not_opened(assets, tmp_path):
    path = tmp_path / "foreign.pkl"
    path.write_bytes(b"whatever this would do")
    shutil.copy(assets / "model.json", tmp_path)
    run(path)
    assert "It is not recorded how good this forest is" in (tmp_path / "README.md").read_text()


def test_what_can_not_be_read_or_written_is_told_in_a_sentence(assets, tmp_path):
    with pytest.raises(CommandError, match=r"nothing\.pkl"):
        run(tmp_path / "nothing.pkl")
    (tmp_path / "file").touch()
    with pytest.raises(CommandError, match="file"):
        run(output=tmp_path / "file")
