"""Numbers from day to day as a drawing."""

import re
from datetime import date, timedelta
from xml.etree import ElementTree

from customers.presentation.lines import OnDay, line

FIRST = date(2026, 8, 28)
LAST = FIRST + timedelta(days=89)


def drawn(*numbers):
    """The path and the dots for numbers on these days after the first."""
    picture = line("Critical", "customers", [OnDay(FIRST + timedelta(days=d), n) for d, n in numbers], FIRST, LAST)
    ElementTree.fromstring(picture)
    return re.search(r'<path d="([^"]*)"', picture)[1], picture.count("<circle"), picture


def test_without_numbers_there_is_no_picture():
    assert line("Critical", "customers", [], FIRST, LAST) == ""


def test_neighbouring_days_are_joined():
    path, dots, _ = drawn((0, 5), (1, 6), (2, 7))
    assert (path.count("M"), path.count("L"), dots) == (1, 2, 1)


def test_a_missing_day_is_a_gap_and_a_day_alone_a_dot():
    path, dots, _ = drawn((0, 5), (1, 6), (3, 7), (5, 8), (6, 9))
    assert (path.count("M"), path.count("L"), dots) == (3, 2, 2)


def test_it_reaches_from_edge_to_edge_and_from_0_to_the_maximum():
    path, _, _ = drawn((0, 0), (89, 10))
    assert path == "M4.0 98.0M316.0 26.0"


def test_nothing_but_zeros_lie_on_the_floor():
    assert drawn((0, 0), (1, 0))[0].endswith("98.0")


def test_words_say_what_the_picture_shows():
    _, _, picture = drawn((0, 1200), (1, 3400), (89, 2000))
    assert "<title>Critical: 2,000 customers on 25 Nov 2026</title>" in picture
    assert "<desc>1,200 on 28 Aug 2026; at most 3,400. The scale begins at 0.</desc>" in picture
