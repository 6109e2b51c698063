"""The documents name what there is, and nothing that is not there."""

import re
from pathlib import Path

import pytest
from django.core.management import get_commands
from django.urls import get_resolver

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text()
ENV_EXAMPLE = (ROOT / ".env.example").read_text()
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
OUR_APPS = ("vigilpay", "events", "customers")


def make_targets() -> set[str]:
    return set(re.findall(r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE))


def our_commands() -> set[str]:
    return {name for name, app in get_commands().items() if app in OUR_APPS}


def variables_read() -> set[str]:
    reader = re.compile(r'env\.(?:text|flag|integer|number|seconds|choice|words|thresholds)\(\s*"([A-Z_]+)"')
    return {name for path in (ROOT / "vigilpay").glob("*.py") for name in reader.findall(path.read_text())}


def test_every_make_target_is_in_the_readme():
    missing = {target for target in make_targets() - {"help"} if f"make {target}`" not in README}
    assert not missing


def test_every_make_target_that_a_document_names_exists():
    named = {name for path in DOCUMENTS for name in re.findall(r"`make ([a-z-]+)`", path.read_text())}
    assert named
    assert named <= make_targets()


def test_every_command_of_ours_is_in_the_readme():
    assert our_commands()
    assert {command for command in our_commands() if f"manage.py {command}" not in README} == set()


def test_every_command_that_a_document_names_exists():
    named = {name for path in DOCUMENTS for name in re.findall(r"manage\.py ([a-z_]+)", path.read_text())}
    assert named <= set(get_commands())


def test_the_example_environment_names_every_variable_and_no_other():
    assert set(re.findall(r"^#([A-Z_]+)=", ENV_EXAMPLE, re.MULTILINE)) == variables_read()


def test_every_json_address_is_in_the_api_document():
    api = (ROOT / "docs" / "api.md").read_text()
    rooms = ("customers", "events")
    patterns = [f"{room}/{it.pattern}" for room in rooms for it in get_resolver(f"{room}.urls").url_patterns]
    assert len(patterns) > len(rooms)
    for pattern in patterns:
        address = re.escape(re.sub(r"<[a-z_]+:", "<", pattern))
        assert re.search(f"(GET|POST) /{address}`", api), pattern


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_links_between_documents_lead_somewhere(path: Path):
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", path.read_text()) if "://" not in link]
    assert [link for link in links if not (path.parent / link).exists()] == []
