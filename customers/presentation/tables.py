"""Tables of figures on pages that only read."""

from collections.abc import Iterable, Sequence

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

Cell = str | SafeString
Row = Sequence[Cell]


def figures_table(caption: str, head: Sequence[str], groups: Iterable[tuple[str, Iterable[Row]]]) -> SafeString:
    """Rows in groups, each under its heading; a group without one has none. The first cell of a row names it.

    On a narrow screen each row is a card, and each cell says what it is.
    """
    return format_html(
        '<table class="vp-figures vp-cards"><caption>{}</caption><thead><tr>{}</tr></thead>{}</table>',
        caption,
        format_html_join("", '<th scope="col">{}</th>', ((name,) for name in head)),
        format_html_join(
            "", "<tbody>{}{}</tbody>", ((_heading(name, len(head)), _rows(head, of)) for name, of in groups)
        ),
    )


def _heading(name: str, columns: int) -> str | SafeString:
    return format_html('<tr><th scope="rowgroup" colspan="{}">{}</th></tr>', columns, name) if name else ""


def _rows(head: Sequence[str], rows: Iterable[Row]) -> SafeString:
    return format_html_join(
        "", '<tr><th scope="row">{}</th>{}</tr>', ((name, _cells(head[1:], cells)) for name, *cells in rows)
    )


def _cells(names: Sequence[str], cells: Sequence[Cell]) -> SafeString:
    return format_html_join("", '<td data-name="{}">{}</td>', zip(names, cells, strict=True))
