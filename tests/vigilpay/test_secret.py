"""The signing key of a development checkout: made once, the same for all, readable by its owner alone."""

import subprocess
import sys

import pytest

from vigilpay import secret
from vigilpay.secret import local_secret_key

ASK = "import sys, pathlib; from vigilpay.secret import local_secret_key as key; print(key(pathlib.Path(sys.argv[1])))"


def test_it_is_made_once_and_stays(tmp_path):
    assert local_secret_key(tmp_path) == local_secret_key(tmp_path)


def test_it_is_long_and_another_one_elsewhere(tmp_path):
    here, there = local_secret_key(tmp_path / "here"), local_secret_key(tmp_path / "there")
    assert here != there
    assert len(here) >= 50


def test_only_its_owner_can_read_it_and_no_draft_is_left(tmp_path):
    local_secret_key(tmp_path)
    [file] = tmp_path.iterdir()
    assert file.stat().st_mode & 0o777 == 0o600


def test_processes_that_ask_at_once_get_the_same(tmp_path):
    asked = [
        subprocess.Popen([sys.executable, "-c", ASK, tmp_path / "new"], stdout=subprocess.PIPE, text=True)
        for _ in range(6)
    ]
    answers = {process.communicate(timeout=60)[0] for process in asked}
    assert [process.returncode for process in asked] == [0] * 6
    assert len(answers) == 1


def test_a_process_that_comes_second_uses_the_key_of_the_first(tmp_path, monkeypatch):
    def meanwhile_another_was_first(size):
        (tmp_path / "secret_key").write_text("the first one's")
        return "ours"

    monkeypatch.setattr(secret.secrets, "token_urlsafe", meanwhile_another_was_first)
    assert local_secret_key(tmp_path) == "the first one's"


def test_a_directory_that_can_not_be_written_is_no_silent_key(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OSError, match="file"):
        local_secret_key(tmp_path / "file" / "below")
