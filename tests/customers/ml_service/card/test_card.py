import re
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from customers.ml_service import FEATURES
from customers.ml_service.card import Table, card, card_files, remove_other_pictures, sections
from customers.ml_service.card.groups import format_rate, read_figures
from customers.ml_service.intervals import Rate, rate_of
from customers.ml_service.messages import NO_BREAK
from tests.customers.ml_service.forests import diagnosis

HOSTILE = "<script>alert(1)</script> | **bold** [link](https://example.org) `code`\n# title"
METADATA = {
    "sha256": "a" * 64,
    "n_trees": 200,
    "sklearn_version": "1.9.1",
    "encodings": {"geography": {"France": 0, "Spain": 1, "Germany": 2}, "gender": {"Female": 0, "Male": 1}},
    "training": {"rows": 8000, "churn_rate": 0.20375, "trained_at": "2026-11-22", "seed": 20, "settings": {"depth": 7}},
    "metrics": {"method": "5-fold", "roc_auc": {"mean": 0.862, "std": 0.009}, "brier": {"mean": 0.104, "std": 0.003}},
    "baselines": {
        "constant": {"roc_auc": {"mean": 0.5, "std": 0.0}, "brier": {"mean": 0.162, "std": 0.001}},
        "logistic_regression": {"roc_auc": {"mean": 0.755, "std": 0.011}},
    },
}


@pytest.fixture(scope="module")
def metadata():
    return {**METADATA, "diagnostics": diagnosis()}


def tables(metadata):
    return {
        section.title: [block for block in section.blocks if isinstance(block, Table)] for section in sections(metadata)
    }


def test_it_tells_of_the_data_what_metadata_tells():
    text = card(METADATA)
    for fact in ("200 trees", "8,000", "20.4 %", "2026-11-22", "depth 7, seed 20", "1.9.1", "a" * 64):
        assert fact in text
    assert "France 0, Germany 2, Spain 1; Female 0, Male 1" in text


def test_figures_stand_with_their_spread_beside_those_of_simpler_models():
    [table] = tables(METADATA)["Quality"]
    assert table.header == ("figure", "this forest", "constant", "logistic regression")
    assert table.rows == [
        ("ROC AUC", "0.862 ± 0.009", "0.500 ± 0.000", "0.755 ± 0.011"),
        ("Brier score (lower is better)", "0.104 ± 0.003", "0.162 ± 0.001", "not known"),
    ]


def test_figures_without_baselines_or_without_spread():
    text = card({"metrics": {"roc_auc": 0.9, "new_figure": {"mean": 0.5, "std": 0.1}}})
    assert "| ROC AUC | 0.900 |" in text
    assert "| new figure | 0.500 ± 0.100 |" in text
    assert "not compared with simpler models" in text


@pytest.mark.parametrize("metadata", [{}, {"diagnostics": {}}, {"metrics": None, "training": [], "n_trees": "many"}])
def test_a_file_without_metadata_is_told_to_be_unknown(metadata):
    text = card(metadata)
    for admission in (
        "It is not recorded what this forest was trained on",
        "It is not recorded how good this forest is",
        "means that 30 % leave was not measured",
        "How much each field matters was not measured",
        "How the score moves with each field was not measured",
        "equally well was not measured",
        "The ranges of the values it was trained on are not available",
    ):
        assert admission in text
    assert list(card_files(metadata)) == ["README.md"]


def test_every_picture_that_the_card_shows_is_written_and_no_other(metadata):
    shown = re.findall(r"!\[[^]]+\]\((card/[^)]+\.svg)\)", card(metadata))
    effects = [f"card/effect-{name}.svg" for name in FEATURES]
    assert shown == ["card/calibration.svg", "card/importances.svg", *effects]
    assert card_files(metadata).keys() == {*shown, "README.md"}


def test_pictures_can_be_read_where_no_page_gives_them_a_colour(metadata):
    for name, data in card_files(metadata).items():
        if name.endswith(".svg"):
            assert ElementTree.fromstring(data).get("color") == "#777"


GROUPS = [
    *("France", "Germany", "Spain", "Female", "Male"),
    *("age 18-29", "age 30-44", "age 45-59", "age 60+"),
    *("products 1", "products 2", "products 3+", "active member no", "active member yes"),
]


def test_groups_are_compared(metadata):
    table, *_ = tables(metadata)["Groups of customers"]
    figures = metadata["diagnostics"]["subgroups"]["age"]["60+"]
    assert [row[0] for row in table.rows] == GROUPS
    assert dict(zip(table.header, table.rows[GROUPS.index("age 60+")], strict=True)) == {
        "group": "age 60+",
        "customers": f"{figures['customers']}",
        "left": format_rate(rate_of(round(figures["churn_rate"] * figures["customers"]), figures["customers"])),
        "mean score": f"{100 * figures['mean_score']:.1f} %",
        "result": read_figures(figures).result,
        "ROC AUC": f"{figures['roc_auc']:.3f}",
        "Brier score": f"{figures['brier']:.3f}",
    }


def test_who_is_selected_stands_there_threshold_by_threshold(metadata):
    _, *by_threshold = tables(metadata)["Groups of customers"]
    assert [table.header[0].replace(NO_BREAK, " ") for table in by_threshold] == [
        f"score of {percent} % or more" for percent in ("25.0", "50.0", "75.0")
    ]
    assert by_threshold[1].header[1:] == ("selected", "of those who left", "of those who stayed")
    figures = metadata["diagnostics"]["subgroups"]["gender"]["Male"]
    assert by_threshold[1].rows[GROUPS.index("Male")] == (
        "Male",
        *(format_rate(Rate(*figures[name][1])) for name in ("selected", "true_positive", "false_positive")),
    )
    share, low, high = figures["selected"][1]
    assert by_threshold[1].rows[GROUPS.index("Male")][1].replace(NO_BREAK, " ") == (
        f"{100 * share:.1f} % ({100 * low:.1f} to {100 * high:.1f})"
    )


def test_groups_of_few_say_so(metadata):
    few = {"customers": 12, "selected": [None] * 3, "true_positive": [None] * 3, "false_positive": [None] * 3}
    subgroups = {"gender": {"Female": few, "Male": metadata["diagnostics"]["subgroups"]["gender"]["Male"]}}
    _, first, *_ = tables({"diagnostics": {"subgroups": subgroups, "thresholds": [0.25]}})["Groups of customers"]
    assert first.rows[0] == ("Female", *["too few to tell"] * 3)


def test_a_model_of_before_says_what_was_not_measured(metadata):
    before = {"gender": {"Male": {"customers": 300, "churn_rate": 0.2, "mean_score": 0.21}}}
    text = card({"diagnostics": {"subgroups": before}}).replace(NO_BREAK, " ")
    assert "| Male | 300 | 20.0 % (15.9 to 24.9) | 21.0 % | as expected | not known | not known |" in text
    assert "how many wrongly, was not measured" in text
    assert "without a field is missing" in text


def test_what_a_protected_field_costs_stands_in_the_card(metadata):
    gender = {"roc_auc": 0.8588, "lost": 0.0024, "std": 0.0011}
    measured = {"method": "5-fold", "roc_auc": 0.8612, "fields": {"gender": gender, "age": {"roc_auc": "much"}}}
    [table] = tables({"diagnostics": {"without": measured}})["Protected fields"]
    assert table.rows == [("none", "0.861", ""), ("gender", "0.859", "0.002 ± 0.001")]


def test_limits_name_ranges_and_small_groups(metadata):
    limits = metadata["diagnostics"]["limits"]
    text = card(metadata)
    assert f"age {limits['ranges']['age'][0]} to {limits['ranges']['age'][1]}" in text
    assert f"products 4 ({limits['small_groups']['num_of_products']['4']})" in text
    assert "fewer than 250" in text


def test_the_most_important_field_comes_first(metadata):
    features = metadata["diagnostics"]["importances"]["features"]
    first = max(features, key=lambda name: features[name]["mean"])
    assert first == "age"
    labels = re.findall(r'text-anchor="end">([^<]+)</text>', card_files(metadata)["card/importances.svg"].decode())
    assert labels[0] == "age"


def test_hostile_words_are_only_words():
    group = {"customers": 1}
    text = card(
        {
            "sklearn_version": HOSTILE,
            "metrics": {"method": HOSTILE, "roc_auc": {"mean": 0.9}, HOSTILE: {"mean": 0.9}},
            "baselines": {HOSTILE: {"roc_auc": {"mean": 0.5}}},
            "encodings": {"gender": {HOSTILE: 0}},
            "diagnostics": {
                "subgroups": {"gender": {HOSTILE: group}},
                "limits": {"small_groups": {"age": {HOSTILE: 1}}},
            },
        }
    )
    assert "<script" not in text
    assert "**bold**" not in text
    assert "[link]" not in text
    assert "\n# title" not in text
    # A column more would mean that a word has broken out of its cell.
    assert {len(re.findall(r"(?<!\\)\|", line)) for line in text.splitlines() if line.startswith("| figure")} == {4}
    assert {len(re.findall(r"(?<!\\)\|", line)) for line in text.splitlines() if "alert" in line} == {0, 3, 4, 8}


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
odd_values = st.sampled_from(
    [None, True, -1, 0, 1e300, float("nan"), float("inf"), 10**400, "", "x", [], {}, [1], {"mean": 1}]
)


def paths(value, path=()):
    """Where in a nest of mappings and lists something stands."""
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield from paths(inner, (*path, key))


def with_odd(value, path, odd):
    if not path:
        return odd
    copy = value.copy()
    copy[path[0]] = with_odd(value[path[0]], path[1:], odd)
    return copy


@given(st.data())
def test_whatever_metadata_says_there_is_a_card(metadata, data):
    """A model.json may come from anywhere: a card that failed would keep its model from being released."""
    where = data.draw(st.sampled_from([path for path in paths(metadata) if path]))
    damaged = with_odd(metadata, where, data.draw(odd_values | json_values))
    files = card_files(damaged)
    for name, content in files.items():
        if name.endswith(".svg"):
            ElementTree.fromstring(content)
    assert files["README.md"].startswith(b"# The model card")


def reversed_keys(value):
    if isinstance(value, dict):
        return {key: reversed_keys(value[key]) for key in reversed(value)}
    return [reversed_keys(inner) for inner in value] if isinstance(value, list) else value


def test_the_order_in_which_metadata_is_kept_does_not_matter(metadata):
    """The database keeps JSON in an order of its own, and its card is to be that of the file."""
    assert card_files(reversed_keys(metadata)) == card_files(metadata)


def test_pictures_of_a_former_card_go(metadata, tmp_path):
    (tmp_path / "card").mkdir()
    for name in ("calibration.svg", "effect-age.svg", "notes.txt"):
        (tmp_path / "card" / name).touch()
    remove_other_pictures(tmp_path, {"README.md": b"", "card/calibration.svg": b""})
    assert sorted(path.name for path in (tmp_path / "card").iterdir()) == ["calibration.svg", "notes.txt"]
