"""Clients that send or read slowly, or not at all: others are answered meanwhile."""

import socket
import time
from contextlib import ExitStack, closing

import pytest

from tests.databases import scratch_database
from tests.others import meanwhile
from tests.web_server import deployed_options, running_site
from vigilpay.web import gthread
from vigilpay.web.gthread import AWAITED_BODY_BYTES, HEAD_BYTES, Budget, Connection, ImpatientSocket, is_complete

HALVES = {
    "not a byte": b"",
    "half a request line": b"GET /health/li",
    "half a head": b"GET /health/live HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ",
    "half a form": b"POST /admin/login/ HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 500\r\n\r\nusername=",
}


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Needs no tables: what is asked for here asks for nothing."""
    with (
        scratch_database("vigilpay_test_gthread") as url,
        running_site(url, tmp_path_factory.mktemp("web") / "log") as site,
    ):
        yield site


@pytest.mark.parametrize("half", HALVES.values(), ids=HALVES)
def test_clients_that_send_half_a_request_stop_no_other(site, half):
    """Many more of them than there are threads."""
    with ExitStack() as open_until_then:
        for _ in range(60):
            open_until_then.enter_context(closing(site.connect(half)))
        answers = [site.get("/health/live", timeout=gthread.ARRIVAL_SECONDS - 2).status for _ in range(12)]
    assert answers == [200] * 12


def test_clients_that_do_not_read_their_answers_stop_no_other(site):
    ask = b"GET /static/admin/js/vendor/xregexp/xregexp.js HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    with ExitStack() as open_until_then:
        for _ in range(60):
            open_until_then.enter_context(closing(site.connect(ask, buffer_bytes=4096)))
        answers = [site.get("/health/live", timeout=gthread.PATIENCE_SECONDS - 2).status for _ in range(12)]
    assert answers == [200] * 12


def test_a_request_that_arrives_in_pieces_is_answered(site):
    with closing(site.connect()) as client:
        for piece in (b"GET /health/live HT", b"TP/1.1\r\nHost: 127.0.0.1\r\n", b"Connection: close\r\n\r\n"):
            client.sendall(piece)
            time.sleep(0.05)
        assert client.recv(1000).startswith(b"HTTP/1.1 200 OK")


def test_a_kept_connection_whose_next_request_comes_in_pieces_is_answered_again(site):
    with closing(site.connect()) as client:
        for _ in range(3):
            client.sendall(b"GET /health/live HTTP/1.1\r\nHost: 127")
            time.sleep(0.05)
            client.sendall(b".0.0.1\r\n\r\n")
            answer = client.recv(4000)
            while not answer.endswith(b"}"):
                answer += client.recv(4000)
            assert answer.startswith(b"HTTP/1.1 200 OK")


def test_clients_that_do_not_take_their_end_stop_no_other(tmp_path):
    """gunicorn's own closing waits for them, in the one loop that takes connections: here of one process."""
    options = deployed_options()
    options[options.index("--workers") + 1] = "1"
    options.remove("vigilpay.wsgi")
    ask = b"GET /health/live HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
    with (
        scratch_database("vigilpay_test_ends") as url,
        running_site(url, tmp_path / "log", *options) as site,
        ExitStack() as open_until_then,
    ):
        for _ in range(60):
            open_until_then.enter_context(closing(site.connect(ask)))
        assert site.get("/health/live", timeout=8).status == 200


def test_it_is_what_is_deployed_and_opens_no_socket_of_its_own():
    options = deployed_options()
    assert options[options.index("--worker-class") + 1] == f"{gthread.__name__}.Worker"
    assert int(options[options.index("--threads") + 1]) > 1
    assert "--no-control-socket" in options


class TestArrival:
    head = b"POST / HTTP/1.1\r\nHost: here\r\n"

    @pytest.mark.parametrize(
        "seen",
        [
            head + b"\r\n",
            head + b"content-length: 4\r\n\r\nbody",
            head + b"Content-Length: %d\r\n\r\n" % (AWAITED_BODY_BYTES + 1),
            b"X" * HEAD_BYTES,
        ],
        ids=["no body", "a body that is there", "a body for a thread to read", "too much for a head"],
    )
    def test_is_complete(self, seen):
        assert is_complete(seen)

    @pytest.mark.parametrize(
        "seen", [head, head + b"Content-Length: 4\r\n\r\nbod", head + b"X-Y: 1\r\nContent-Length: 9\r\n\r\n"]
    )
    def test_is_awaited(self, seen):
        assert not is_complete(seen)


@pytest.fixture
def pair():
    """A client, and our end of its connection."""
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as client:
        accepted, _ = server.accept()
        with ImpatientSocket(fileno=accepted.detach()) as ours:
            ours.setblocking(True)
            yield client, ours


@pytest.fixture
def short_of_patience(monkeypatch):
    monkeypatch.setattr(gthread, "PATIENCE_SECONDS", 0.1)


def read_all(ours):
    while ours.recv(1):
        pass


class TestImpatience:
    def test_what_comes_in_time_is_read_and_written(self, pair):
        client, ours = pair
        client.sendall(b"asked")
        assert ours.recv(100) == b"asked"
        ours.sendall(b"answered")
        assert client.recv(100) == b"answered"

    def test_a_client_that_says_nothing_more_counts_as_gone(self, pair, short_of_patience):
        _client, ours = pair
        with pytest.raises(ConnectionResetError):
            ours.recv(100)
        assert ours.gettimeout() is None

    def test_a_client_that_reads_nothing_counts_as_gone(self, pair, short_of_patience):
        _client, ours = pair
        with pytest.raises(ConnectionResetError):
            ours.sendall(b"x" * 50_000_000)

    def test_one_that_goes_on_byte_by_byte_gains_no_time(self, pair, short_of_patience):
        client, ours = pair

        def drip():
            for _ in range(100):
                time.sleep(0.01)
                client.sendall(b"x")

        with meanwhile(drip), pytest.raises(ConnectionResetError):
            read_all(ours)

    def test_the_next_request_begins_anew(self, pair, short_of_patience):
        client, ours = pair
        with pytest.raises(ConnectionResetError):
            ours.recv(1)
        ours.setblocking(True)
        client.sendall(b"x")
        assert ours.recv(1) == b"x"

    def test_bytes_earn_time(self):
        budget = Budget()
        budget.waited = 8
        assert budget.left() == gthread.PATIENCE_SECONDS - 8
        budget.bytes = 5 * gthread.SLOWEST_BYTES_A_SECOND
        assert budget.left() == gthread.PATIENCE_SECONDS - 3

    def test_but_no_single_wait_is_longer_however_many_there_were(self):
        budget = Budget()
        budget.bytes = 1_000 * gthread.SLOWEST_BYTES_A_SECOND
        assert budget.left() == gthread.PATIENCE_SECONDS

    def test_a_limit_of_gunicorns_own_stays_what_it_is(self, pair):
        _client, ours = pair
        ours.settimeout(0.01)
        with pytest.raises(TimeoutError):
            ours.recv(1)
        assert ours.gettimeout() == 0.01

    def test_a_file_is_sent_whole_or_in_part(self, pair, tmp_path):
        client, ours = pair
        (tmp_path / "file").write_bytes(b"0123456789")
        with (tmp_path / "file").open("rb") as file:
            assert ours.sendfile(file) == 10
            assert ours.sendfile(file, offset=2, count=3) == 3
        assert client.recv(100) == b"0123456789234"


class TestConnection:
    def arrived(self, ours):
        ours.setblocking(False)
        conn = Connection.__new__(Connection)
        conn.sock = ours
        return conn.has_arrived()

    def test_looks_without_reading(self, pair):
        client, ours = pair
        assert not self.arrived(ours)
        client.sendall(b"GET / HTTP/1.1\r\n\r\n")
        time.sleep(0.05)
        assert self.arrived(ours)
        assert ours.recv(100) == b"GET / HTTP/1.1\r\n\r\n"

    def test_is_woken_by_what_is_new_and_not_by_what_it_has_seen(self, pair):
        client, ours = pair
        client.sendall(b"GET /")
        time.sleep(0.05)
        assert not self.arrived(ours)
        assert ours.getsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT) == 6

    def test_a_client_that_has_left_has_arrived(self, pair):
        client, ours = pair
        client.close()
        time.sleep(0.05)
        assert self.arrived(ours)
        assert ours.getsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT) == 1
