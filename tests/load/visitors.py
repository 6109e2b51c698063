"""Who calls: programs, staff and editors, each in a thread until the time is up, and clients that only hold on."""

import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from time import monotonic, perf_counter, sleep

import psycopg

from tests.web_server import Site

AN_EDIT = "UPDATE customers_customer SET age = 18 + (age + 1) %% 70 WHERE customer_id = %s"
HALVES = (
    b"",
    b"GET /customers/ana",
    b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ",
    b"POST /admin/login/ HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 900\r\n\r\nusername=",
)
PAUSE_SECONDS = 0.02


@dataclass
class Calls:
    """What one kind of visitor has met: the moment and the seconds of each call, and what went wrong."""

    kind: str
    taken: list[tuple[float, float]] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def quantile(self, share: float, since: float = 0.0, until: float = float("inf")) -> float:
        """In seconds, of the calls that began between these moments; NaN without any."""
        seconds = sorted(took for began, took in self.taken if since <= began < until)
        return seconds[min(len(seconds) - 1, int(share * len(seconds)))] if seconds else float("nan")


class Visitors:
    """Threads that call until ``stop``."""

    def __init__(self, site: Site, url: str, session: str, customers: list[int]) -> None:
        self._site, self._url, self._customers = site, url, customers
        self._cookie = {"Cookie": f"sessionid={session}"}
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []
        self.calls = {kind: Calls(kind) for kind in ("analyze", "list", "customer page", "edit in SQL")}

    @contextmanager
    def at_work(self, *, programs: int, staff: int, editors: int, slow: int) -> Iterator[None]:
        """So many of each."""
        for number in range(programs):
            self._start(self._calls_of("analyze", number, self._analyze))
        for number in range(staff):
            self._start(self._calls_of("list", number, self._open_list))
            self._start(self._calls_of("customer page", number, self._open_customer))
        for number in range(editors):
            self._start(self._edits(number))
        for number in range(slow):
            self._start(self._half_requests(HALVES[number % len(HALVES)]))
            self._start(self._unread_answers())
        try:
            yield
        finally:
            self._stop.set()
            for thread in self._threads:
                thread.join()

    def _start(self, work: Callable[[], None]) -> None:
        self._threads.append(threading.Thread(target=work, daemon=True))
        self._threads[-1].start()

    def _calls_of(self, kind: str, seed: int, call: Callable[[int], int]) -> Callable[[], None]:
        def work() -> None:
            pick = random.Random(f"{kind} {seed}")
            while not self._stop.wait(PAUSE_SECONDS):
                self._timed(kind, lambda: call(pick.choice(self._customers)))

        return work

    def _timed(self, kind: str, call: Callable[[], int]) -> None:
        began, clock = monotonic(), perf_counter()
        try:
            status = call()
        except (OSError, psycopg.Error) as error:
            self.calls[kind].errors.append(repr(error))
            return
        self.calls[kind].taken.append((began, perf_counter() - clock))
        if status != 200:
            self.calls[kind].errors.append(f"status {status}")

    def _analyze(self, customer_id: int) -> int:
        return self._site.get(f"/customers/analyze/{customer_id}/").status

    def _open_list(self, customer_id: int) -> int:
        return self._site.get("/admin/customers/customer/", **self._cookie).status

    def _open_customer(self, customer_id: int) -> int:
        return self._site.get(f"/admin/customers/customer/{customer_id}/change/", **self._cookie).status

    def _edits(self, seed: int) -> Callable[[], None]:
        def work() -> None:
            with psycopg.connect(self._url, autocommit=True) as connection:

                def edit(customer_id: int) -> int:
                    connection.execute(AN_EDIT, [customer_id])
                    return 200

                self._calls_of("edit in SQL", seed, edit)()

        return work

    def _half_requests(self, half: bytes) -> Callable[[], None]:
        """One after another, each held until the server ends it."""

        def work() -> None:
            while not self._stop.is_set():
                with suppress(OSError), self._site.connect(half) as client:
                    client.settimeout(0.5)
                    while not self._stop.is_set() and not is_over(client):
                        pass

        return work

    def _unread_answers(self) -> Callable[[], None]:
        """A large file, of which it takes a few bytes."""
        ask = b"GET /static/admin/js/vendor/xregexp/xregexp.js HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"

        def work() -> None:
            while not self._stop.is_set():
                with suppress(OSError), self._site.connect(ask, buffer_bytes=4096) as client:
                    client.recv(10)
                    for _ in range(20):
                        if self._stop.is_set():
                            break
                        sleep(0.5)

        return work


def is_over(client: object) -> bool:
    """Whether the server has closed it, or said something."""
    try:
        client.recv(100)  # type: ignore[attr-defined]
    except TimeoutError:
        return False
    return True
