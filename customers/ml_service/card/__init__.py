"""The model card: what a release's metadata holds about a forest, and honestly what it does not.

`sections` is the card itself, plain text, tables and charts; `card` and `card_files` write it as Markdown. `document`,
`picture_files` and `page` write any sections as Markdown and as HTML.
"""

from .blocks import Block, Gallery, Picture, Section, Table
from .html import page
from .markdown import CARD_FILE, card, card_files, document, picture_files, remove_other_pictures
from .sections import sections

__all__ = [
    "CARD_FILE",
    "Block",
    "Gallery",
    "Picture",
    "Section",
    "Table",
    "card",
    "card_files",
    "document",
    "page",
    "picture_files",
    "remove_other_pictures",
    "sections",
]
