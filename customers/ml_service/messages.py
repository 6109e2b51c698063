"""Words for people. This room knows no Django: messages are marked here and translated by whoever shows them."""

from collections.abc import Callable

Translate = Callable[[str], str]


def gettext_noop(message: str) -> str:
    """Mark a message for Django's makemessages."""
    return message
