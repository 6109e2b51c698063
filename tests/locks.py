"""What the two lock files pin, and the proof that they pin everything: ``python -m tests.locks``, by ``make lock``.

pip installs them with ``--no-deps``, so whatever they do not name is missing, and nothing newer can slip in.
"""

import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
LOCKS = (ROOT / "requirements.txt", ROOT / "requirements-dev.txt")
PIN = re.compile(r"^(?P<requirement>[A-Za-z0-9][^\\\n]*?) \\$", re.MULTILINE)

# One of each kind of machine that a lock is for, in the words of environment markers.
ENVIRONMENTS = tuple(
    {
        "python_version": python,
        "python_full_version": f"{python}.0",
        "sys_platform": system,
        "platform_system": system.capitalize(),
        "platform_machine": machine,
        "os_name": "posix",
        "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
    }
    for python in ("3.11", "3.12", "3.13", "3.14")
    for system, machine in (("linux", "x86_64"), ("linux", "aarch64"), ("darwin", "arm64"))
)


@dataclass(frozen=True)
class Pin:
    """One line of a lock: a package at one version, with the extras that are asked of it."""

    name: str
    version: str
    requirement: Requirement

    def counts(self, environment: dict[str, str]) -> bool:
        """Whether it is installed on such a machine."""
        return self.requirement.marker is None or self.requirement.marker.evaluate(environment)


def pins(lock: Path) -> list[Pin]:
    """All lines of a lock that name a package."""
    requirements = [Requirement(found["requirement"]) for found in PIN.finditer(lock.read_text())]
    return [Pin(canonicalize_name(each.name), str(each.specifier).removeprefix("=="), each) for each in requirements]


def resolved_again(lock: Path) -> set[str]:
    """The pins that a resolution of the lock itself gives: more than it has, if it is not complete."""
    with tempfile.TemporaryDirectory() as folder:
        again = Path(folder) / "again.txt"
        options = ("--quiet", "--universal", "--python-version", "3.11", "--generate-hashes", "--no-strip-extras")
        run(sys.executable, "-m", "uv", "pip", "compile", *options, "-o", str(again), str(lock))
        return {str(pin.requirement) for pin in pins(again)}


def check_in_a_new_environment() -> None:
    """Install both locks as ``make`` does, and let pip look for what is missing."""
    with tempfile.TemporaryDirectory() as folder:
        run(sys.executable, "-m", "venv", folder)
        python = str(Path(folder) / "bin" / "python")
        for lock in LOCKS:
            run(python, "-m", "pip", "install", "--quiet", "--require-hashes", "--no-deps", "-r", str(lock))
        run(python, "-m", "pip", "check")


def run(*command: str) -> None:
    subprocess.run(command, check=True)


def main() -> int:
    for lock in LOCKS:
        new = resolved_again(lock) - {str(pin.requirement) for pin in pins(lock)}
        if new:
            print(f"{lock.name} is not complete; a resolution adds: {', '.join(sorted(new))}")  # noqa: T201
            return 1
    check_in_a_new_environment()
    print("Both locks are complete.")  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
