"""Bodies whose length is told, and bodies that come in chunks."""

from io import BytesIO

import pytest
from django.http import UnreadablePostError
from django.test import RequestFactory

from customers.api.json_body import MOST_BYTES, BodyError, json_object


class Broken:
    """Chunks that end in the middle, as each server has its own error for."""

    def read(self, size):
        raise OSError("closed")


def in_chunks(body, **environ):
    request = RequestFactory().post("/", content_type="application/json")
    del request.META["CONTENT_LENGTH"]
    stream = BytesIO(body) if isinstance(body, bytes) else body
    request.META |= {
        "HTTP_TRANSFER_ENCODING": "chunked",
        "wsgi.input": stream,
        "wsgi.input_terminated": True,
        **environ,
    }
    return request


def refused(request):
    with pytest.raises(BodyError) as caught:
        json_object(request)
    return caught.value.status, str(caught.value)


def test_chunks_are_read_to_their_end():
    assert json_object(in_chunks(b'{"customer_id": 7}')) == {"customer_id": 7}


@pytest.mark.parametrize(
    ("written", "number"),
    [
        ("7.0", 7),
        ("1.25e2", 125),
        ("9007199254740993.0", 9007199254740993),  # which no float is
        ("1e999999999", float("inf")),
        ("-1e19", -1e19),
    ],
)
def test_a_whole_number_is_one_however_it_is_written(written, number):
    found = json_object(in_chunks(b'{"customer_id": %s}' % written.encode()))["customer_id"]
    assert (type(found), found) == (type(number), number)


def test_any_other_number_is_the_nearest_float():
    assert json_object(in_chunks(b'{"balance": 0.1}')) == {"balance": 0.1}


def test_of_a_body_that_does_not_end_no_more_is_read_than_says_that_it_is_too_long():
    request = in_chunks(b" " * (10 * MOST_BYTES))
    assert refused(request) == (413, f"The body is longer than {MOST_BYTES} bytes.")
    assert request.META["wsgi.input"].tell() == MOST_BYTES + 1


def test_a_body_as_long_as_is_allowed_is_read():
    assert json_object(in_chunks(b"{}".ljust(MOST_BYTES))) == {}


def test_a_server_that_does_not_put_chunks_together_asks_for_the_length():
    assert refused(in_chunks(b"{}", **{"wsgi.input_terminated": False}))[0] == 411


def test_chunks_that_end_in_the_middle_are_refused():
    assert refused(in_chunks(Broken())) == (400, "The chunks of the body cannot be read.")


def test_so_is_a_body_that_ends_before_its_length(monkeypatch):
    def end(self):
        raise UnreadablePostError("closed")

    request = RequestFactory().post("/", {}, content_type="application/json")
    monkeypatch.setattr(type(request), "body", property(end))
    assert refused(request) == (400, "The body ended early.")
