"""What the files in ``deploy/`` start, name and wait for is there."""

import codecs
import configparser
import json
import os
import re
import shutil
import subprocess
import tempfile
from importlib import import_module
from io import StringIO
from pathlib import Path

import pytest
import yaml
from django.conf import settings
from django.core.management import call_command, get_commands
from django.urls import reverse

from customers import ml_service
from customers.models import ModelRelease
from customers.releases import records
from events.worker.heartbeat import ANSWER_SECONDS, CONNECT_SECONDS
from events.worker.supervisor import CHECK_SECONDS
from tests.factories import make_scored
from tests.image import IS_ROOT, Image, steps
from tests.production import run as run_in_production
from tests.web_server import deployed_options
from vigilpay.management.commands.run_worker import WAY_OUT_SECONDS
from vigilpay.web.request_size import MOST_BYTES, UPLOAD_ADDRESS, largest_upload

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


@pytest.fixture(scope="module")
def image():
    """Not below tmp_path: other users cannot reach that."""
    with tempfile.TemporaryDirectory(dir="/tmp", ignore_cleanup_errors=True) as root:
        os.chmod(root, 0o755)
        image = Image(Path(root))
        image.build()
        yield image


def test_the_steps_of_the_dockerfile_make_what_the_image_needs(image):
    """They have run, so that what they name is there: here it is what they leave behind."""
    assert (image.user, image.uid) == ("vigilpay", 10001)
    assert (image.inside("manage.py")).is_file()
    assert list(image.inside("staticfiles").glob("admin/css/*.css"))
    assert not (image.inside(".git")).exists()


@pytest.mark.parametrize("service", ["migrate", "web", "worker"])
def test_what_the_image_writes_later_are_volumes_filled_from_it(image, service):
    parts = COMPOSE["services"][service]
    mounted = [mount.split(":")[1] for mount in parts["volumes"]]
    assert parts["read_only"]
    for variable in ("VIGILPAY_ML_ASSETS", "NUMBA_CACHE_DIR"):
        assert image.environment[variable] in mounted
        if IS_ROOT:
            assert image.inside(image.environment[variable]).stat().st_uid == image.uid
    assert (image.inside(image.environment["VIGILPAY_ML_ASSETS"]) / "model.pkl").is_file()
    # What strangers reach can change no model, which is code; commands are run in the worker's container.
    assert (f"models:{image.environment['VIGILPAY_ML_ASSETS']}" in parts["volumes"]) is (service == "worker")


@pytest.mark.django_db
def test_a_model_is_released_in_the_read_only_container(image, settings, another_forest, request):
    """By the image's user, to whom nothing else is left to write to than the volumes."""
    models = image.inside(image.environment["VIGILPAY_ML_ASSETS"])
    candidate = shutil.copy(another_forest, image.root / "candidate.pkl")
    settings.ML_ASSETS_DIR, settings.ACCEPT_UNRELEASED_MODEL = models, False
    records.configure_models()
    request.addfinalizer(lambda: ml_service.configure(assets_dir=ROOT / "ml_assets", accept_unreleased=True))
    make_scored()  # as root, perhaps, who keeps the model: it belongs to the image's user all the same
    subprocess.run(["chmod", "-R", "a-w", image.inside("."), models.parent], check=True)
    subprocess.run(["chmod", "-R", "u+w", models], check=True)
    if IS_ROOT:
        call_command(
            "release_model", candidate, "--yes", dry_run=True, stdout=StringIO()
        )  # imports what it needs, as root
        codecs.lookup("cp437")  # and what archives are read with
        os.seteuid(image.uid)
        request.addfinalizer(lambda: os.seteuid(0))
    call_command("release_model", candidate, "--yes", note="in a container", stdout=StringIO())
    call_command("release_model", "--rollback", stdout=StringIO())
    assert [release.note[:7] for release in ModelRelease.objects.order_by("id")] == ["first m", "in a co", "back to"]


def test_no_process_is_killed_before_a_stop_has_come_to_its_own_end():
    longest = settings.DRAIN_SECONDS + WAY_OUT_SECONDS
    assert int(COMPOSE["services"]["worker"]["stop_grace_period"].removesuffix("s")) > longest
    service = unit(DEPLOY / "vigilpay-worker.service")["Service"]
    assert int(service["TimeoutStopSec"]) > longest
    assert (service["KillMode"], service["Restart"]) == ("mixed", "always")


def test_the_supervisor_is_not_taken_for_dead_while_it_waits_for_postgresql():
    service = unit(DEPLOY / "vigilpay-worker.service")["Service"]
    assert service["Type"] == "notify"
    longest_turn = CHECK_SECONDS + ANSWER_SECONDS + CONNECT_SECONDS
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


def test_a_production_like_deployment_passes_every_check():
    """``make check-deploy``."""
    done = run_in_production("postgresql://app@nowhere/nothing", "check", "--deploy", "--fail-level", "WARNING")
    assert done.returncode == 0, done.stderr
    assert "WARNINGS" not in done.stderr


def test_the_compose_file_limits_what_lies_in_memory():
    for service in ("web", "worker", "migrate"):
        assert all("size=" in mount for mount in COMPOSE["services"][service]["tmpfs"])


def test_image_and_unit_start_the_web_server_alike():
    image = json.loads(dict(steps())["CMD"])
    assert [it for it in image if it not in ("gunicorn", "vigilpay.wsgi", "--bind", "0.0.0.0:8000")] == [
        it for it in deployed_options() if it != "vigilpay.wsgi"
    ]


def test_the_web_container_is_asked_whether_it_is_ready():
    _cmd, program, option, code = COMPOSE["services"]["web"]["healthcheck"]["test"]
    assert (program, option) == ("python", "-c")
    compile(code, "healthcheck", "exec")
    assert "/health/ready" in code


NGINX = (DEPLOY / "nginx.conf.example").read_text()


def test_nginx_lets_through_what_we_take_and_no_more():
    upload = re.search(r"location = (\S+) \{\s+client_max_body_size (\d+)m;", NGINX)
    assert upload[1] == reverse(UPLOAD_ADDRESS)
    assert int(upload[2]) << 20 == largest_upload()
    assert re.search(r"^    client_max_body_size 1m;", NGINX, re.MULTILINE)
    assert MOST_BYTES == 1 << 20
    assert "proxy_request_buffering on;" in NGINX


@pytest.mark.skipif(shutil.which("nginx") is None, reason="no nginx here")
def test_nginx_understands_its_example(tmp_path):
    """With a certificate of its own: that of the example is the bank's."""
    pair = [tmp_path / "fullchain.pem", tmp_path / "privkey.pem"]
    make = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=churn.example.org", "-days", "2"]
    subprocess.run([*make, "-out", pair[0], "-keyout", pair[1]], check=True, capture_output=True)
    site = NGINX.replace("/etc/ssl/vigilpay", str(tmp_path))
    frame = f"pid {tmp_path}/pid; error_log stderr; events {{}} http {{ access_log off;\n{site}\n}}"
    (tmp_path / "nginx.conf").write_text(frame)
    done = subprocess.run(["nginx", "-t", "-c", tmp_path / "nginx.conf"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
