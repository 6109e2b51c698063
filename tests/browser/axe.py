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

# What axe leaves to a person, or off: a target's size, names of elements that are not there, one heading of the page.
RUN = """async () => {
    const found = await axe.run(document, {
        resultTypes: ["violations"], preload: false, rules: {"target-size": {enabled: true}}
    });
    const seen = element => ({target: element.id || element.className, html: element.outerHTML.slice(0, 200)});
    const dangling = ["aria-describedby", "aria-labelledby", "for"].flatMap(name =>
        [...document.querySelectorAll(`[${name}]`)].flatMap(element =>
            element.getAttribute(name).split(/\\s+/).filter(id => id && !document.getElementById(id)).map(id =>
                ({rule: "names-what-is-there", help: `${name} names ${id}, which is not there`, ...seen(element)}))));
    const headings = [...document.querySelectorAll("h1, [role=heading][aria-level='1']")].slice(1).map(element =>
        ({rule: "one-h1", help: "A page has one heading of the first level", ...seen(element)}));
    return found.violations.flatMap(it => it.nodes.map(node => ({
        rule: it.id, help: it.help, target: node.target.join(" "), html: node.html.slice(0, 200)
    }))).concat(dangling, headings);
}"""

# Django's own: the search field's label is a picture with a text, which axe does not take for a visible label.
OF_DJANGO = {("label-title-only", "#searchbar")}

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
    return [it for it in found if (it["rule"], it["target"]) not in OF_DJANGO]
