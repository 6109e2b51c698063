"""Sections as one HTML page that a browser prints or saves as PDF: nothing is loaded, and every word is escaped."""

from collections.abc import Iterable, Sequence
from html import escape

from .blocks import Block, Gallery, Section, Table

# For paper: plain, and no table row or picture across two pages.
_STYLE = """
@page { size: A4; margin: 18mm 16mm; }
body { font: 10pt/1.4 sans-serif; color: #111; background: #fff; max-width: 60em; margin: 0 auto; padding: 1em; }
h1 { font-size: 18pt; }
h2 { font-size: 13pt; margin-top: 1.6em; border-bottom: 1px solid #999; break-after: avoid; }
table { border-collapse: collapse; margin: 0.8em 0; width: 100%; }
th, td { border: 1px solid #bbb; padding: 0.2em 0.5em; text-align: left; vertical-align: top; overflow-wrap: anywhere; }
th { background: #eee; }
tr, figure, svg { break-inside: avoid; }
figure { display: inline-block; margin: 0.5em; }
"""


def page(title: str, sections: Iterable[Section]) -> str:
    """Return the whole document."""
    body = "".join(
        f"<h2>{escape(section.title)}</h2>\n{''.join(map(_format_block, section.blocks))}" for section in sections
    )
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>{escape(title)}</title>\n'
        f"<style>{_STYLE}</style>\n</head>\n<body>\n<h1>{escape(title)}</h1>\n{body}</body>\n</html>\n"
    )


def _format_block(block: Block) -> str:
    if isinstance(block, Table):
        head, rows = _row("th", block.header), "".join(_row("td", row) for row in block.rows)
        return f"<table>\n<thead>{head}</thead>\n<tbody>\n{rows}</tbody>\n</table>\n"
    if isinstance(block, Gallery):
        # Its words were escaped when the picture was drawn.
        return "".join(f"<figure>{picture.svg}</figure>\n" for picture in block.pictures)
    return f"<p>{escape(block)}</p>\n"


def _row(tag: str, cells: Sequence[str]) -> str:
    return f"<tr>{''.join(f'<{tag}>{escape(cell)}</{tag}>' for cell in cells)}</tr>\n"
