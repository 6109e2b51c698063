"""Tables of figures on pages that only read."""

from collections.abc import Iterable, Sequence

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

Cell = str | SafeString
Row = Sequence[Cell]


def figures_table(caption: Cell, head: Sequence[Cell], rows: Iterable[Row], *, numbers: bool = False) -> SafeString:
    """The first cell of a row names it. Without a ``head`` it has none; columns of ``numbers`` end on the right."""
    return format_html(
        '<div class="vp-wide" tabindex="0" role="group" aria-label="{0}"><table class="vp-figures{1}">'
        "<caption>{0}</caption>{2}<tbody>{3}</tbody></table></div>",
        caption,
        " vp-numbers" if numbers else "",
        _head(head) if head else "",
        format_html_join(
            "",
            '<tr><th scope="row">{}</th>{}</tr>',
            ((name, format_html_join("", "<td>{}</td>", ((cell,) for cell in cells))) for name, *cells in rows),
        ),
    )


def grouped_table(caption: str, head: Sequence[str], groups: Iterable[tuple[str, Iterable[Row]]]) -> SafeString:
    """Rows in groups, each under its heading; a group without one has none. The first cell of a row names it.

    On a narrow screen each row is a card, and each cell says what it is.
    """
    return format_html(
        '<table class="vp-figures vp-cards"><caption>{}</caption>{}{}</table>',
        caption,
        _head(head),
        format_html_join(
            "", "<tbody>{}{}</tbody>", ((_heading(name, len(head)), _named_rows(head, of)) for name, of in groups)
        ),
    )


def _head(names: Sequence[Cell]) -> SafeString:
    cells = format_html_join("", '<th scope="col">{}</th>', ((name,) for name in names))
    return format_html("<thead><tr>{}</tr></thead>", cells)


def _heading(name: str, columns: int) -> str | SafeString:
    return format_html('<tr><th scope="rowgroup" colspan="{}">{}</th></tr>', columns, name) if name else ""


def _named_rows(head: Sequence[str], rows: Iterable[Row]) -> SafeString:
    return format_html_join(
        "", '<tr><th scope="row">{}</th>{}</tr>', ((name, _named_cells(head[1:], cells)) for name, *cells in rows)
    )


def _named_cells(names: Sequence[str], cells: Row) -> SafeString:
    return format_html_join("", '<td data-name="{}">{}</td>', zip(names, cells, strict=True))
