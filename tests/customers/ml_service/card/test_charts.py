import math
import re
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from customers.ml_service.card.charts import Axis, Bar, bar_chart, line_chart

SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = "</text><script>alert(\"1\")</script> onload='x' & \x00\x1b\ud800 <"
SHARE = Axis("share", 0.0, 1.0, "{:.1f}".format)


def tree(svg):
    """The parsed SVG, which may hold nothing that a strict page would refuse."""
    root = ElementTree.fromstring(svg)
    for element in root.iter():
        assert element.tag.removeprefix(SVG) in {
            *("svg", "title", "desc", "text", "line", "polyline", "circle", "rect"),
        }
        assert not [name for name in element.attrib if name == "style" or name.startswith("on") or "href" in name]
    return root


def words(root):
    return [element.text for element in root.iter(f"{SVG}text")]


def test_a_line_goes_through_its_points():
    svg = line_chart("Churn", [(0.0, 0.0), (0.5, 0.25), (1.0, 1.0)], x=SHARE, y=SHARE)
    [line] = tree(svg).iter(f"{SVG}polyline")
    places = [tuple(map(float, place.split(","))) for place in line.get("points").split()]
    (left, bottom), middle, (right, top) = places
    assert left < right
    assert bottom > top  # SVG counts downwards
    assert middle == (pytest.approx((left + right) / 2, abs=0.1), pytest.approx(bottom - (bottom - top) / 4, abs=0.1))


def test_the_diagonal_is_a_second_and_dashed_line():
    svg = line_chart("Calibration", [(0.1, 0.2), (0.9, 0.7)], x=SHARE, y=SHARE, diagonal=True)
    assert [line.get("stroke-dasharray") for line in tree(svg).iter(f"{SVG}polyline")] == ["4 4", None]


def test_bars_are_as_long_as_their_values_and_none_for_values_below_zero():
    bars = [Bar("a", 0.8), Bar("b", 0.4), Bar("c", -0.1)]
    widths = [float(bar.get("width")) for bar in tree(bar_chart("Bars", bars, axis=SHARE)).iter(f"{SVG}rect")]
    assert widths[0] == pytest.approx(2 * widths[1])
    assert widths[2] == 0


def test_a_spread_is_drawn_around_the_value():
    root = tree(bar_chart("Bars", [Bar("a", 0.5, spread=0.1), Bar("b", 0.5)], axis=SHARE))
    [whisker] = root.iter(f"{SVG}line")
    end = max(float(bar.get("x")) + float(bar.get("width")) for bar in root.iter(f"{SVG}rect"))
    assert float(whisker.get("x1")) < end < float(whisker.get("x2"))


def test_a_chart_is_readable_without_seeing_it():
    root = tree(bar_chart("Risk by country", [Bar("Spain", 0.25)], axis=SHARE))
    assert root.get("role") == "img"
    assert root[0].text == "Risk by country"
    assert root[1].text == "share. Spain: 0.2"


def test_a_chart_has_no_colour_of_its_own():
    svg = line_chart("t", [(0.0, 0.5)], x=SHARE, y=SHARE, diagonal=True) + bar_chart("t", [Bar("a", 1.0)], axis=SHARE)
    assert set(re.findall(r'(?:fill|stroke)="(.*?)"', svg)) == {"currentColor", "none"}


@pytest.mark.parametrize("place", ["title", "label", "axis"])
def test_hostile_words_are_only_words(place):
    named = {name: HOSTILE if name == place else "plain" for name in ("title", "label", "axis")}
    axis = Axis(named["axis"], 0.0, 1.0, lambda number: named["label"])
    for svg in (
        line_chart(named["title"], [(0.0, 1.0)], x=axis, y=axis),
        bar_chart(named["title"], [Bar(named["label"], 1.0)], axis=axis),
    ):
        assert "</text><script>alert(\"1\")</script> onload='x' &  <" in "".join(tree(svg).itertext())


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(0.0, 1.0, [0, 0.2, 0.4, 0.6, 0.8, 1.0]), (18, 92, [20, 40, 60, 80]), (0, 251_000, [0, 100_000, 200_000]),
     (5, 5, [5])],
)  # fmt: skip
def test_ticks_are_round_numbers(low, high, expected):
    assert Axis("x", low, high, str).ticks() == pytest.approx(expected)


@given(st.floats(-1e15, 1e15), st.floats(-1e15, 1e15))
def test_any_range_can_be_drawn(one, other):
    axis = Axis("x", min(one, other), max(one, other), "{:g}".format)
    ticks = axis.ticks()
    assert len(ticks) <= 6
    assert all(math.isfinite(axis.share(tick)) for tick in ticks)
    tree(line_chart("t", [(one, other), (other, one)], x=axis, y=axis, diagonal=True))
    tree(bar_chart("t", [Bar("a", one, spread=abs(other))], axis=axis))
