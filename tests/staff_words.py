"""Every text that staff can meet, by file and line: ``make words`` prints them, to be read aloud.

Read from the source, without running it: labels and help texts of fields, headings of columns, choices, messages,
errors, what commands print, and whatever else reads like a sentence. Left out is what staff never meet: docstrings,
log lines, statements of SQL. Values stand as ``{}``.
"""

import ast
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ROOMS = ("customers", "events", "vigilpay")
# Names by which the database knows schedules that exist already.
UNSEEN = {"events/queue/schedules.py"}

# One term each, and none of the engine's own words: docs/reference.md.
FORBIDDEN = re.compile(
    r"\b(?:somebody|nobody|everybody|anybody|whoever|whomever|he|him|his|himself|she|her|hers|herself"
    r"|of late|set(?:s|ting)? aside|told|what moved it|dead letters?|geography|geographies|tenure"
    r"|drain(?:s|ed|ing)?|deliver(?:y|ies)|stale|knock(?:s|ed)?)\b",
    re.IGNORECASE,
)

# Names of columns and accounts, as they are.
QUOTED = re.compile(r"`[^`]*`|\"[^\"]*\"")

# Keyword arguments and first arguments that are labels, be they a single word.
LABELS = {
    *("description", "label", "help_text", "verbose_name", "verbose_name_plural", "empty_value", "title"),
    *("violation_error_message", "empty_label", "hint", "search_help_text", "index_title", "site_title"),
    *("site_header", "empty_value_display", "help", "short_description", "heading", "subject"),
}
# Calls whose arguments are shown as they are.
SHOWN = {
    *("message_user", "ValidationError", "CommandError", "write", "format_html", "error", "section", "log_action"),
    *("success", "warning", "info", "RefusedError", "LoadError", "DeliveryError", "Fault"),
}
LOGGERS = {"log", "logger", "logging"}
NOT_SHOWN = {"begin", "end", "compile", "getLogger", "import_module", "getattr", "setattr", "hasattr", "execute"}
SQL = re.compile(
    r"\b(?:SELECT|INSERT|UPDATE|DELETE|CREATE|ALTER|DROP|WHERE|NOTIFY|COPY|ANALYZE|RETURN|NULL|GRANT)\b|::"
)
SENTENCE = re.compile(r"[A-Za-z]{2,}[,.:;]?\s+\(?[A-Za-z{]")


@dataclass(frozen=True)
class Text:
    """One text, where it stands."""

    line: int
    words: str

    @property
    def forbidden(self) -> list[str]:
        return FORBIDDEN.findall(QUOTED.sub("", self.words))


def files() -> list[Path]:
    """Every module of the product that may hold such texts."""
    found = (path for room in ROOMS for path in (ROOT / room).rglob("*.py") if "migrations" not in path.parts)
    return sorted(path for path in found if path.relative_to(ROOT).as_posix() not in UNSEEN)


def texts_of(source: str) -> list[Text]:
    """The texts of a module, in their order."""
    found = {(text.line, text.words): text for text in _Reader(ast.parse(source)).read()}
    return sorted(found.values(), key=lambda text: text.line)


class _Reader:
    def __init__(self, tree: ast.Module) -> None:
        self._tree = tree

    def read(self) -> Iterator[Text]:
        yield from self._visit(self._tree, is_label=False)

    def _visit(self, node: ast.AST, *, is_label: bool) -> Iterator[Text]:
        if isinstance(node, ast.Constant | ast.JoinedStr):
            yield from self._text(node, is_label=is_label)
        elif isinstance(node, ast.Call):
            yield from self._call(node)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            names = [node.target] if isinstance(node, ast.AnnAssign) else node.targets
            yield from self._children(node, is_label=any(isinstance(it, ast.Name) and it.id in LABELS for it in names))
        elif isinstance(node, ast.ClassDef):
            yield from self._class(node)
        elif isinstance(node, ast.Tuple | ast.List | ast.IfExp | ast.BoolOp | ast.BinOp):
            yield from self._children(node, is_label=is_label)
        else:
            yield from self._children(node, is_label=False)

    def _children(self, node: ast.AST, *, is_label: bool) -> Iterator[Text]:
        docstring = _docstring(node)
        for child in ast.iter_child_nodes(node):
            if child is not docstring:
                yield from self._visit(child, is_label=is_label)

    def _class(self, node: ast.ClassDef) -> Iterator[Text]:
        """The labels of choices stand as the second value."""
        is_choice = any("Choices" in ast.unparse(base) for base in node.bases)
        for child in node.body:
            if is_choice and isinstance(child, ast.Assign):
                value = child.value
                yield from self._visit(value.elts[-1] if isinstance(value, ast.Tuple) else value, is_label=True)
            elif child is not _docstring(node):
                yield from self._visit(child, is_label=False)

    def _call(self, node: ast.Call) -> Iterator[Text]:
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        owner = getattr(node.func.value, "id", "") if isinstance(node.func, ast.Attribute) else ""
        if owner in LOGGERS or name in NOT_SHOWN:
            return
        yield from self._children(node.func, is_label=False)
        first_is_label = name.endswith("Field") and owner in ("models", "forms")
        for place, argument in enumerate(node.args):
            yield from self._visit(argument, is_label=name in SHOWN or (first_is_label and place == 0))
        for keyword in node.keywords:
            yield from self._visit(keyword.value, is_label=keyword.arg in LABELS)

    def _text(self, node: ast.Constant | ast.JoinedStr, *, is_label: bool) -> Iterator[Text]:
        words = _words(node)
        is_shown = SENTENCE.search(words) or (is_label and re.search(r"[A-Za-z]{2}", words))
        if is_shown and not SQL.search(words):
            yield Text(node.lineno, " ".join(words.split()))
        if isinstance(node, ast.JoinedStr):
            for part in node.values:
                if isinstance(part, ast.FormattedValue):
                    yield from self._visit(part.value, is_label=False)


def _words(node: ast.Constant | ast.JoinedStr) -> str:
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else ""
    return "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values)


def _docstring(node: ast.AST) -> ast.AST | None:
    body = getattr(node, "body", None)
    first = body[0] if isinstance(body, list) and body else None
    is_one = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
    return first if is_one else None


def main() -> int:
    """Print all of them; 1 when one has a word that it should not have."""
    wrong = 0
    for path in files():
        texts = texts_of(path.read_text())
        if texts:
            print(f"\n{path.relative_to(ROOT)}")  # noqa: T201
        for text in texts:
            mark = f"   <- {', '.join(text.forbidden)}" if text.forbidden else ""
            wrong += bool(text.forbidden)
            print(f"  {text.line:>4}  {text.words}{mark}")  # noqa: T201
    return min(wrong, 1)


if __name__ == "__main__":
    sys.exit(main())
