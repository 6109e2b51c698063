"""The locks pin all that is installed, so that they install the same on another day, with any pip."""

import hashlib
import re
import subprocess
import sys
import zipfile
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.locks import ENVIRONMENTS, LOCKS, ROOT, pins


def locked(environment):
    """The pins that count on such a machine, by name; the development lock is installed over the other one."""
    return {pin.name: pin for lock in LOCKS for pin in pins(lock) if pin.counts(environment)}


def requirements_of(pin, environment):
    """What the installed package asks for on such a machine, with the extras of its pin."""
    for text in metadata.requires(pin.name) or ():
        requirement = Requirement(text)
        extras = {"", *pin.requirement.extras}
        marker = requirement.marker
        if marker is None or any(marker.evaluate({**environment, "extra": extra}) for extra in extras):
            yield requirement


def missing(environment):
    """Requirements of installed packages that the locks leave to chance on such a machine."""
    by_name = locked(environment)
    for pin in by_name.values():
        if not is_installed(pin):
            continue  # for another kind of machine than this one
        for requirement in requirements_of(pin, environment):
            given = by_name.get(canonicalize_name(requirement.name))
            if given is None or not requirement.specifier.contains(given.version, prereleases=True):
                yield f"{pin.name} {pin.version} asks for {requirement}, locked is {given}"
            elif not requirement.extras <= given.requirement.extras:
                yield f"{pin.name} asks for {requirement}, locked is {given.requirement}"


def is_installed(pin):
    try:
        return metadata.version(pin.name) == pin.version
    except metadata.PackageNotFoundError:
        return False


def test_what_is_installed_for_single_sign_on_changes_nothing_of_the_rest():
    by_name = {pin.name: pin.version for pin in pins(ROOT / "requirements.txt")}
    extra = pins(ROOT / "requirements-sso.txt")
    assert "mozilla-django-oidc" in {pin.name for pin in extra}
    assert [pin for pin in extra if by_name.get(pin.name, pin.version) != pin.version] == []


@pytest.mark.parametrize("environment", ENVIRONMENTS, ids=lambda e: " ".join(list(e.values())[i] for i in (0, 2, 4)))
def test_each_requirement_of_an_installed_package_is_locked(environment):
    assert list(missing(environment)) == []


def test_a_lock_without_its_extras_would_be_found_out(monkeypatch):
    """As it was: pytest-cov asks for coverage[toml], and the lock said coverage."""
    bare = [pin for lock in LOCKS for pin in pins(lock)]
    for pin in bare:
        pin.requirement.extras.clear()
    monkeypatch.setattr("tests.test_locks.pins", lambda lock: bare)
    assert any("pytest-cov asks for coverage[toml]" in line for line in missing(ENVIRONMENTS[0]))


def test_both_locks_agree_on_each_package_that_they_share():
    for environment in ENVIRONMENTS:
        runtime, development = ({p.name: p.version for p in pins(lock) if p.counts(environment)} for lock in LOCKS)
        shared = runtime.keys() & development.keys()
        assert {name: runtime[name] for name in shared} == {name: development[name] for name in shared}


def test_each_name_is_locked_once_for_one_kind_of_machine():
    for environment in ENVIRONMENTS:
        for lock in LOCKS:
            names = [pin.name for pin in pins(lock) if pin.counts(environment)]
            assert sorted(names) == sorted(set(names))


def test_the_resolver_itself_is_locked():
    assert "uv" in {pin.name for pin in pins(ROOT / "requirements-dev.txt")}


def install_options(path):
    """The options of each ``pip install`` that a file runs."""
    return re.findall(r"pip install ([^\n|;&]*)", path.read_text().replace("\\\n", " "))


@pytest.mark.parametrize("path", [ROOT / "Makefile", ROOT / "deploy" / "Dockerfile"], ids=lambda path: path.name)
def test_whatever_installs_takes_the_lock_and_nothing_else(path):
    options = install_options(path)
    assert options
    assert all({"--no-deps", "--require-hashes"} <= set(each.split()) for each in options)


def make_wheel(folder, name, version, requires=()):
    """A wheel of one empty module; returns its hash as a lock names it."""
    stem = f"{name}-{version}"
    path = folder / f"{stem}-py3-none-any.whl"
    head = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\nProvides-Extra: toml\n"
    info = {
        f"{name}.py": f"version = '{version}'\n",
        f"{stem}.dist-info/METADATA": head + "".join(f"Requires-Dist: {each}\n" for each in requires),
        f"{stem}.dist-info/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    with zipfile.ZipFile(path, "w") as wheel:
        for inner, text in info.items():
            wheel.writestr(inner, text)
        wheel.writestr(f"{stem}.dist-info/RECORD", "".join(f"{inner},,\n" for inner in [*info]))
    return f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"


def test_a_lock_installs_the_same_when_newer_packages_have_come_out(tmp_path):
    """With the options of the Makefile and the pip of this environment, against an index that has moved on."""
    plugin = make_wheel(tmp_path, "plugin", "1.0", ["measure[toml]>=1.0"])
    measure = make_wheel(tmp_path, "measure", "1.0", ["reader>=1.0; extra == 'toml'"])
    reader = make_wheel(tmp_path, "reader", "1.0")
    for name, requires in (("plugin", ()), ("measure", ["novelty>=1"]), ("reader", ()), ("novelty", ())):
        make_wheel(tmp_path, name, "2.0", requires)
    lock = tmp_path / "lock.txt"
    lock.write_text(f"plugin==1.0 --hash={plugin}\nmeasure[toml]==1.0 --hash={measure}\nreader==1.0 --hash={reader}\n")

    pip = ["-m", "pip", "install", *install_options(ROOT / "Makefile")[0].split()]
    target = tmp_path / "installed"
    index = ("--isolated", "--no-index", "--find-links", str(tmp_path), "--target", str(target))
    subprocess.run([sys.executable, *pip, *index, "-r", str(lock)], check=True, capture_output=True, text=True)

    versions = {path.name.split(".dist-info")[0] for path in Path(target).glob("*.dist-info")}
    assert versions == {"plugin-1.0", "measure-1.0", "reader-1.0"}
