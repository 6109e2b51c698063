"""The page on the JSON views, example by example, and bodies in chunks: against the web server of production."""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
from http.client import HTTPConnection
from pathlib import Path

import pytest

from tests.databases import migrated_database
from tests.others import await_that

ROOT = Path(__file__).resolve().parents[2]
PORT = 18770
DOCUMENT = (ROOT / "docs" / "api.md").read_text()
BLOCKS = re.findall(r"```sh\n(.*?)```", DOCUMENT, re.DOTALL)
# Each answer on a line of its own, and a status of 400 or more ends the block.
CURL = 'curl() { command curl --fail-with-body "$@"; echo; }'
SCORE = "from customers.scoring.scorer import rescore_batch; rescore_batch()"
JSON_BODY = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with migrated_database("vigilpay_test_api") as url:
        env = {**os.environ, "DATABASE_URL": url}
        for command in (["seed_demo", "--customers", "50"], ["shell", "--no-imports", "-c", SCORE]):
            subprocess.run([sys.executable, "manage.py", *command], cwd=ROOT, env=env, check=True, capture_output=True)
        serving = ["gunicorn", "vigilpay.wsgi", "--bind", f"127.0.0.1:{PORT}", "--worker-class", "gthread"]
        log = tmp_path_factory.mktemp("gunicorn") / "log"
        with (
            log.open("wb") as output,
            subprocess.Popen(
                [sys.executable, "-m", *serving, "--threads", "2"], cwd=ROOT, env=env, stdout=output, stderr=output
            ) as process,
        ):
            try:
                await_that(lambda: process.poll() is not None or answers(), "the server answers")
                assert process.poll() is None, log.read_text()
                yield log
            finally:
                process.terminate()
                process.wait()


def answers():
    try:
        return ask("GET", "/")[0] == 200
    except OSError:
        return False


def ask(method, address, body=None, headers=None, **options):
    connection = HTTPConnection("127.0.0.1", PORT, timeout=10)
    try:
        connection.request(method, address, body, headers or {}, **options)
        response = connection.getresponse()
        return response.status, json.loads(response.read())
    finally:
        connection.close()


@pytest.mark.skipif(not shutil.which("curl"), reason="needs curl")
@pytest.mark.parametrize("block", BLOCKS[1:], ids=lambda block: re.search(r"/[a-z/-]+/", block)[0])
def test_every_example_is_answered(server, block):
    first = BLOCKS[0].replace("8000", str(PORT))
    done = subprocess.run(
        ["sh", "-euc", f"{CURL}\n{first}\n{block}"], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr
    answered = [json.loads(line) for line in done.stdout.splitlines() if line]
    assert len(answered) > first.count("curl")
    assert not any("error" in it for it in answered)


def test_every_address_has_an_example(server):
    asked = {re.sub(r"/[0-9]+/", "/{customer_id}/", it) for it in re.findall(r"\$BASE(/[^?\"\s)]*)", "".join(BLOCKS))}
    _status, document = ask("GET", "/openapi.json")
    assert asked == set(document["paths"])


class TestChunks:
    ids = {"customer_ids": [16000001, 16000002]}

    def test_a_body_without_its_length_is_read(self, server):
        pieces = (bytes([it]) for it in json.dumps(self.ids).encode())
        status, answer = ask("POST", "/customers/analyze/", pieces, JSON_BODY, encode_chunked=True)
        assert status == 200
        assert [it["customer_id"] for it in answer["results"]] == self.ids["customer_ids"]

    def test_one_that_is_too_long_is_refused(self, server):
        pieces = (b" " * 10_000 for _ in range(10))
        assert ask("POST", "/customers/analyze/", pieces, JSON_BODY, encode_chunked=True)[0] == 413

    def test_one_that_is_no_chunk_is_refused_and_no_crash(self, server):
        head = b"POST /customers/what-if/ HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        with socket.create_connection(("127.0.0.1", PORT), timeout=10) as client:
            client.sendall(head + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n")
            assert client.recv(1000).split(b"\r\n")[0].startswith(b"HTTP/1.1 400")
        assert "Traceback" not in server.read_text()
