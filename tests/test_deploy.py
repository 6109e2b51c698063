"""What the files in ``deploy/`` start, name and wait for is there."""

import configparser
import re
import shutil
import subprocess
from importlib import import_module
from pathlib import Path

import pytest
import yaml
from django.conf import settings
from django.core.management import get_commands

from events.supervisor import LOOK_SECONDS
from events.worker_facts import ANSWER_SECONDS, CONNECT_SECONDS
from vigilpay.management.commands.run_worker import WAY_OUT_SECONDS

ROOT = Path(__file__).resolve().parent.parent
DEPLOY = ROOT / "deploy"
FILES = sorted(path for path in DEPLOY.iterdir() if path.is_file())
UNITS = sorted(DEPLOY.glob("*.service"))
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text())


def unit(path):
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str
    parser.read(path)
    return parser


def test_every_command_that_they_name_exists():
    named = {name for path in FILES for name in re.findall(r"manage\.py[\", ]+([a-z_]+)", path.read_text())}
    assert {"run_worker", "migrate", "collectstatic"} <= named
    assert named <= set(get_commands())


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_program_of_the_web_server_exists(path):
    if "gunicorn" in path.read_text():
        assert "vigilpay.wsgi" in path.read_text()
        assert callable(import_module("vigilpay.wsgi").application)
        assert re.search(r"^gunicorn==", (ROOT / "requirements.txt").read_text(), re.MULTILINE)


def test_the_worker_runs_watched():
    assert COMPOSE["services"]["worker"]["command"] == ["python", "manage.py", "run_worker"]
    assert unit(DEPLOY / "vigilpay-worker.service")["Service"]["ExecStart"].endswith("manage.py run_worker")


def test_every_variable_of_the_compose_file_is_one_of_ours():
    ours = set(re.findall(r"^#([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))
    for service in ("migrate", "web", "worker"):
        assert set(COMPOSE["services"][service]["environment"]) <= ours


def test_the_compose_file_names_files_and_volumes_that_exist():
    build = COMPOSE["services"]["worker"]["build"]
    assert ((DEPLOY / build["context"]).resolve() / build["dockerfile"]).is_file()
    mounted = {mount.split(":")[0] for service in COMPOSE["services"].values() for mount in service.get("volumes", ())}
    assert mounted == set(COMPOSE["volumes"])


def test_nobody_is_killed_before_a_stop_has_come_to_its_own_end():
    longest = settings.DRAIN_SECONDS + WAY_OUT_SECONDS
    assert int(COMPOSE["services"]["worker"]["stop_grace_period"].removesuffix("s")) > longest
    service = unit(DEPLOY / "vigilpay-worker.service")["Service"]
    assert int(service["TimeoutStopSec"]) > longest
    assert (service["KillMode"], service["Restart"]) == ("mixed", "always")


def test_the_supervisor_is_not_taken_for_dead_while_it_waits_for_postgresql():
    service = unit(DEPLOY / "vigilpay-worker.service")["Service"]
    assert service["Type"] == "notify"
    longest_turn = LOOK_SECONDS + ANSWER_SECONDS + CONNECT_SECONDS
    assert float(service["WatchdogSec"]) > longest_turn + 5


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd here")
@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.name)
def test_systemd_understands_the_units(path, tmp_path):
    """With programs that are there: those of the unit are not, on a machine that is not the bank's."""
    draft = tmp_path / path.name
    draft.write_text(re.sub(r"^ExecStart=\S+", "ExecStart=/bin/true", path.read_text(), flags=re.MULTILINE))
    done = subprocess.run(["systemd-analyze", "verify", draft], capture_output=True, text=True)
    assert path.name not in done.stdout + done.stderr
    assert "Unknown" not in done.stderr
