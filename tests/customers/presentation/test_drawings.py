"""Pictures that a strict page may hold, that read without colour, and whose colours can be told apart."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from customers.ml_service.messages import NO_BREAK
from customers.presentation.bars import SignedBar, signed_bars
from customers.presentation.trend import Level, ScoredThen, trend

HOSTILE = "</text><script>alert(\"1\")</script> onload='x' & \x00\x1b <"
CSS = Path(__file__).resolve().parents[3] / "customers" / "static" / "customers" / "vigilpay.css"
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
LEVELS = [Level(0.25, "medium"), Level(0.5, "high"), Level(0.75, "critical")]


def tree(picture):
    """The parsed picture, which may hold nothing that a strict page would refuse."""
    root = ElementTree.fromstring(str(picture))
    for element in root.iter():
        assert element.tag != "script"
        assert not [name for name in element.attrib if name == "style" or name.startswith("on") or "href" in name]
    return root


def scored(*scores, apart=timedelta(hours=1)):
    return [ScoredThen(NOON + number * apart, score) for number, score in enumerate(scores)]


def steps(root):
    """The corners of the line: (x, y), and how far it goes."""
    [path] = root.iter("path")
    first, *rest = re.findall(r"[MHV ]([\d.]+)", path.get("d"))
    return [float(number) for number in (first, *rest)]


class TestBars:
    def test_everything_a_bar_says_stands_beside_it_in_words(self):
        table = tree(signed_bars("Why", [SignedBar("Age", "58", 41.23), SignedBar("Balance", "0.00", -3.8)]))
        rows = [["".join(cell.itertext()) for cell in row] for row in table.find("tbody")]
        assert rows == [["Age", "58", "", "+41.2"], ["Balance", "0.00", "", "-3.8"]]
        assert all(svg.get("aria-hidden") == "true" for svg in table.iter("svg"))

    def test_what_raises_goes_right_and_what_lowers_left_in_proportion(self):
        table = tree(signed_bars("Why", [SignedBar("A", "", 40), SignedBar("B", "", -20), SignedBar("C", "", 0)]))
        bars = [(float(it.get("x")), float(it.get("width"))) for it in table.iter("rect")]
        [zero] = {float(line.get("x1")) for line in table.iter("line")}
        (right, longest), (left, half), (_, none) = bars
        assert right == zero
        assert left + half == zero
        assert half == pytest.approx(longest / 2)
        assert none == 0

    def test_a_part_that_is_hardly_there_is_still_seen(self):
        table = tree(signed_bars("Why", [SignedBar("A", "", 80), SignedBar("B", "", 0.01)]))
        assert [float(it.get("width")) for it in table.iter("rect")][1] >= 1

    def test_words_are_only_words(self):
        assert "<script" not in signed_bars(HOSTILE, [SignedBar(HOSTILE, HOSTILE, 1.0)])

    def test_there_may_be_none(self):
        assert tree(signed_bars("Why", [])).find("tbody") is not None


class TestTrend:
    def test_a_score_holds_until_the_next_one(self):
        root = tree(trend(scored(0.0, 1.0), LEVELS, NOON + timedelta(hours=2)))
        x0, bottom, x1, top, end = steps(root)
        assert x0 < x1 < end
        assert x1 == pytest.approx((x0 + end) / 2, abs=0.1)
        assert bottom > top

    def test_each_score_is_a_dot_that_tells_its_percentage_and_its_time(self):
        root = tree(trend(scored(0.123, 0.5), LEVELS, NOON))
        told = [dot.find("title").text.replace(NO_BREAK, " ") for dot in root.iter("circle")]
        assert told == ["12.3 % on 1 Mar 2026, 12:00", "50.0 % on 1 Mar 2026, 13:00"]

    def test_who_can_not_see_it_is_told_where_it_began_and_ended(self):
        root = tree(trend(scored(0.123, 0.5), LEVELS, NOON))
        assert root.get("role") == "img"
        description = root.find("desc").text.replace(NO_BREAK, " ")
        assert description == "2 scores, from 12.3 % on 1 Mar 2026, 12:00 to 50.0 % on 1 Mar 2026, 13:00."

    def test_bands_are_named_where_there_is_room(self):
        close = [Level(0.5, "medium"), Level(0.51, "high"), Level(0.9, "critical")]
        words = [it.text for it in tree(trend(scored(0.1), close, NOON)).iter("text")]
        assert "↑ medium" in words
        assert "↑ critical" in words
        assert "↑ high" not in words

    def test_days_are_told_where_seconds_would_mean_nothing(self):
        words = [it.text for it in tree(trend(scored(0.1, 0.2, apart=timedelta(days=9)), LEVELS, NOON)).iter("text")]
        assert {"1 Mar 2026, 12:00", "10 Mar 2026, 12:00"} <= set(words)

    def test_seconds_are_told_where_minutes_would_be_the_same(self):
        words = [it.text for it in tree(trend(scored(0.1, 0.2, apart=timedelta(seconds=9)), LEVELS, NOON)).iter("text")]
        assert {"1 Mar 2026, 12:00:00", "1 Mar 2026, 12:00:09"} <= set(words)

    def test_without_a_score_there_is_no_picture(self):
        assert trend([], LEVELS, NOON) == ""

    @given(
        scores=st.lists(st.tuples(st.integers(0, 10**7), st.floats(0, 1)), min_size=1, max_size=80),
        until=st.integers(-(10**6), 10**7),
    )
    def test_it_stays_within_its_frame(self, scores, until):
        history = [ScoredThen(NOON + timedelta(seconds=at), score) for at, score in sorted(scores)]
        root = tree(trend(history, LEVELS, NOON + timedelta(seconds=until)))
        for dot in root.iter("circle"):
            assert 0 <= float(dot.get("cx")) <= float(root.get("width"))
            assert 0 <= float(dot.get("cy")) <= float(root.get("height"))

    def test_words_are_only_words(self):
        assert "<script" not in trend(scored(0.1), [Level(0.5, HOSTILE)], NOON)


class TestColours:
    # Django's own colours of the page, and of every second row of a table.
    GROUNDS = {"light": ("#ffffff", "#f8f8f8"), "dark": ("#121212", "#212121")}

    @pytest.mark.parametrize("theme", ["light", "dark"])
    @pytest.mark.parametrize("name", ["low", "medium", "high", "critical", "unscored"])
    def test_words_on_a_badge_have_the_contrast_of_aa(self, theme, name):
        colours = variables(theme)
        assert contrast(colours[f"{name}-bg"], colours[f"{name}-fg"]) >= 4.5

    @pytest.mark.parametrize("theme", ["light", "dark"])
    @pytest.mark.parametrize("name", ["raises", "lowers", "line"])
    def test_so_do_signed_numbers_and_the_line_on_the_page(self, theme, name):
        assert min(contrast(variables(theme)[name], ground) for ground in self.GROUNDS[theme]) >= 4.5

    def test_dark_is_the_same_whether_chosen_or_asked_for_by_the_system(self):
        preferred = re.search(r"@media \(prefers-color-scheme: dark\) \{(.*?)\n\}", CSS.read_text(), re.DOTALL)
        assert colours_in(preferred[1]) == variables("dark")
        assert set(variables("dark")) == set(variables("light"))

    def test_nothing_is_fetched_from_elsewhere(self):
        assert not re.search(r"url\(|@import|@font-face", CSS.read_text())


def variables(theme):
    return colours_in(re.search(r'html\[data-theme="' + theme + r'"\] \{(.*?)\n\}', CSS.read_text(), re.DOTALL)[1])


def colours_in(block):
    return dict(re.findall(r"--vp-([a-z-]+): (#[0-9a-f]{6});", block))


def contrast(one, other):
    """As WCAG 2.2 defines it."""
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def luminance(colour):
    shares = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in shares)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
