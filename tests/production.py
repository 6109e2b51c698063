"""``python -m tests.production COMMAND``: a command of manage.py with production's settings, on a scratch database."""

import os
import subprocess
import sys

from tests.databases import scratch_database
from vigilpay.env import ROOT

SETTINGS = {
    "VIGILPAY_ENV": "production",
    "SECRET_KEY": "only-for-checks-0123456789-abcdefghijklmnopqrstuvwxyz-ABCDEFGHIJ",
    "ALLOWED_HOSTS": "churn.example.org",
    "BEHIND_TLS_PROXY": "1",
}


def run(url: str, *command: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    """With the settings of production, on that database."""
    told = {**os.environ, **SETTINGS, "DATABASE_URL": url, **environment}
    program = [sys.executable, "manage.py", *command]
    return subprocess.run(program, cwd=ROOT, env=told, capture_output=True, text=True, check=False)


def main() -> int:
    with scratch_database(f"vigilpay_production_{os.getpid()}") as url:
        for command in (["migrate", "--verbosity", "0"], sys.argv[1:]):
            done = run(url, *command)
            if done.returncode:
                sys.stderr.write(done.stdout + done.stderr)
                return done.returncode
    return 0


if __name__ == "__main__":
    sys.exit(main())
