"""The documents name what there is, and nothing that is not there."""

import ast
import re
from itertools import pairwise
from pathlib import Path

import pytest
from django.apps import apps
from django.contrib import admin
from django.core.management import BaseCommand, get_commands, load_command_class
from django.urls import URLPattern, get_resolver, reverse

from vigilpay.access import rules

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text()
REFERENCE = (ROOT / "docs" / "reference.md").read_text()
ARCHITECTURE = (ROOT / "docs" / "architecture.md").read_text()
OPERATIONS = (ROOT / "docs" / "operations.md").read_text()
ENV_EXAMPLE = (ROOT / ".env.example").read_text()
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md", *sorted((ROOT / "docs").rglob("*.md"))]
OUR_APPS = ("vigilpay", "events", "customers")


def make_targets() -> set[str]:
    return set(re.findall(r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE))


def our_commands() -> set[str]:
    return {name for name, app in get_commands().items() if app in OUR_APPS}


def variables_read() -> set[str]:
    reader = re.compile(
        r'env\.(?:text|flag|integer|number|seconds|choice|words|bounds|thresholds|share|time_zone)\(\s*"([A-Z_]+)"'
    )
    return {name for path in (ROOT / "vigilpay").glob("*.py") for name in reader.findall(path.read_text())}


def reference(heading: str) -> str:
    """The section of the reference page below this heading."""
    _, found, rest = REFERENCE.partition(f"\n## {heading}\n")
    assert found, heading
    return rest.partition("\n## ")[0]


def variables_by_group(text: str, heading: str, variable: str) -> list[list[str]]:
    groups = re.split(heading, text, flags=re.MULTILINE)[1:]
    return [re.findall(variable, group, re.MULTILINE) for group in groups]


def test_the_readme_is_short_and_shows_the_two_commands():
    assert len(README.splitlines()) < 90
    assert "\nmake demo\n" in README
    assert "\nmake test\n" in README


def test_the_glossary_has_few_words_and_each_once():
    words = re.findall(r"^\| ([A-Za-z ]+) \|", (ROOT / "docs" / "glossary.md").read_text(), re.MULTILINE)
    assert words.pop(0) == "word"
    assert 0 < len(words) <= 31
    assert len(set(words)) == len(words)


def test_the_reference_has_every_make_target_and_no_other():
    assert set(re.findall(r"`make ([a-z-]+)`", reference("Make targets"))) == make_targets()


def test_every_make_target_that_a_document_names_exists():
    named = {name for path in DOCUMENTS for name in re.findall(r"`make ([a-z-]+)`", path.read_text())}
    assert named
    assert named <= make_targets()


def options_of(command: BaseCommand) -> set[str]:
    actions = command.create_parser("manage.py", "")._actions
    return {option for action in actions for option in action.option_strings if option.startswith("--")}


def our_options(name: str) -> set[str]:
    """Options of a command, without those that it has from Django or django-q2."""
    command = load_command_class(get_commands()[name], name)
    bases = [base for base in type(command).__mro__ if issubclass(base, BaseCommand)]
    foreign = next(base for base in bases if base.__module__.partition(".")[0] not in OUR_APPS)
    return options_of(command) - options_of(foreign())


def test_the_reference_has_every_command_of_ours_with_every_option_and_no_other():
    documented = {
        re.match(r"[a-z_]+", block)[0]: set(re.findall(r"--[a-z][a-z0-9-]*", block))
        for block in re.split(r"^- `manage\.py ", reference("Commands"), flags=re.MULTILINE)[1:]
    }
    assert documented == {name: our_options(name) for name in our_commands()}


def test_every_command_that_a_document_names_exists():
    named = {name for path in DOCUMENTS for name in re.findall(r"manage\.py ([a-z_]+)", path.read_text())}
    assert named <= set(get_commands())


def test_the_example_environment_names_every_variable_and_no_other():
    assert set(re.findall(r"^#([A-Z_]+)=", ENV_EXAMPLE, re.MULTILINE)) == variables_read()


def test_the_reference_has_the_groups_of_the_example_environment():
    example = variables_by_group(ENV_EXAMPLE, r"^# --- .* ---$", r"^#([A-Z_]+)=")
    assert variables_by_group(reference("Environment variables"), r"^### .*$", r"^\| `([A-Z_]+)` \|") == example


def defaults_read() -> dict[str, str]:
    """Each variable's default as it is written in the environment; "" where the code computes it."""
    found: dict[str, str] = {}
    for path in sorted((ROOT / "vigilpay").glob("*.py")):
        for call in ast.walk(ast.parse(path.read_text())):
            if isinstance(call, ast.Call) and ast.unparse(call.func).startswith("env.") and len(call.args) > 0:
                given = [keyword.value for keyword in call.keywords if keyword.arg == "default"]
                given += call.args[1:] if ast.unparse(call.func) == "env.text" else []
                if given:
                    name = ast.literal_eval(call.args[0])
                    found[name] = as_in_the_environment(given[0])
    return found


def as_in_the_environment(default: ast.expr) -> str:
    try:
        value = ast.literal_eval(default)
    except ValueError:
        return ""
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, tuple | list):
        return ",".join(map(str, value)) or "none"
    return str(value) or "none"


def test_the_reference_has_the_default_of_every_variable():
    rows = re.findall(r"^\| `([A-Z_]+)` \| ([^|]+) \|", reference("Environment variables"), re.MULTILINE)
    # Slanted: computed by the code, and described in words.
    documented = {name: "" if default.startswith("*") else default for name, default in rows}
    assert documented == defaults_read()


def test_the_reference_has_every_address_and_no_other():
    rooms = ("customers", "events")
    patterns = [f"/{room}/{it.pattern}" for room in rooms for it in get_resolver(f"{room}.urls").url_patterns]
    lists = [
        reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
        for model in apps.get_models()
        if model in admin.site._registry and model._meta.app_label in OUR_APPS
    ]
    patterns += [f"/{it.pattern}" for it in get_resolver().url_patterns if isinstance(it, URLPattern)]
    expected = {"/admin/", "/metrics", *(re.sub(r"<[a-z_]+:", "<", it) for it in patterns), *lists}
    assert set(re.findall(r"`(/[^`\s]*)`", reference("Addresses"))) == expected


def test_every_json_address_is_in_the_api_document():
    api = (ROOT / "docs" / "api.md").read_text()
    rooms = ("customers", "events")
    patterns = [f"{room}/{it.pattern}" for room in rooms for it in get_resolver(f"{room}.urls").url_patterns]
    assert len(patterns) > len(rooms)
    for pattern in patterns:
        address = re.escape(re.sub(r"<[a-z_]+:", "<", pattern))
        assert re.search(f"(GET|POST) /{address}`", api), pattern


def test_the_access_document_has_the_rule_of_every_address_and_no_other():
    text = (ROOT / "docs" / "access.md").read_text()
    rows = re.findall(r"^\| `(?:GET|POST) (/[^`]*)` \| `?([a-z._]+)`?[^|]* \| `?([a-z]+)`? \|$", text, re.MULTILINE)
    documented = {address: (permission, scope) for address, permission, scope in rows}
    assert documented == {
        address_of(name): ("open", "open") if rule.is_open else (rule.permission or "any", rule.scope or "any")
        for name, rule in rules.RULES.items()
    }


def address_of(name: str) -> str:
    """Where it lies, with its parameters, as the documents write it."""
    if name == "metrics":
        return "/metrics"  # there only where metrics are on
    room, _, view = name.rpartition(":")
    resolver = get_resolver(f"{room}.urls") if room else get_resolver()
    [pattern] = [it.pattern for it in resolver.url_patterns if getattr(it, "name", None) == view]
    return re.sub(r"<[a-z_]+:", "<", f"/{room}/{pattern}" if room else f"/{pattern}")


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_links_between_documents_lead_somewhere(path: Path):
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", path.read_text()) if "://" not in link]
    assert [link for link in links if not (path.parent / link).exists()] == []


def anchors_of(path: Path) -> set[str]:
    """What GitHub makes of the headings."""
    headings = re.findall(r"^#+ (.+)$", path.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_links_to_a_heading_find_it(path: Path):
    links = re.findall(r"\]\(([^)#:]*\.md)?#([^)]+)\)", path.read_text())
    targets = [(path.parent / file if file else path, anchor) for file, anchor in links]
    assert [anchor for target, anchor in targets if anchor not in anchors_of(target)] == []


def test_what_the_operations_page_quotes_of_the_program_is_in_its_code():
    table = OPERATIONS.partition("\n## When something is wrong\n")[2]
    quoted = {
        quote for cell in re.findall(r"^\| (`.*?) \|", table, re.MULTILINE) for quote in re.findall("`(.+?)`", cell)
    }
    code = "".join(path.read_text() for app in OUR_APPS for path in (ROOT / app).rglob("*.py"))
    assert quoted
    assert {quote for quote in quoted if quote not in code} == set()


def walks() -> list[list[tuple[str, str, str]]]:
    """The walks of the architecture page: lines of a file, a name in it, and what that passes on."""
    blocks = re.findall(r"^```text\n(.*?)^```", ARCHITECTURE, re.MULTILINE | re.DOTALL)
    return [[tuple(line.split(maxsplit=2)) for line in block.splitlines()] for block in blocks]


def names_of(statement: ast.stmt) -> set[str]:
    if isinstance(statement, ast.Assign):
        return {target.id for target in statement.targets if isinstance(target, ast.Name)}
    return {getattr(statement, "name", "")}


def defines(path: str, dotted: str) -> bool:
    body = ast.parse((ROOT / path).read_text()).body
    for name in dotted.split("."):
        found = [statement for statement in body if name in names_of(statement)]
        if not found:
            return False
        body = getattr(found[0], "body", [])
    return True


def imports_of(path: str) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse((ROOT / path).read_text())):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {f"{node.module}", *(f"{node.module}.{name.name}" for name in node.names)}
    return found


def module_of(path: str) -> str:
    return path.removesuffix(".py").replace("/", ".")


def test_each_step_of_a_walk_is_in_the_code():
    assert len(walks()) == 2
    assert all(6 <= len(walk) <= 9 for walk in walks())
    steps = [(path, name) for walk in walks() for path, name, _ in walk]
    assert [step for step in steps if not defines(*step)] == []


def test_neighbours_of_a_walk_import_each_other_unless_postgresql_or_the_queue_lies_between():
    for walk in walks():
        for (path, _, passed_on), (following, _, _) in pairwise(walk):
            if not passed_on.startswith(("via PostgreSQL: ", "via the queue: ")):
                assert module_of(following) in imports_of(path) or module_of(path) in imports_of(following), following
