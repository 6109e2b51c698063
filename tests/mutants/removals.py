"""Which statements of a module can be taken away, and the module without one of them.

Those of Python in the bodies of its functions, and those of PL/pgSQL in its texts that stand on one line.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass

# Written beside a statement, or on a line of its own before it: why no test can see that it is gone.
ARGUED = "# unseen:"

# Without these a module is no other program, or none at all.
KEPT = (ast.Import, ast.ImportFrom, ast.Global, ast.Nonlocal, ast.Pass, ast.FunctionDef, ast.ClassDef)


@dataclass(frozen=True)
class Removal:
    """One statement of a function: its lines, from 1, and what stands there."""

    first: int
    last: int
    indent: int
    text: str
    is_argued: bool
    instead: str = "pass"

    def applied_to(self, source: str) -> str:
        """The module with nothing to do in the place of the statement; every other line keeps its number."""
        lines = source.splitlines()
        lines[self.first - 1 : self.last] = [" " * self.indent + self.instead, *[""] * (self.last - self.first)]
        return "\n".join(lines) + "\n"


def removals(source: str) -> list[Removal]:
    """All that can be taken away, in order."""
    found = {(removal.first, removal.indent): removal for removal in (*of_python(source), *of_triggers(source))}
    return [found[place] for place in sorted(found)]


def of_triggers(source: str) -> Iterator[Removal]:
    """Each line of a text that is a whole statement between BEGIN and END: the line before it has ended one, too."""
    lines = source.splitlines()
    for node in ast.parse(source).body:
        for text in ast.walk(node):
            if isinstance(text, ast.JoinedStr | ast.Constant) and (text.end_lineno or 0) - text.lineno > 1:
                yield from _lines_of(lines, text.lineno, text.end_lineno or 0)


def _lines_of(lines: list[str], first: int, last: int) -> Iterator[Removal]:
    is_body = False
    for number in range(first + 1, last):
        before, line = lines[number - 2].strip(), lines[number - 1]
        is_body = (is_body or before == "BEGIN") and line.strip() != "END"
        is_whole = before.endswith((";", "BEGIN", "THEN", "ELSE", "}")) and line.endswith(";")
        if is_body and is_whole and not line.strip().startswith(("END", "RETURN")):
            yield Removal(number, number, len(line) - len(line.lstrip()), line.strip(), False, "NULL;")


def of_python(source: str) -> list[Removal]:
    """Each statement in the body of a function, at any depth, in order."""
    lines = source.splitlines()
    functions = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.FunctionDef)]
    found = {(node.lineno, node.col_offset): node for function in functions for node in _statements(function)}
    return [_removal(found[place], lines) for place in sorted(found)]


def _statements(function: ast.FunctionDef) -> Iterator[ast.stmt]:
    for node in ast.walk(function):
        if isinstance(node, ast.stmt) and node is not function and not isinstance(node, KEPT) and not _is_text(node):
            yield node


def _is_text(node: ast.stmt) -> bool:
    """A docstring."""
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _removal(node: ast.stmt, lines: list[str]) -> Removal:
    last = node.end_lineno or node.lineno
    beside = lines[node.lineno - 1 : last] + lines[max(node.lineno - 2, 0) : node.lineno - 1]
    return Removal(
        first=node.lineno,
        last=last,
        indent=node.col_offset,
        text=lines[node.lineno - 1].strip(),
        is_argued=ARGUED in beside[0] or (ARGUED in beside[-1] and beside[-1].lstrip().startswith("#")),
    )
