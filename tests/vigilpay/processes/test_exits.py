"""A command that cannot go on says so in one line at most, with the exit code that shells know, and leaves nothing."""

import io
import os
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import IntegrityError, InterfaceError, OperationalError, connection

from tests.databases import url_of_test_database
from tests.factories import make_scored
from tests.others import await_that, outsider, waiting_for_locks
from vigilpay import env
from vigilpay.processes import exits, interrupts

ROOT = Path(__file__).resolve().parents[3]
NOWHERE = "postgresql://vigilpay@127.0.0.1:1/vigilpay"
INTERRUPTED = "Interrupted. Run the same command again to finish.\n"

LINE = """CustomerId,Surname,CreditScore,Geography,Gender,Age,Tenure,Balance,NumOfProducts,HasCrCard,IsActiveMember
1,Okoro,600,France,Male,40,3,0,1,1,1
"""


def manage(*command, url, **how):
    told = {**os.environ, "DATABASE_URL": url}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen([sys.executable, "manage.py", *command], cwd=ROOT, env=told, **{**pipes, **how})


@contextmanager
def program():
    """As ``manage.py`` runs its whole; what that changes for the rest of a program is as before afterwards."""
    before = signal.getsignal(signal.SIGINT)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdout", io.StringIO())
        patch.setattr(sys, "unraisablehook", sys.unraisablehook)
        patch.setattr(exits.atexit, "register", lambda *_: None)
        try:
            with exits.in_one_line():
                yield
        finally:
            signal.signal(signal.SIGINT, before)


# --- Ctrl-C -----------------------------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_ctrl_c_ends_any_command_that_waits_for_the_database(tmp_path):
    (tmp_path / "customers.csv").write_text(LINE)
    commands = [
        ["migrate"],
        ["audit_scores"],
        ["release_model", "ml_assets/model.pkl", "--dry-run", "--yes"],
        ["import_customers", str(tmp_path / "customers.csv")],
    ]
    with outsider(autocommit=False) as other:
        other.execute("LOCK TABLE customers_customer, customers_modelrelease, django_migrations IN EXCLUSIVE MODE")
        other.execute("LOCK TABLE customers_customer, customers_modelrelease, django_migrations")
        waiting = [manage(*command, url=url_of_test_database()) for command in commands]
        await_that(lambda: waiting_for_locks() == len(commands), "all of them wait", seconds=60)
        for command in waiting:
            command.send_signal(signal.SIGINT)
        said = [command.communicate(timeout=60)[1] for command in waiting]
    assert said == [INTERRUPTED] * len(commands)
    assert [command.returncode for command in waiting] == [130] * len(commands)
    assert not waiting_for_locks()


@pytest.mark.parametrize("wrapped", [False, True], ids=["as it is", "wrapped by Python 3.11 as a class was made"])
def test_an_interrupt_is_one_line_and_130(capsys, wrapped):
    with pytest.raises(SystemExit) as caught, program():
        raise_interrupt(wrapped)
    assert caught.value.code == 130
    assert capsys.readouterr().err == INTERRUPTED


def raise_interrupt(wrapped):
    try:
        raise KeyboardInterrupt
    except KeyboardInterrupt as interrupt:
        if wrapped:
            raise RuntimeError("Error calling __set_name__") from interrupt
        raise


def test_an_interrupt_that_python_swallowed_comes_again():
    """In a callback of its own, as when a lock of an import is let go."""
    code = """
import time, weakref
from vigilpay.processes import exits
class Thing: pass
def interrupted(_reference): raise KeyboardInterrupt
with exits.in_one_line():
    thing = Thing()
    reference = weakref.ref(thing, interrupted)
    del thing
    time.sleep(30)
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=20)
    assert (done.returncode, done.stderr) == (130, INTERRUPTED)


def test_an_interrupt_that_is_held_comes_after_the_block():
    done = []

    def held():
        with interrupts.held():
            signal.raise_signal(signal.SIGINT)
            done.append(True)

    with pytest.raises(KeyboardInterrupt):
        held()
    assert done == [True]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_without_an_interrupt_holding_changes_nothing():
    with interrupts.held():
        pass
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_what_the_starter_ignores_stays_ignored_while_held():
    former = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with interrupts.held():
            signal.raise_signal(signal.SIGINT)
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, former)


def test_other_threads_may_hold_as_well():
    went = []

    def hold():
        with interrupts.held():
            went.append(True)

    thread = threading.Thread(target=hold)
    thread.start()
    thread.join(10)
    assert went == [True]


# --- a closed pipe ----------------------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_a_reader_that_has_left_ends_a_command_without_a_word():
    make_scored()
    read, write = os.pipe()
    os.close(read)
    running = [
        manage("release_model", "--status", url=url_of_test_database(), stdout=write),
        manage("freshness", "--watch", url=url_of_test_database(), stdout=write, stderr=write),
    ]
    os.close(write)
    assert [command.communicate(timeout=60)[1] for command in running] == ["", None]
    assert [command.returncode for command in running] == [141, 141]


class Closed(io.RawIOBase):
    """A pipe without a reader."""

    def writable(self):
        return True

    def write(self, data):
        raise BrokenPipeError

    def fileno(self):
        return self.descriptor


@pytest.fixture
def closed(tmp_path):
    raw = Closed()
    with (tmp_path / "out").open("w") as file:
        raw.descriptor = file.fileno()
        yield exits.Stdout(raw, encoding="utf-8", write_through=True)


def test_no_handler_of_errors_takes_a_closed_pipe_for_an_error_of_its_own(closed):
    """As `release_model` has one around all that it says: a file that is not there is an OSError, too."""

    def tell():
        try:
            closed.write("Verified:\n")
        except Exception:
            pytest.fail("taken for an error")

    with pytest.raises(SystemExit) as caught:
        tell()
    assert caught.value.code == 141


# --- a database that does not answer ----------------------------------------------------------------------------------


def test_without_a_database_a_command_says_what_to_do():
    for process in [manage(command, url=NOWHERE) for command in ("migrate", "qcluster")]:
        out, said = process.communicate(timeout=60)
        assert process.returncode == 1
        assert said.count("\n") == 1
        assert "Connection refused" in said
        assert said.endswith("Start it, or correct DATABASE_URL.\n")
        assert out == ""


def test_with_traceback_asked_for_it_is_shown(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["manage.py", "migrate", "--traceback"])
    with pytest.raises(OperationalError), program():
        raise OperationalError("gone")


def error_of(act):
    with pytest.raises(Exception) as caught:  # noqa: PT011  whichever it is
        act()
    return caught.value


def test_an_unknown_host_is_said_in_one_line(monkeypatch):
    monkeypatch.setenv("DATABASE_URL", "postgresql://u@nowhere.invalid/x")
    lost = error_of(lambda: psycopg.connect("postgresql://u@nowhere.invalid/x"))
    assert exits.describe_error(lost).startswith("PostgreSQL does not answer: failed to resolve host 'nowhere.invalid'")


def test_a_private_server_is_started_by_make(monkeypatch):
    monkeypatch.delenv("DATABASE_URL", raising=False)
    assert "make db-start" in exits.describe_error(OperationalError("no such file"))
    assert "make db-start" in exits.describe_error(InterfaceError("the connection is closed"))


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("SELECT * FROM customers_nothing", "manage.py migrate"),
        ("SELECT nothing FROM customers_customer", "manage.py migrate"),
        ("SET LOCAL statement_timeout = 1; SELECT pg_sleep(5)", "PostgreSQL stopped: canceling statement"),
        ("SET LOCAL ROLE pg_monitor; SELECT * FROM customers_customer", "permission denied"),
        ("SELECT 1 / 0", ""),
        ("SELECT", None),
    ],
)
def test_what_an_administrator_can_mend_is_told_and_what_only_a_programmer_can_is_not(statement, said):
    def run():
        with connection.cursor() as cursor:
            cursor.execute(statement)
            raise IntegrityError("a bug")

    told = exits.describe_error(error_of(run))
    assert said in told if said else told == ""
    assert "\n" not in told


@pytest.mark.parametrize("error", [env.SettingError("X must be set."), ImproperlyConfigured("X must be set.")])
def test_wrong_settings_are_told_as_they_are(error):
    assert exits.describe_error(error) == "X must be set."


def test_a_bug_keeps_its_traceback():
    with pytest.raises(ZeroDivisionError), program():
        1 / 0  # noqa: B018
