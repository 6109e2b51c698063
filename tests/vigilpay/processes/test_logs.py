"""Whatever reads the log, or does not: its writers go on."""

import logging
import logging.config
import os
import socket
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path

import pytest
from django.conf import settings

from tests.others import program
from vigilpay.processes.logs import LineFormatter, NeverBlockingHandler, write_if_ready

ROOT = Path(__file__).resolve().parents[3]
MANY = """
import os, sys, logging, logging.config
from vigilpay import settings
logging.config.dictConfig(settings.LOGGING)
for number in range(5000):
    logging.getLogger("vigilpay.events").warning("line %s of many", number)
if os.fork() == 0:
    logging.getLogger("vigilpay.events").warning("and one of a child")
    os._exit(0)
os.wait()
print("all is written", flush=True)
sys.stdin.readline()
logging.getLogger("vigilpay.events").warning("the reader is back")
"""


@pytest.fixture
def pipe():
    """Reading end and writing end."""
    reading, writing = os.pipe()
    yield reading, writing
    for descriptor in (reading, writing):
        with suppress(OSError):
            os.close(descriptor)


def fill(writing):
    """Until it takes no byte more; left as blocking as it was."""
    os.set_blocking(writing, False)
    for size in (65536, 1):
        with suppress(BlockingIOError):
            while True:
                os.write(writing, b"." * size)
    os.set_blocking(writing, True)


def emptied(reading):
    os.set_blocking(reading, False)
    found = b""
    with suppress(BlockingIOError):
        while piece := os.read(reading, 1 << 20):
            found += piece
    return found.decode()


def record(message, *args):
    return logging.LogRecord("vigilpay", logging.WARNING, "file.py", 7, message, args, None)


def test_it_is_what_the_settings_use():
    assert settings.LOGGING["handlers"]["console"]["class"] == "vigilpay.processes.logs.NeverBlockingHandler"


FORGED = "\n2026-11-26 10:00:00,000 WARNING vigilpay.access: forged"


def formatted(message, *args, error=None):
    line = LineFormatter("{levelname} {name}: {message}", style="{")
    exc_info = (type(error), error, error.__traceback__) if error else None
    return line.format(logging.LogRecord("vigilpay", logging.WARNING, "file.py", 7, message, args, exc_info))


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (FORGED, "\\n2026-11-26 10:00:00,000 WARNING vigilpay.access: forged"),
        ("a\rb\tc\0d", "a\\rb\\tc\\x00d"),
        ("\x1b[2J\x9b31m", "\\x1b[2J\\x9b31m"),
        ("a\u2028b\u2029c\x85d\x0be\x0cf", "a\\u2028b\\u2029c\\x85d\\x0be\\x0cf"),
        ("\u202eresu\u2066\u200b\ufeff", "\\u202eresu\\u2066\\u200b\\ufeff"),
        ("Żółć 日本 ✓ 'quoted'", "Żółć 日本 ✓ 'quoted'"),
    ],
)
def test_a_value_can_neither_break_nor_steer_nor_turn_its_line(value, shown):
    assert formatted("Who: %s", value) == f"WARNING vigilpay: Who: {shown}"


def test_every_line_of_a_traceback_is_indented():
    try:
        raise ValueError(f"no customer{FORGED}\x1b[1m")
    except ValueError as error:
        first, *others = formatted("It failed", error=error).split("\n")
    assert first == "WARNING vigilpay: It failed"
    assert len(others) > 3
    assert all(line.startswith("    ") for line in others)
    assert "\x1b" not in "".join(others)


def test_a_traceback_that_another_handler_has_formatted_is_indented_as_well():
    try:
        raise ValueError(FORGED)
    except ValueError:
        record = logging.LogRecord("vigilpay", logging.WARNING, "file.py", 7, "It failed", (), sys.exc_info())
    logging.Formatter().format(record)
    assert all(line.startswith("    ") for line in LineFormatter().format(record).split("\n")[1:])


def test_an_address_that_is_not_there_can_not_forge_a_line_of_the_log(caplog, client):
    assert client.get("/nothing%0a2026-11-26%20WARNING%20forged%1b[2K/").status_code == 404
    [handler] = [handler for handler in logging.getLogger().handlers if handler.get_name() == "console"]
    [line] = [handler.format(record) for record in caplog.records]
    assert line.endswith("Not Found: /nothing\\n2026-11-26 WARNING forged\\x1b[2K/")


def test_the_settings_use_it():
    [handler] = [handler for handler in logging.getLogger().handlers if handler.get_name() == "console"]
    assert type(handler.formatter) is LineFormatter


def test_a_full_pipe_holds_up_no_process_and_what_was_dropped_is_counted(pipe):
    reading, writing = pipe
    fill(writing)
    handler = NeverBlockingHandler(writing)
    for number in range(1234):
        handler.emit(record("line %s", number))
    assert set(emptied(reading)) == {"."}
    handler.emit(record("again"))
    handler.emit(record("and again"))
    assert emptied(reading).splitlines() == [
        "1,234 log lines were dropped before this one: what reads this log did not take them.",
        "again",
        "and again",
    ]
    assert os.get_blocking(writing)  # others share it, and never asked for that


def test_a_line_longer_than_the_pipe_is_cut_and_the_next_begins_anew(pipe):
    reading, writing = pipe
    handler = NeverBlockingHandler(writing)
    handler.emit(record("x" * 1_000_000))
    assert set(emptied(reading)) == {"x"}
    handler.emit(record("short"))
    assert emptied(reading).startswith("\n1 log line was dropped")
    handler.emit(record("y" * 30_000))
    assert emptied(reading) == "y" * 30_000 + "\n"


def test_a_pipe_without_a_reader_raises_nothing(pipe):
    reading, writing = pipe
    os.close(reading)
    handler = NeverBlockingHandler(writing)
    for _ in range(3):
        handler.emit(record("not read by any process"))


@pytest.mark.parametrize("kind", [socket.SOCK_STREAM, socket.SOCK_SEQPACKET], ids=["stream", "packets"])
def test_a_socket_that_is_not_read_as_that_of_a_journal_that_hangs(kind):
    ours, theirs = socket.socketpair(socket.AF_UNIX, kind)
    with ours, theirs:
        with closing(NeverBlockingHandler(ours.fileno())) as handler:
            for number in range(20_000):
                handler.emit(record("line %s", number))
            theirs.setblocking(False)
            with suppress(BlockingIOError):
                while theirs.recv(1 << 20):
                    pass
            handler.emit(record("again"))
        assert b"dropped before this one" in theirs.recv(1 << 20)


def test_a_file_is_added_to(tmp_path):
    with (tmp_path / "log").open("ab") as file:
        file.write(b"before\n")
        file.flush()
        NeverBlockingHandler(file.fileno()).emit(record("after"))
    assert (tmp_path / "log").read_text() == "before\nafter\n"


def test_a_pipe_that_may_not_be_opened_again_is_asked_first(pipe, monkeypatch):
    """As a service's that was started by root and runs as another user."""
    reading, writing = pipe

    def refuse(*args):
        raise PermissionError

    monkeypatch.setattr(os, "open", refuse)
    handler = NeverBlockingHandler(writing)
    handler.emit(record("there is room"))
    assert emptied(reading) == "there is room\n"
    fill(writing)
    with pytest.raises(BlockingIOError):
        write_if_ready(writing, b"none left")
    handler.emit(record("dropped"))


def test_a_line_that_can_not_be_formatted_is_told_of_in_the_log_itself(pipe, capfd):
    reading, writing = pipe
    NeverBlockingHandler(writing).emit(record("%d customers", "many"))
    assert "could not be formatted" in emptied(reading)
    assert capfd.readouterr().err == ""


def test_threads_write_whole_lines(pipe):
    reading, writing = pipe
    handler = NeverBlockingHandler(writing)

    def write():
        for _ in range(100):
            handler.handle(record("z" * 50))

    with ThreadPoolExecutor(4) as pool:
        for _ in range(4):
            pool.submit(write)
    assert set(emptied(reading).splitlines()) == {"z" * 50}


def test_a_program_with_the_settings_goes_on_and_so_does_its_child(pipe):
    reading, writing = pipe
    assert stat.S_ISFIFO(os.fstat(writing).st_mode)
    fill(writing)
    pipes = {"stderr": writing, "stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with program(sys.executable, "-c", MANY, cwd=ROOT, **pipes) as writer:
        assert writer.stdout.readline() == b"all is written\n"  # it has not waited for a reader of its log
        emptied(reading)
        writer.stdin.write(b"\n")
        writer.stdin.close()
        assert writer.wait(60) == 0
    said = emptied(reading)
    assert "5,000 log lines were dropped" in said
    assert said.endswith("WARNING vigilpay.events: the reader is back\n")
