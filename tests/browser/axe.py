"""What axe-core finds wrong with a page for people who see, hear or move differently.

The script comes out of a pinned development package; nothing is fetched while tests run. The driver evaluates it from
outside, so the page's own policy, which forbids scripts of others, stays as it is.
"""

from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from playwright.sync_api import Page

PACKAGE, FILE = "axe_playwright_python", "axe.min.js"

RUN = """async () => {
    const found = await axe.run(document, {resultTypes: ["violations"]});
    return found.violations.flatMap(it => it.nodes.map(node => ({
        rule: it.id, help: it.help, target: node.target.join(" "), html: node.html.slice(0, 200)
    })));
}"""

Finding = dict[str, str]


@cache
def script() -> str:
    """axe-core itself, as the package carries it."""
    spec = find_spec(PACKAGE)
    assert spec is not None, f"{PACKAGE} is missing: run make setup-dev"
    assert spec.origin is not None
    return (Path(spec.origin).parent / FILE).read_text()


def violations(page: Page) -> list[Finding]:
    """Every rule that the page breaks, once for each element: ``rule``, ``help``, ``target`` and the element's text."""
    page.evaluate(script())
    found: Any = page.evaluate(RUN)
    return list(found)
