"""`release_model` shows what it is about to open, and asks first."""

import pickle
import shutil
from hashlib import sha256
from io import StringIO
from types import SimpleNamespace

import pytest
from django.core.management import CommandError, call_command

from customers.models import ModelRelease
from customers.releases.active import active_model

pytestmark = pytest.mark.django_db


class Trap:
    def __reduce__(self):
        return pytest.fail, ("the pickle was run",)


@pytest.fixture
def trap(tmp_path):
    path = tmp_path / "trap.pkl"
    path.write_bytes(pickle.dumps(Trap()))
    return path


@pytest.fixture
def out():
    return StringIO()


@pytest.fixture
def release(out):
    return lambda *arguments, **options: call_command("release_model", *map(str, arguments), stdout=out, **options)


def checksum(path):
    return sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def answers(monkeypatch):
    """Call it with what the user at the terminal does when asked."""

    def will(answer):
        monkeypatch.setattr("sys.stdin", SimpleNamespace(isatty=lambda: True))
        monkeypatch.setattr("builtins.input", lambda _question: answer() if callable(answer) else answer)

    return will


@pytest.mark.parametrize("options", [{}, {"dry_run": True}, {"sha256": "right"}])
def test_without_a_terminal_it_takes_a_yes_on_the_command_line(strict_assets, trap, release, out, options):
    if options.get("sha256"):
        options = {"sha256": checksum(trap)}
    with pytest.raises(CommandError, match=r"not opened: no terminal .* --yes"):
        release(trap, **options)
    assert str(trap) in out.getvalue()
    assert checksum(trap) in out.getvalue()
    assert not ModelRelease.objects.exists()


def no_more():
    raise EOFError


@pytest.mark.parametrize("answer", ["", "n", "no", "what?", no_more])
def test_anything_but_yes_leaves_it_closed(strict_assets, trap, release, answers, answer):
    answers(answer)
    with pytest.raises(CommandError, match="was not opened, and nothing was changed"):
        release(trap)


@pytest.mark.parametrize("answer", ["y", "Yes "])
def test_yes_opens_it_after_path_and_checksum_were_shown(strict_assets, another_forest, release, out, answers, answer):
    def look_and_answer():
        assert f"The model file {another_forest}\n  sha256 {checksum(another_forest)}\n" in out.getvalue()
        assert "never released in this database" in out.getvalue()
        assert "Verified" not in out.getvalue()
        return answer

    answers(look_and_answer)
    release(another_forest)
    assert ModelRelease.objects.active().pk
    assert "Verified" in out.getvalue()


def test_what_served_before_is_said(strict_assets, release, out):
    known = active_model()[1]
    release(strict_assets / "model.pkl", yes=True)
    assert f"served here as {known}" in out.getvalue()


def test_a_file_that_is_exchanged_after_the_answer_is_not_opened(
    strict_assets, another_forest, trap, tmp_path, release, answers
):
    path = shutil.copy(another_forest, tmp_path / "ours.pkl")
    answers(lambda: shutil.copy(trap, path) and "y")
    with pytest.raises(CommandError, match="It was not opened"):
        release(path)


@pytest.mark.parametrize("digits", [1, 8, 15])
def test_a_short_checksum_is_refused_even_if_it_fits(strict_assets, trap, release, digits):
    with pytest.raises(CommandError, match="at least 16 hexadecimal digits"):
        release(trap, yes=True, sha256=checksum(trap)[:digits])


@pytest.mark.parametrize("text", ["not sixteen hexadecimal digits", "0x" + "a" * 62, "a" * 65])
def test_so_is_what_is_no_checksum(strict_assets, trap, release, text):
    with pytest.raises(CommandError, match="no checksum to rely on"):
        release(trap, yes=True, sha256=text)


@pytest.mark.parametrize("digits", [16, 64])
def test_a_checksum_is_compared_before_the_file_is_opened(strict_assets, trap, another_forest, release, digits):
    with pytest.raises(CommandError, match="It was not opened"):
        release(trap, yes=True, sha256=checksum(another_forest)[:digits])
    release(another_forest, yes=True, sha256=checksum(another_forest)[:digits].upper())
    assert ModelRelease.objects.count() == 1


def test_a_way_back_needs_no_answer(strict_assets, another_forest, release):
    """Its file has the checksum of a release."""
    first = active_model()[1]
    release(another_forest, yes=True)
    release("--rollback")
    assert ModelRelease.objects.active().sha256 == first.sha256
