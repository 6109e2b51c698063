"""Who gives a command on this machine."""

import os
import pwd


def operator_name() -> str:
    """The operating system's name of the user, or his number where it has none, as in some containers."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"user {os.getuid()}"
