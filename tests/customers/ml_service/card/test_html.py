"""Sections as a page to print."""

from html.parser import HTMLParser

from customers.ml_service.card import Gallery, Picture, Section, Table, page, sections
from tests.customers.ml_service.forests import diagnosis

HOSTILE = '<script>alert("1")</script> & co'


class Tags(HTMLParser):
    def __init__(self):
        super().__init__()
        self.open, self.seen = [], []

    def handle_starttag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def tags_of(text):
    parser = Tags()
    parser.feed(text)
    assert parser.open == []
    return parser.seen


def test_words_are_only_words():
    blocks = [HOSTILE, Table((HOSTILE,), [(HOSTILE,)])]
    text = page(HOSTILE, [Section(HOSTILE, blocks)])
    assert "<script" not in text
    assert text.count("&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt; &amp; co") == 6
    tags_of(text)


def test_a_card_is_whole_as_a_page_and_loads_nothing():
    text = page("Card", sections({"diagnostics": diagnosis(), "n_trees": 3}))
    seen = tags_of(text)
    assert sum(tag == "svg" for tag, _ in seen) == 2 + 9
    assert not [tag for tag, attributes in seen if {"src", "href", "style"} & attributes.keys()]


def test_pictures_stand_in_the_page():
    gallery = Gallery([Picture("one", "One", "<svg></svg>"), Picture("two", "Two", "<svg></svg>")])
    assert page("T", [Section("S", [gallery])]).count("<figure><svg></svg></figure>") == 2
