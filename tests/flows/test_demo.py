"""The first thing that a stranger types."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import psycopg
import pytest

from tests.databases import scratch_database
from tests.others import await_that

ROOT = Path(__file__).resolve().parents[2]
PORT = "18700"


@pytest.fixture
def url():
    with scratch_database("vigilpay_test_demo") as address:
        yield address


def demo(url, *arguments):
    return subprocess.Popen(
        [sys.executable, "manage.py", "demo", "--port", PORT, *arguments],
        cwd=ROOT,
        env={**os.environ, "DATABASE_URL": url},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def sessions(url):
    with psycopg.connect(url) as connection:
        counted = connection.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        return counted.fetchone()[0]


def test_it_shows_a_score_that_follows_an_edit_in_sql_and_leaves_nothing_running(url):
    said, _ = (process := demo(url, "--check")).communicate(timeout=120)
    assert process.returncode == 0, said
    scores = [float(score) for score in re.findall(r"score (?:before|after) +([0-9.]+)", said)]
    assert len(scores) == 2
    assert scores[0] != scores[1]
    assert re.search(r"current after +[0-9.]+ ms", said)
    assert "password: " in said
    await_that(lambda: sessions(url) == 0, "web server and worker have gone")


@pytest.mark.slow
def test_ctrl_c_stops_all_that_it_started_and_the_data_stay(url):
    with demo(url) as process:
        for line in process.stdout:
            if "Ctrl-C stops everything" in line:
                break
        process.send_signal(signal.SIGINT)
        said, _ = process.communicate(timeout=60)
    assert process.returncode == 0, said
    await_that(lambda: sessions(url) == 0, "web server and worker have gone")
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT count(*) FROM customers_customer").fetchone()[0] == 10_000


@pytest.mark.slow
def test_ctrl_c_before_it_has_shown_anything_leaves_nothing_running_not_even_when_it_comes_twice(url):
    with demo(url) as process:
        for line in process.stdout:
            if line.startswith("Starting web server and worker"):
                break
        for _ in range(2):
            process.send_signal(signal.SIGINT)
            time.sleep(0.2)
        said, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Stopping everything" in said
    assert "Traceback" not in said
    await_that(lambda: sessions(url) == 0, "web server and worker have gone")


def test_it_does_not_make_up_customers_in_production(url):
    environment = {"VIGILPAY_ENV": "production", "SECRET_KEY": "only for this test " * 4, "ALLOWED_HOSTS": "127.0.0.1"}
    done = subprocess.run(
        [sys.executable, "manage.py", "demo", "--check"],
        cwd=ROOT,
        env={**os.environ, "DATABASE_URL": url, **environment},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1
    assert "VIGILPAY_ENV=development" in done.stderr
    assert sessions(url) == 0
