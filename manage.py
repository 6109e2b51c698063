#!/usr/bin/env python
"""Django's command-line utility for administrative tasks."""

import signal

if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # until the imports below have been made and can tell it in a word

import os
import sys

from vigilpay.processes import exits


def main() -> None:
    """Run administrative tasks, with the private PostgreSQL up when no other is configured."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "vigilpay.settings")
    from django.core.management import execute_from_command_line

    from vigilpay import localdb, settings  # noqa: F401  a wrong environment is refused before anything is started

    if sys.argv[1:2] != ["demo"]:  # which starts the server itself, and stops it
        localdb.ensure_started()
    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    with exits.in_one_line():
        main()
