"""Tables of figures on pages that only read."""

from collections.abc import Iterable, Sequence

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

Cell = str | SafeString


def figures_table(caption: Cell, head: Sequence[Cell], rows: Iterable[Sequence[Cell]]) -> SafeString:
    """The first cell of a row names it."""
    return format_html(
        '<div class="vp-wide" tabindex="0" role="group" aria-label="{0}"><table class="vp-figures">'
        "<caption>{0}</caption><thead><tr>{1}</tr></thead><tbody>{2}</tbody></table></div>",
        caption,
        format_html_join("", '<th scope="col">{}</th>', ((name,) for name in head)),
        format_html_join(
            "",
            '<tr><th scope="row">{}</th>{}</tr>',
            ((name, format_html_join("", "<td>{}</td>", ((cell,) for cell in cells))) for name, *cells in rows),
        ),
    )
