"""Small parts of pages that only read, everything escaped."""

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from customers.presentation.tables import Cell


def link(address: str, text: Cell) -> Cell:
    """The text alone where there is no address, as for users who may not open it."""
    return format_html('<a href="{}">{}</a>', address, text) if address else text


def side_by_side(*parts: Cell) -> SafeString:
    """In columns, as far as the window is wide enough."""
    return format_html('<div class="vp-columns">{}</div>', format_html_join("", "{}", ((part,) for part in parts)))
