"""The histogram: columns that can be read without seeing them."""

from xml.etree import ElementTree

import pytest

from customers.presentation.bands import BANDS
from customers.presentation.histogram import histogram


def drawn(counts):
    return ElementTree.fromstring(histogram(counts, (0.25, 0.5, 0.75), BANDS))


def heights(counts):
    return [float(rect.get("height")) for rect in drawn(counts).iter("rect")]


def test_columns_are_as_high_as_there_are_customers():
    low, high = heights([100, 50])
    assert low == pytest.approx(2 * high, abs=0.1)


def test_one_among_a_million_is_seen_and_none_is_not():
    tall, one, none = heights([1_000_000, 1, 0])
    assert tall > one > 1
    assert none == 0


def test_nothing_at_all_can_be_drawn():
    assert heights([0] * 20) == [0] * 20


def test_it_is_told_in_words_too():
    svg = drawn([3, 1])
    assert svg.findtext(".//desc") == "0\u00a0% to 50\u00a0%: 3; 50\u00a0% to 100\u00a0%: 1"
    assert {text.text for text in svg.iter("text")} >= set(BANDS)


def test_it_has_no_style_that_a_strict_policy_forbids():
    assert all(element.get("style") is None for element in drawn([1, 2]).iter())


def test_each_column_has_the_colour_of_its_band_and_its_number_as_a_title():
    svg = drawn([3, 1, 0, 2])
    assert [rect.get("class") for rect in svg.iter("rect")] == [f"vp-fill-{name}" for name in BANDS]
    assert next(group.findtext("title") for group in svg.iter("g")) == "0\u00a0% to 25\u00a0%: 3"
