"""``python -m tests.chaos``: storms over workers and PostgreSQL; exits 1 when anything is wrong afterwards."""

import argparse
import os
import random
import shutil
import signal
import sys
from pathlib import Path

from tests.chaos.server import StormServer
from tests.chaos.settings import EDITOR_SETTINGS, LONG, SHORT, WORKER_SETTINGS


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--short", action="store_true", help="a few faults, chosen by the seed, in less than 50 s")
    parser.add_argument("--seed", default="", help="replays the plan of a former run")
    parser.add_argument("--only", action="append", metavar="FAULT", help="a fault by its name, or a part of it")
    parser.add_argument("--seconds", type=float, help="of editing, for each fault")
    parser.add_argument("--sabotage", default="", metavar="SQL", help="break the engine: the storm has to find it")
    parser.add_argument("--keep", type=Path, metavar="DIRECTORY", help="where logs and model files are left")
    return parser.parse_args()


def main() -> int:
    options = arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # with nothing left running
    seed = options.seed or str(random.SystemRandom().randrange(10**6))
    with StormServer() as server:
        start_django(server)
        # Late: they need Django with its settings.
        from tests.chaos import plan, runner

        faults = plan.faults(seed, short=options.short, only=options.only)
        size = plan.size(SHORT if options.short else LONG, options.seconds)
        sys.stdout.write(f"seed {seed}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}\n{size}\n{spoken()}\n")
        try:
            good = runner.run(server, size, seed, faults, options.sabotage)
        finally:
            if options.keep:
                shutil.copytree(server.folder, options.keep, ignore=lambda *_: ["data"], dirs_exist_ok=True)
    sys.stdout.write(f"The same plan again: {command(options, seed)}\n")
    return 0 if good else 1


def command(options: argparse.Namespace, seed: str) -> str:
    words = ["python -m tests.chaos", *(["--short"] if options.short else []), f"--seed {seed}"]
    words += [f"--only '{name}'" for name in options.only or ()]
    return " ".join([*words, *([f"--seconds {options.seconds:g}"] if options.seconds else [])])


def spoken() -> str:
    return " ".join(f"{name}={value}" for name, value in WORKER_SETTINGS.items())


def start_django(server: StormServer) -> None:
    """Django in this process, for the editors: on the storm's server, with the storm's model files."""
    from vigilpay.env import ROOT

    shutil.copytree(ROOT / "ml_assets", server.folder / "ml_assets")
    os.environ.update(
        EDITOR_SETTINGS,
        DATABASE_URL=server.url,
        DJANGO_SETTINGS_MODULE="vigilpay.settings",
        VIGILPAY_ENV="development",
        VIGILPAY_ML_ASSETS=str(server.folder / "ml_assets"),
    )
    import django

    django.setup()
    log_to(server.folder / "editors.log")


def log_to(path: Path) -> None:
    """What Django says of every lost connection is expected here, and would hide the table."""
    import logging

    root = logging.getLogger()
    root.handlers[:] = [logging.FileHandler(path)]


if __name__ == "__main__":
    sys.exit(main())
