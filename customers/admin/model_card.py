"""The model card as HTML, for the admin's page of a release: tables and inline SVG, everything escaped."""

from collections.abc import Mapping
from typing import Any

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from customers.ml_service.card import Block, Gallery, Table, sections


def card_html(metadata: Mapping[str, Any]) -> SafeString:
    return format_html_join(
        "",
        "<h3>{}</h3>{}",
        (
            (section.title, format_html_join("", "{}", ((_block(block),) for block in section.blocks)))
            for section in sections(metadata)
        ),
    )


def _block(block: Block) -> SafeString:
    if isinstance(block, Table):
        rows = format_html_join("", "<tr>{}</tr>", ((_cells("td", row),) for row in block.rows))
        head = _cells("th", block.header)
        return format_html("<table><thead><tr>{}</tr></thead><tbody>{}</tbody></table>", head, rows)
    if isinstance(block, Gallery):
        return format_html("<div>{}</div>", format_html_join(" ", "{}", ((picture,) for picture in block.pictures)))
    return format_html("<p>{}</p>", block)


def _cells(tag: str, words: Any) -> SafeString:
    return format_html_join("", "<{0}>{1}</{0}>", ((tag, word) for word in words))
