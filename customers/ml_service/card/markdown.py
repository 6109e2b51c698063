"""The model card as Markdown with pictures: `README.md` and `card/*.svg` in the model's directory."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from .blocks import Block, Gallery, Picture, Section, Table
from .sections import sections
from .told import number

CARD_FILE = "README.md"
_PICTURES = "card"

# A picture in a file has no text around it: this grey can be read on white and on black.
_STANDALONE_SVG = '<svg color="#777" '

_ESCAPES = str.maketrans(
    {**{mark: f"\\{mark}" for mark in "\\`*_[]|~"}, "<": "&lt;", ">": "&gt;", "&": "&amp;"},
)

_FILES = Table(
    ("file", "what it is"),
    [
        (
            "model.pkl",
            "the fitted scikit-learn RandomForestClassifier, dumped with joblib: the source of truth. "
            "A pickle is code: load only files you trust",
        ),
        ("model.json", "its SHA-256, label codes, figures, and golden rows (generated customers with their scores)"),
        ("model.npz", "the same forest as flat arrays, read without pickle and without scikit-learn"),
    ],
)
_ORIGIN = (
    "This card is made of model.json at every release, and by manage.py model_card: what is changed in it by hand will "
    "be lost. How to replace the model: docs/model.md."
)


def card(metadata: Mapping[str, Any]) -> str:
    """Return the Markdown of a release from the content of its model.json; empty metadata will do."""
    trees = number(metadata.get("n_trees"))
    of_trees = "" if trees is None else f" of {trees:,.0f} trees"
    lead = f"A random forest{of_trees} that gives the probability, from 0 to 1, that a bank customer leaves."
    return document("The model card", [lead, _FILES, _ORIGIN], sections(metadata))


def document(title: str, introduction: Iterable[Block], contents: Iterable[Section]) -> str:
    """Return sections as Markdown; its pictures are files beside it, see `picture_files`."""
    parts = [f"# {_escaped(title)}\n", *map(_format_block, introduction)]
    for section in contents:
        parts += [f"## {section.title}\n", *map(_format_block, section.blocks)]
    return "\n".join(parts)


def card_files(metadata: Mapping[str, Any]) -> dict[str, bytes]:
    """Return the card and its pictures by their places in the model's directory."""
    return {**picture_files(sections(metadata)), CARD_FILE: card(metadata).encode(errors="replace")}


def picture_files(contents: Iterable[Section]) -> dict[str, bytes]:
    """Return the pictures of these sections by their places beside the document."""
    blocks = (block for section in contents for block in section.blocks)
    pictures = (picture for block in blocks if isinstance(block, Gallery) for picture in block.pictures)
    return {_place(picture): picture.svg.replace("<svg ", _STANDALONE_SVG, 1).encode() for picture in pictures}


def remove_other_pictures(folder: Path, files: Mapping[str, bytes]) -> None:
    """Remove a former card's pictures from the model's directory: those that are not among these files."""
    for path in (folder / _PICTURES).glob("*.svg"):
        if f"{_PICTURES}/{path.name}" not in files:
            path.unlink()


def _place(picture: Picture) -> str:
    return f"{_PICTURES}/{picture.name}.svg"


def _format_block(block: Block) -> str:
    if isinstance(block, Table):
        lines = [block.header, ["---"] * len(block.header), *block.rows]
        return "".join(f"| {' | '.join(map(_escaped, line))} |\n" for line in lines)
    if isinstance(block, Gallery):
        return "".join(f"![{_escaped(picture.title)}]({_place(picture)})\n" for picture in block.pictures)
    return f"{_escaped(block)}\n"


def _escaped(words: str) -> str:
    """Words as Markdown that shows them and nothing else: no mark-up, no HTML, no new line or column."""
    return " ".join(words.split()).translate(_ESCAPES)
