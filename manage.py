#!/usr/bin/env python
"""Django's command-line utility for administrative tasks."""

import os
import sys


def main() -> None:
    """Run administrative tasks, with the private PostgreSQL up when no other is configured."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "vigilpay.settings")
    from django.core.management import execute_from_command_line

    from vigilpay import localdb

    localdb.ensure_started()
    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
