"""The main job at work: an edit in plain SQL, and the score that follows it."""

import json
import secrets
import socket
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from math import isclose
from time import monotonic, perf_counter, sleep
from urllib.error import URLError
from urllib.request import urlopen

from django.contrib.auth import get_user_model

from customers.models import Customer
from customers.releases.active import active_model
from customers.sql import execute
from events.models.engine import Drain
from events.queue import lease

ADMIN = "admin"
PATIENCE_SECONDS = 120.0
POLL_SECONDS = 0.0005

EDIT = "UPDATE customers_customer SET is_active_member = false, num_of_products = 3 WHERE customer_id = %s"


class DemoFailedError(Exception):
    """The demo did not get where it should; the message says what was waited for."""


@dataclass(frozen=True)
class Followed:
    """One edit and the score that followed: probabilities in [0, 1], milliseconds from commit to current."""

    customer_id: int
    old_score: float
    new_score: float
    milliseconds: float


def create_admin() -> str | None:
    """Make the admin account and return its password, or None when there is an account already."""
    users = get_user_model()._default_manager
    if users.filter(username=ADMIN).exists():
        return None
    password = secrets.token_urlsafe(12)
    users.create_superuser(username=ADMIN, password=password)
    return password


def free_port(wanted: int) -> int:
    """The wanted port of the loopback address, or the next one that is free."""
    for port in range(wanted, wanted + 50):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise DemoFailedError(f"No free port from {wanted} to {wanted + 49}; name another with --port.")


def wait_until_scored(since: datetime) -> None:
    """Until the worker that was started after ``since`` has drained, no customer is stale, and it has gone to sleep."""

    def is_done() -> bool:
        has_drained = Drain.objects.filter(started_at__gt=since).exists()
        return has_drained and not Customer.objects.stale().exists() and not lease.is_held()

    wait_until(is_done, "The worker did not score the customers. See its messages above.")


def wait_until_served(base: str) -> None:
    """Until the web server answers."""

    def answers() -> bool:
        with suppress(URLError, OSError), urlopen(f"{base}/admin/login/", timeout=5):  # noqa: S310  our own loopback address
            return True
        return False

    wait_until(answers, f"The web server does not answer at {base}; see its messages above.")


def wait_until(is_reached: Callable[[], bool], failure: str, pause_seconds: float = 0.1) -> None:
    """Raises ``DemoFailedError`` when it takes too long."""
    ends = monotonic() + PATIENCE_SECONDS
    while not is_reached():
        if monotonic() > ends:
            raise DemoFailedError(failure)
        sleep(pause_seconds)


def follow_an_edit() -> Followed:
    """Edit one customer in plain SQL, as a user of psql would, and time its score."""
    customer = Customer.objects.filter(is_active_member=True, num_of_products=2).riskiest_first().last()
    if customer is None or customer.churn_risk_score is None:
        raise DemoFailedError("No active customer with two products is left to edit. Load others with `seed_demo`.")
    old_score = customer.churn_risk_score
    execute(EDIT, [customer.pk])
    committed = perf_counter()

    def is_current() -> bool:
        customer.refresh_from_db()
        return customer.is_current()

    wait_until(is_current, f"Customer {customer.pk} was edited, but its score did not follow.", POLL_SECONDS)
    elapsed = perf_counter() - committed
    return Followed(customer.pk, old_score, customer.churn_risk_score, elapsed * 1000)


def verify(followed: Followed, base: str) -> None:
    """Hold the stored score against the model, and the JSON view against both."""
    customer = Customer.objects.get(pk=followed.customer_id)
    expected = active_model()[0].predict_one(customer.features())
    with urlopen(f"{base}/customers/analyze/{customer.pk}/", timeout=10) as response:  # noqa: S310  loopback
        answer = json.load(response)
    scores = (followed.new_score, answer["churn_risk_score"])
    if not all(isclose(score, expected, abs_tol=1e-9) for score in scores):
        raise DemoFailedError(f"Scores disagree: stored {followed.new_score}, model {expected}, view {answer}.")
