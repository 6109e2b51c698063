#!/usr/bin/env python
"""Django's command-line utility for administrative tasks."""

import os
import sys

from vigilpay import env, localdb


def main() -> None:
    """Run administrative tasks, with the private PostgreSQL up when no other is configured."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "vigilpay.settings")
    from django.core.management import execute_from_command_line

    try:
        localdb.ensure_started()
        execute_from_command_line(sys.argv)
    except (env.SettingError, localdb.LocalServerError) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
