"""Tables of figures on pages that only read."""

from collections.abc import Iterable, Sequence

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

Cell = str | SafeString


def figures_table(
    caption: Cell, head: Sequence[Cell], rows: Iterable[Sequence[Cell]], *, numbers: bool = False
) -> SafeString:
    """The first cell of a row names it. Without a ``head`` it has none; columns of ``numbers`` end on the right."""
    names = format_html_join("", '<th scope="col">{}</th>', ((name,) for name in head))
    return format_html(
        '<div class="vp-wide" tabindex="0" role="group" aria-label="{0}"><table class="vp-figures{1}">'
        "<caption>{0}</caption>{2}<tbody>{3}</tbody></table></div>",
        caption,
        " vp-numbers" if numbers else "",
        format_html("<thead><tr>{}</tr></thead>", names) if head else "",
        format_html_join(
            "",
            '<tr><th scope="row">{}</th>{}</tr>',
            ((name, format_html_join("", "<td>{}</td>", ((cell,) for cell in cells))) for name, *cells in rows),
        ),
    )
