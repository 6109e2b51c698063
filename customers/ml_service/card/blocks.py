"""What a card consists of, whether it becomes Markdown or HTML."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Table:
    header: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True)
class Picture:
    """An SVG under a name that can be a file's."""

    name: str
    title: str
    svg: str

    def __html__(self) -> str:
        """The SVG may stand in a page as it is: charts.py has escaped every word in it."""
        return self.svg


@dataclass(frozen=True)
class Gallery:
    """Pictures that stand side by side where there is room."""

    pictures: Sequence[Picture]


Block = str | Table | Gallery


@dataclass(frozen=True)
class Section:
    """A title, and paragraphs of plain text, tables and galleries in reading order."""

    title: str
    blocks: Sequence[Block]
