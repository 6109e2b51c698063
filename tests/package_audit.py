"""Published weaknesses of the packages that the locks pin: ``make audit-packages``.

Exits with 1 when a package has one, and with 2, saying so, when the data could not be had: then nothing was checked.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.locks import LOCKS

# Run by uv in an environment of its own: it brings seventeen packages, pip among them, and needs the network anyway.
PIP_AUDIT = "pip-audit==2.10.1"
UNKNOWN = 2
NOT_CHECKED = (
    "Nothing was checked: pip-audit could not reach its data on weaknesses. Run this again with the network.\n"
)


def main() -> int:
    answers = [audited(lock) for lock in LOCKS]
    if None in answers:
        sys.stderr.write(NOT_CHECKED)
        return UNKNOWN
    found = sorted({line for answer in answers if answer for line in weaknesses(answer)})
    sys.stdout.write("".join(f"{line}\n" for line in found) or "No published weakness in the pinned packages.\n")
    return 1 if found else 0


def audited(lock: Path) -> dict[str, Any] | None:
    """What pip-audit says of a lock; None when it could not say anything."""
    options = ["--disable-pip", "--require-hashes", "--format", "json", "--progress-spinner", "off", "--timeout", "20"]
    command = [sys.executable, "-m", "uv", "tool", "run", "--quiet", "--from", PIP_AUDIT, "pip-audit", *options]
    done = subprocess.run([*command, "--requirement", str(lock)], capture_output=True, text=True, check=False)
    sys.stderr.write(last_line(done.stderr))
    return read(done.stdout)


def read(answer: str) -> dict[str, Any] | None:
    try:
        found = json.loads(answer)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def last_line(text: str) -> str:
    """Of what went wrong: the rest is a traceback."""
    lines = text.strip().splitlines()
    return f"{lines[-1]}\n" if lines else ""


def weaknesses(answer: dict[str, Any]) -> Iterator[str]:
    for package in answer["dependencies"]:
        for found in package.get("vulns", ()):
            fixed = ", ".join(found["fix_versions"]) or "none yet"
            yield f"{package['name']} {package['version']}: {found['id']}, mended in {fixed}"


if __name__ == "__main__":
    sys.exit(main())
