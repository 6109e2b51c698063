"""The development server and its database connections."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection

import pytest

from tests.databases import migrated_database
from tests.flows.test_demo import ROOT, sessions
from tests.others import await_that, program

PORT = 18760
CLIENTS, REQUESTS = 4, 10


@pytest.fixture
def server():
    with migrated_database("vigilpay_test_runserver") as url:
        env = {**os.environ, "DATABASE_URL": url}
        serving = [sys.executable, "manage.py", "runserver", "--noreload", "--skip-checks", f"127.0.0.1:{PORT}"]
        with program(*serving, cwd=ROOT, env=env, stderr=subprocess.DEVNULL):
            await_that(answers, "the server answers", seconds=120)
            yield url


def answers():
    try:
        return status() == 404
    except OSError:
        return False


def status(_number=0):
    connection = HTTPConnection("127.0.0.1", PORT, timeout=10)
    try:
        connection.request("GET", "/customers/history/1/")
        return connection.getresponse().status
    finally:
        connection.close()


def test_no_session_stays_behind_when_its_client_has_gone(server):
    with ThreadPoolExecutor(CLIENTS) as clients:
        assert set(clients.map(status, range(CLIENTS * REQUESTS))) == {404}
    await_that(lambda: sessions(server) == 0, "the server has given back its connections")
