"""What make says and leaves when an installation does not come to its end."""

import fcntl
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.others import await_that

ROOT = Path(__file__).resolve().parent.parent
pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="no make here")


def make(directory, *arguments, **environment):
    """In a directory of its own, which stands for the virtual environment as well; nothing gets into ours."""
    (directory / "requirements.txt").write_text(f"nothing-there==1.0 --hash=sha256:{'0' * 64}\n")
    command = ["make", "-f", ROOT / "Makefile", f"VENV={directory}", f"PY={sys.executable}", *arguments]
    told = {**os.environ, "PIP_NO_INDEX": "0", "MAKEFLAGS": "", **environment}
    pipe = subprocess.PIPE
    return subprocess.Popen(command, cwd=directory, env=told, stdout=pipe, stderr=pipe, text=True, process_group=0)


@pytest.mark.parametrize("retries", ["0", "1"])
def test_without_a_network_it_says_what_to_do(tmp_path, retries):
    nowhere = {"PIP_INDEX_URL": "http://127.0.0.1:1/simple", "PIP_EXTRA_INDEX_URL": "", "PIP_FIND_LINKS": ""}
    said = (process := make(tmp_path, f"{tmp_path}/.runtime-stamp", PIP_RETRIES=retries, **nowhere)).communicate()[1]
    assert process.returncode == 2
    assert "The package index cannot be reached: connect to the network" in said
    assert not (tmp_path / ".runtime-stamp").exists()


def test_a_package_that_is_not_in_the_index_is_no_lack_of_a_network(tmp_path):
    said = (process := make(tmp_path, f"{tmp_path}/.runtime-stamp", PIP_NO_INDEX="1")).communicate()[1]
    assert process.returncode == 2
    assert "No matching distribution found" in said
    assert "cannot be reached" not in said


@pytest.mark.skipif(not Path("/proc/locks").exists(), reason="only Linux tells who waits for a lock")
def test_ctrl_c_while_another_make_installs_shows_no_traceback(tmp_path):
    shutil.copy(ROOT / "Makefile", tmp_path)
    with (tmp_path / "Makefile").open() as of_another_make:
        fcntl.flock(of_another_make, fcntl.LOCK_EX)
        process = make(tmp_path, "setup")
        await_that(lambda: waits_for_a_lock(psutil.Process(process.pid)), "it waits for the other")
        os.killpg(process.pid, signal.SIGINT)
        said = process.communicate(timeout=30)[1]
    assert process.returncode in (2, -signal.SIGINT)
    assert "Traceback" not in said


def waits_for_a_lock(process):
    waiting = {line.split()[5] for line in Path("/proc/locks").read_text().splitlines() if "-> FLOCK" in line}
    return waiting & {str(child.pid) for child in process.children(recursive=True)}
