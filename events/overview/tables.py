"""Tables and small parts of pages that only read, everything escaped."""

from collections.abc import Iterable, Sequence

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

Cell = str | SafeString


def table(caption: str, head: Sequence[str], rows: Iterable[Sequence[Cell]]) -> SafeString:
    """The first cell of a row names it. Without a ``head`` it has none; a narrow window scrolls the table by itself."""
    names = format_html_join("", '<th scope="col">{}</th>', ((name,) for name in head))
    return format_html(
        '<div class="vp-wide" tabindex="0" role="group" aria-label="{0}">'
        '<table class="vp-figures"><caption>{0}</caption>{1}<tbody>{2}</tbody></table></div>',
        caption,
        format_html("<thead><tr>{}</tr></thead>", names) if head else "",
        format_html_join(
            "",
            '<tr><th scope="row">{}</th>{}</tr>',
            ((name, format_html_join("", "<td>{}</td>", ((cell,) for cell in cells))) for name, *cells in rows),
        ),
    )


def link(address: str, text: Cell) -> Cell:
    """The text alone where there is no address, as for users who may not open it."""
    return format_html('<a href="{}">{}</a>', address, text) if address else text


def side_by_side(*parts: Cell) -> SafeString:
    """In columns, as far as the window is wide enough."""
    return format_html('<div class="vp-columns">{}</div>', format_html_join("", "{}", ((part,) for part in parts)))
