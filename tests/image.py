"""The steps of ``deploy/Dockerfile``, run in a folder that stands for the root of the image: no engine is needed.

What takes the network, an account of its own or minutes is left out: ``useradd``, ``pip install``, and compiling.
"""

import fnmatch
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
IS_ROOT = os.geteuid() == 0
INSTEAD = {"useradd": "true", "pip": "true", "python -m customers.ml_service.warm": "python -c 'import numba'"}


def steps() -> list[tuple[str, str]]:
    """Instruction and argument of each line, with continued lines joined and without comments."""
    text = re.sub(r"^\s*#.*\n", "", (CHECKOUT / "deploy" / "Dockerfile").read_text(), flags=re.MULTILINE)
    lines = text.replace("\\\n", " ").splitlines()
    return [(line.split(maxsplit=1)[0], line.split(maxsplit=1)[1].strip()) for line in lines if line.strip()]


class Image:
    """``build`` goes through all steps. As root, files belong to the user that the image makes."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.environment: dict[str, str] = {}
        self.workdir, self.user, self.uid = "/", "root", 0

    def build(self) -> None:
        for instruction, argument in steps():
            getattr(self, f"do_{instruction.lower()}")(argument)

    def inside(self, path: str) -> Path:
        """Where a path of the image lies."""
        return self.root / os.path.join(self.workdir, path).lstrip("/")

    def do_from(self, argument: str) -> None:
        """Nothing is pulled."""

    do_cmd = do_expose = do_from

    def do_env(self, argument: str) -> None:
        self.environment |= dict(pair.split("=", 1) for pair in shlex.split(argument))

    def do_user(self, argument: str) -> None:
        self.user = argument

    def do_workdir(self, argument: str) -> None:
        self.workdir = argument
        self.inside(".").mkdir(parents=True, exist_ok=True)

    def do_copy(self, argument: str) -> None:
        *options, source, target = shlex.split(argument)
        place = self.inside(target)
        if (CHECKOUT / source).is_dir():
            shutil.copytree(CHECKOUT / source, place, ignore=ignored, dirs_exist_ok=True)
        else:
            shutil.copy(CHECKOUT / source, place)
        if IS_ROOT and options == ["--chown=vigilpay:vigilpay"]:
            for path in (place, *place.rglob("*")):
                os.chown(path, self.uid, self.uid)

    def do_run(self, argument: str) -> None:
        if found := re.search(r"useradd .*--uid (\d+)", argument):
            self.uid = int(found[1])
        for command in re.split(r"\s*&&\s*", argument):
            self.shell(command)

    def shell(self, command: str) -> None:
        """A command, with every absolute path of the image found in our folder."""
        for words, instead in INSTEAD.items():
            if command.startswith(words):
                command = instead
        owner = f"-o {self.uid} -g {self.uid}" if IS_ROOT else ""
        command = command.replace("-o vigilpay -g vigilpay", owner)
        subprocess.run(
            ["sh", "-ec", re.sub(r"(?<=\s)/", f"{self.root}/", command)],
            cwd=self.inside("."),
            env={**self.variables(), "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
            check=True,
        )

    def variables(self) -> dict[str, str]:
        return {
            name: f"{self.root}{value}" if value.startswith("/") else value for name, value in self.environment.items()
        }


def ignored(folder: str, names: list[str]) -> set[str]:
    """What ``.dockerignore`` keeps out of the image."""
    patterns = (CHECKOUT / ".dockerignore").read_text().split()
    within = Path(folder).relative_to(CHECKOUT)
    return {
        name for name in names if any(fnmatch.fnmatch(str(within / name), it) or it == f"**/{name}" for it in patterns)
    }
