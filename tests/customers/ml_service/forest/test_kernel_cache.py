"""numba's files are compiled anew when they are not what was written, and never believed."""

import os
import pickle
import shutil
import subprocess
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import numba
import pytest

from customers.ml_service.forest import engine, kernel_cache

ROOT = Path(__file__).resolve().parents[4]

SOURCE = """
from customers.ml_service.forest.kernel_cache import compiled

@compiled("f8(f8)")
def doubled(number):
    return number + number
"""


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """A module with one kernel, and numba's two files of it."""
    directory = tmp_path_factory.mktemp("prepared")
    (directory / "tiny.py").write_text(SOURCE)
    load(directory)
    return directory


@pytest.fixture
def directory(prepared, tmp_path):
    shutil.copytree(prepared, tmp_path, dirs_exist_ok=True)
    return tmp_path


def load(directory):
    """The kernel, as a process that has just been started imports it."""
    spec = spec_from_file_location("tiny", directory / "tiny.py")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.doubled


def was_read(kernel):
    return bool(sum(kernel.stats.cache_hits.values()))


def file(directory, kind):
    [path] = directory.glob(f"**/tiny.doubled*.{kind}")
    return path


def truncate(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def without_its_last_byte(path):
    path.write_bytes(path.read_bytes()[:-1])


def zero(path):
    path.write_bytes(bytes(path.stat().st_size))


def empty(path):
    path.write_bytes(b"")


def flip_a_byte(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)


def as_numba_alone_writes_it(path):
    """And as we wrote it before there were checksums."""
    path.write_bytes(path.read_bytes()[:-32])


def garbage(path):
    path.write_bytes(b"\x80\x05" + b"garbage" * 100)


def a_pickle_of_something_else(path):
    path.write_bytes(pickle.dumps({"some": "thing"}))


def remove(path):
    path.unlink()


DAMAGES = [truncate, without_its_last_byte, zero, empty, flip_a_byte, as_numba_alone_writes_it, garbage]
DAMAGES += [a_pickle_of_something_else, remove]


def test_what_is_whole_is_read(directory):
    assert was_read(kernel := load(directory))
    assert kernel(21.0) == 42.0


@pytest.mark.parametrize("kind", ["nbi", "nbc"])
@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_what_is_damaged_is_compiled_anew_once(directory, damage, kind):
    damage(file(directory, kind))
    assert not was_read(kernel := load(directory))
    assert kernel(21.0) == 42.0
    assert was_read(kernel := load(directory))
    assert kernel(21.0) == 42.0


def test_what_another_version_of_numba_has_left_is_replaced(directory, monkeypatch):
    monkeypatch.setattr(numba, "__version__", "0.1")
    assert not was_read(load(directory))
    monkeypatch.undo()
    assert not was_read(load(directory))
    assert was_read(load(directory))


def test_where_a_file_cannot_be_replaced_it_is_compiled_all_the_same_and_said_once(directory, caplog):
    kernel_cache._warn_once.cache_clear()
    for kind in ("nbi", "nbc"):
        path = file(directory, kind)
        path.unlink()
        path.mkdir()
    for _ in range(2):
        assert load(directory)(21.0) == 42.0
    [message] = caplog.messages
    assert f"cannot be kept in {directory}" in message


@pytest.fixture
def nowhere(monkeypatch, tmp_path):
    """Neither the code's directory nor the user's can be written; the temporary one is empty."""
    monkeypatch.setattr(kernel_cache._Places, "_locator_classes", [kernel_cache._TemporaryLocator])
    monkeypatch.setattr(kernel_cache.tempfile, "gettempdir", lambda: str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()
    return tmp_path / "tmp"


def test_where_nothing_else_can_be_written_a_directory_of_this_account_alone_is_made(directory, nowhere):
    assert not was_read(load(directory))
    assert was_read(load(directory))
    assert (nowhere / f"vigilpay-kernels-{os.getuid()}").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("trap", ["open", "link", "file"])
def test_a_directory_that_others_can_write_is_not_believed(directory, nowhere, trap):
    """What lies there is code."""
    place = nowhere / f"vigilpay-kernels-{os.getuid()}"
    if trap == "open":
        place.mkdir()
        place.chmod(0o777)
    elif trap == "link":
        place.symlink_to(directory)
    else:
        place.touch()
    with pytest.raises(RuntimeError, match="no locator"):
        load(directory)


def test_where_numba_is_switched_off_numpy_scores(monkeypatch, caplog):
    """Its kernels would be loops in plain Python: thousands of times slower."""
    monkeypatch.setattr(numba.config, "DISABLE_JIT", 1)
    caplog.set_level("INFO")
    assert engine._Kernels("kernels", batch_rows=256, singles=256).load_once() is None
    assert caplog.messages == ["NUMBA_DISABLE_JIT is set: using the slower numpy path"]


def test_warm_is_content_where_numba_is_switched_off():
    env = {**os.environ, "NUMBA_DISABLE_JIT": "1"}
    warm = [sys.executable, "-m", "customers.ml_service.warm"]
    assert subprocess.run(warm, cwd=ROOT, env=env, timeout=60, check=False).returncode == 0
