"""A trend that fits into a row, under a strict Content-Security-Policy and for readers who do not see it."""

from xml.etree import ElementTree

from customers.presentation.sparkline import sparkline


def points(svg):
    [line] = ElementTree.fromstring(svg).iter("polyline")
    return [tuple(map(float, point.split(","))) for point in line.get("points").split()]


def test_the_line_runs_from_the_oldest_score_to_the_newest_which_has_a_dot():
    svg = sparkline([0.2, 0.4, 0.9])
    assert len(points(svg)) == 3
    across, up = zip(*points(svg), strict=True)
    assert list(across) == sorted(across)
    assert list(up) == sorted(up, reverse=True)  # a higher score is nearer to the top
    [dot] = ElementTree.fromstring(svg).iter("circle")
    assert (float(dot.get("cx")), float(dot.get("cy"))) == points(svg)[-1]


def test_the_same_score_is_at_the_same_height_in_every_row():
    assert points(sparkline([0.5, 0.6]))[0][1] == points(sparkline([0.5, 0.01]))[0][1]


def test_the_ends_of_the_scale_are_inside_the_picture():
    height = float(ElementTree.fromstring(sparkline([0.0, 1.0])).get("height"))
    assert all(0 < up < height for _, up in points(sparkline([0.0, 1.0])))


def test_it_is_read_out_as_its_scores():
    svg = ElementTree.fromstring(sparkline([0.2, 0.413]))
    assert svg.get("role") == "img"
    assert svg.get("aria-label") == svg.findtext("title") == "Last 2 scores: 20.0\xa0%, 41.3\xa0%"


def test_it_carries_no_style_of_its_own():
    assert "style" not in sparkline([0.1, 0.2])


def test_fewer_than_two_scores_are_no_trend():
    assert sparkline([]) == sparkline([0.5]) == ""
