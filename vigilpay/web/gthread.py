"""gunicorn's threads, which slow clients cannot occupy: ``--worker-class vigilpay.web.gthread.Worker``.

The stock worker gives a connection to a thread before its request has arrived, and lets that thread wait for as long as
the client likes: a few connections that send half a request stop the site for good. Here the worker's one poller waits
for the request, and a thread that sends or receives does so within a time that grows with the bytes that pass.
docs/decisions/0035-operations.md has the measurement.
"""

import errno
import re
import socket
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from selectors import EVENT_READ
from time import monotonic
from typing import Any

from gunicorn.workers.gthread import TConn, ThreadWorker

# How long a request line, its headers and a small body may take to arrive; meanwhile they hold no thread.
ARRIVAL_SECONDS = 10.0
# A body up to this size is awaited as well: forms, and JSON. What is longer is read by a thread.
AWAITED_BODY_BYTES = 32 * 1024
# More than gunicorn's own limits on a request line and headers let through in one piece; what is longer it refuses.
HEAD_BYTES = 32 * 1024
# How long a thread waits for one client at once, and in all: this, and a second for so many bytes that have passed.
PATIENCE_SECONDS = 10.0
SLOWEST_BYTES_A_SECOND = 16 * 1024
# What the kernel may keep of an answer until its client takes it, as far as it grants that (net.core.wmem_max): mostly
# all of it, so that no thread waits. By itself it grants little beyond loopback.
SEND_BUFFER_BYTES = 512 * 1024
# How long a connection stays for a client to take the last answer, and how much of what it still sends is passed over.
LINGER_SECONDS = 1.0
MOST_PASSED_OVER_BYTES = 256 * 1024
PIECE_BYTES = 16 * 1024

END_OF_HEAD = b"\r\n\r\n"
BODY_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d{1,12})[ \t]*\r\n", re.IGNORECASE)


class Budget:
    """How long one direction of a connection was waited for in one request, and what its bytes have earned."""

    def __init__(self) -> None:
        self.waited = self.bytes = 0.0

    def left(self) -> float:
        """In seconds, and never 0, which would ask for a socket that does not wait."""
        earned = self.bytes / SLOWEST_BYTES_A_SECOND
        return max(0.001, PATIENCE_SECONDS - max(0.0, self.waited - earned))


class ImpatientSocket(socket.socket):
    """A socket that ends the connection when it has waited for its client for too long, in either direction."""

    def setblocking(self, flag: bool) -> None:
        """gunicorn asks for a blocking socket before each request: both budgets begin anew."""
        super().setblocking(flag)
        self._received, self._sent = Budget(), Budget()

    def recv(self, size: int, flags: int = 0) -> bytes:
        """Raises ``ConnectionResetError``, as if the client had left, when the budget is used up."""
        if self.gettimeout() == 0:
            return super().recv(size, flags)
        with self._within(self._received):
            data = super().recv(size, flags)
        self._received.bytes += len(data)
        return data

    def sendall(self, data: Any, flags: int = 0) -> None:
        """Piece by piece: a large answer that is read slowly but steadily is no fault. Raises as ``recv``."""
        rest = memoryview(data)
        while rest:
            with self._within(self._sent):
                sent = super().send(rest, flags)
            self._sent.bytes += sent
            rest = rest[sent:]

    def sendfile(self, file: Any, offset: int = 0, count: int | None = None) -> int:
        """Static files, which are small: on the same budget as all else. Raises as ``recv``."""
        file.seek(offset)
        data = file.read(-1 if count is None else count)
        self.sendall(data)
        return len(data)

    @contextmanager
    def _within(self, budget: Budget) -> Iterator[None]:
        limit, began = self.gettimeout(), monotonic()
        self.settimeout(budget.left() if limit is None else min(limit, budget.left()))
        try:
            yield
        except TimeoutError:
            if limit is not None:
                raise  # gunicorn's own limit, which it expects
            raise ConnectionResetError(errno.ECONNRESET, "The client was too slow.") from None
        finally:
            self.settimeout(limit)
            budget.waited += monotonic() - began


class Connection(TConn):  # type: ignore[misc]  # gunicorn has no type information
    """One client."""

    passed_over = 0

    def has_arrived(self) -> bool:
        """Whether there is a whole request to be read, as far as it is awaited, or an end, or too much.

        Looks at what the kernel holds and leaves it there; the poller then reports no less than one byte more.
        """
        try:
            seen = self.sock.recv(HEAD_BYTES + AWAITED_BODY_BYTES, socket.MSG_PEEK)
        except BlockingIOError:
            seen = b""
        except OSError:
            return True
        else:
            if not seen or is_complete(seen):
                self.report_after(1)
                return True
        self.report_after(len(seen) + 1)
        return False

    def report_after(self, size: int) -> None:
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, size)

    def has_ended(self) -> bool:
        """Whether there is nothing more to be read, or more than is worth the while."""
        try:
            rest = len(self.sock.recv(PIECE_BYTES))
        except BlockingIOError:
            return False
        except OSError:
            return True
        self.passed_over += rest
        return not rest or self.passed_over > MOST_PASSED_OVER_BYTES


def is_complete(seen: bytes) -> bool:
    """Whether these bytes are a request as far as it is awaited: all but the body's part that a thread will read."""
    head, end, body = seen.partition(END_OF_HEAD)
    if not end:
        return len(seen) >= HEAD_BYTES
    length = BODY_LENGTH.search(head + b"\r\n")
    return length is None or int(length[1]) > AWAITED_BODY_BYTES or len(body) >= int(length[1])


class Worker(ThreadWorker):  # type: ignore[misc]  # gunicorn has no type information
    """Threads get requests that have arrived."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.lingering: deque[Connection] = deque()

    def accept(self, listener: socket.socket) -> None:
        """Take a connection, and await its request."""
        try:
            accepted, client = listener.accept()
        except OSError as error:
            if error.errno in (errno.EAGAIN, errno.ECONNABORTED, errno.EWOULDBLOCK):
                return
            raise
        self.nr_conns += 1
        sock = ImpatientSocket(fileno=accepted.detach())
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
        self.await_request(Connection(self.cfg, sock, client, listener.getsockname()))

    def await_request(self, conn: Connection) -> None:
        """Have a thread answer it if it has arrived, and else look again when there is more of it."""
        conn.sock.setblocking(False)
        conn.timeout = monotonic() + ARRIVAL_SECONDS
        self.pending_conns.append(conn)
        self.answer_or_wait(conn)

    def answer_or_wait(self, conn: Connection) -> None:
        # A thread must decrypt TLS before there is anything to see, and only TCP waits for more than one byte.
        is_visible = conn.sock.family in (socket.AF_INET, socket.AF_INET6) and not self.cfg.is_ssl
        if not is_visible or conn.has_arrived():
            self.pending_conns.remove(conn)
            conn.data_ready = is_visible
            self.enqueue_req(conn)
        else:
            self.poller.register(conn.sock, EVENT_READ, partial(self.on_pending_socket_readable, conn))

    def on_pending_socket_readable(self, conn: Connection, client: socket.socket) -> None:
        """More of a request has arrived, or its client has left."""
        self.poller.unregister(client)
        self.answer_or_wait(conn)

    def on_client_socket_readable(self, conn: Connection, client: socket.socket) -> None:
        """A connection that was kept open has another request, or the beginning of one."""
        self.poller.unregister(client)
        self.keepalived_conns.remove(conn)
        self.await_request(conn)

    def finish_request(self, conn: Connection, answered: Any) -> None:
        """A thread is done with a request. gunicorn itself would close by waiting here, and all others with it."""
        if answered.cancelled() or answered.exception() or answered.result():
            super().finish_request(conn, answered)
        else:
            self.linger(conn)

    def linger(self, conn: Connection) -> None:
        """Close when the client does, or soon: an earlier close may cut the answer off (RFC 9112, 9.6)."""
        try:
            conn.sock.shutdown(socket.SHUT_WR)
            conn.sock.setblocking(False)
        except OSError:  # it has left
            return self.end(conn)
        conn.timeout = monotonic() + LINGER_SECONDS
        self.lingering.append(conn)
        self.poller.register(conn.sock, EVENT_READ, partial(self.on_lingering_socket_readable, conn))

    def on_lingering_socket_readable(self, conn: Connection, client: socket.socket) -> None:
        """The client has closed, or is still sending what is not read any more."""
        if conn.has_ended():
            self.poller.unregister(client)
            self.lingering.remove(conn)
            self.end(conn)

    def murder_pending(self) -> None:
        """Called every second, and after every event: gunicorn's own list of those who are late, and ours."""
        super().murder_pending()
        while self.lingering and self.lingering[0].timeout <= monotonic():
            conn = self.lingering.popleft()
            self.poller.unregister(conn.sock)
            self.end(conn)

    def end(self, conn: Connection) -> None:
        self.nr_conns -= 1
        conn.close()
