"""A file as numbered records, or one clear sentence."""

import gzip
import io
import os
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from customers.import_export.csv_files.file import Lines, RefusedError, header_line, open_csv, records
from customers.import_export.csv_files.file import text_of as text_of_bytes
from tests.customers.import_export.csv_files.texts import text_of


def records_of(text, delimiter=","):
    return list(records(Lines(io.StringIO(text, newline="")), delimiter))


def read_all(path):
    with open_csv(path) as text:
        return list(records(Lines(text), ","))


class TestRecords:
    @pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
    def test_lines_may_end_as_on_any_system(self, line_end, tmp_path):
        path = tmp_path / "a.csv"
        path.write_bytes(line_end.join(["a,b", "1,2", "3,4"]).encode())
        assert read_all(path) == [(1, ["a", "b"]), (2, ["1", "2"]), (3, ["3", "4"])]

    def test_a_byte_order_mark_is_no_part_of_the_first_cell(self, tmp_path):
        path = tmp_path / "a.csv"
        path.write_bytes(b"\xef\xbb\xbfa,b\n")
        assert read_all(path) == [(1, ["a", "b"])]

    def test_a_quoted_cell_may_hold_delimiters_quotes_and_line_breaks(self):
        assert records_of('1,"a, ""b""\nc",2\n') == [(1, ["1", 'a, "b"\nc', "2"])]

    def test_a_record_is_numbered_by_the_line_on_which_it_begins(self):
        assert [number for number, _ in records_of('1,"a\nb\nc"\n2,d\n\n3,e')] == [1, 4, 6]

    def test_blank_rows_are_passed_over(self):
        assert records_of("\n  \n,,\n; , \n1,2\n\n") == [(4, ["; ", ""]), (5, ["1", "2"])]

    def test_spaces_around_quotes_are_padding(self):
        text = '1,2,3,4\n1 , "a, b" ,"c"  , 2\n'
        assert records_of(text) == [(1, ["1", "2", "3", "4"]), (2, ["1 ", "a, b", "c", "2"])]

    def test_an_empty_cell_behind_a_padded_quote_stays(self):
        assert records_of('"a" \t\t2\n', delimiter="\t") == [(1, ["a", "", "2"])]

    def test_quotes_that_do_not_match_make_one_cell_of_that_row_alone(self):
        assert records_of('1,"a"b,2\n3,4,5\n') == [(1, ['1,"a"b,2']), (2, ["3", "4", "5"])]

    def test_a_quote_that_is_never_closed_refuses_the_file(self):
        with pytest.raises(RefusedError, match=r'^Row 2 opens a quote \("\) that is never closed'):
            records_of('1,2\n3,"4\n' + "5,6\n" * 10)

    def test_a_quote_that_would_swallow_a_long_file_refuses_it(self):
        with pytest.raises(RefusedError, match=r"^Row 1 opens a quote"):
            records_of('1,"2\n' + "5,6\n" * 100_000 + '"')

    @given(st.lists(st.lists(st.text(st.characters(codec="utf-8")), min_size=2, max_size=4), max_size=5))
    def test_what_a_csv_writer_wrote_is_read_back(self, table):
        # Leading spaces are padding, and a row of nothing is passed over.
        expected = [[cell.lstrip(" ") for cell in cells] for cells in table]
        text = text_of([[cell.lstrip(" ") for cell in cells] for cells in table], line_end="\r\n")
        assert [cells for _, cells in records_of(text)] == [cells for cells in expected if "".join(cells).strip()]


class TestPacked:
    TEXT = "a,b\n" + "".join(f"{n},{n * n}\n" for n in range(5000))

    @pytest.mark.parametrize("name", ["a.csv.gz", "named_otherwise.csv"])
    def test_a_gzip_archive_is_read_as_what_it_holds_whatever_its_name(self, name, tmp_path):
        path = tmp_path / name
        path.write_bytes(gzip.compress(self.TEXT.encode()))
        assert read_all(path) == records_of(self.TEXT)

    def test_its_text_can_be_read_a_second_time(self, tmp_path):
        path = tmp_path / "a.csv.gz"
        path.write_bytes(gzip.compress(b"\xef\xbb\xbf" + self.TEXT.encode()))
        with open_csv(path) as text:
            first = list(text)
            text.seek(0)
            assert list(text) == first == self.TEXT.splitlines(keepends=True)

    @pytest.mark.parametrize(
        "harm",
        [
            lambda packed: packed[: len(packed) // 2],
            lambda packed: packed[:-4],
            lambda packed: packed[:5],
            lambda packed: packed[:-8] + bytes(8),
            lambda packed: packed[:100] + bytes(50) + packed[150:],
            lambda packed: packed + b"more",
        ],
        ids=["half of it", "no length", "no head", "another checksum", "zeros inside", "more behind it"],
    )
    def test_a_damaged_one_is_named(self, harm, tmp_path):
        path = tmp_path / "a.csv.gz"
        path.write_bytes(harm(gzip.compress(self.TEXT.encode())))
        with pytest.raises(RefusedError, match=r"a\.csv\.gz is a damaged or incomplete gzip archive; fetch it again"):
            read_all(path)

    def test_it_is_unpacked_no_further_than_the_limit(self):
        bomb = io.BytesIO(gzip.compress(bytes(10_000_000).replace(b"\0", b"a")))
        text = text_of_bytes(bomb, "a.csv.gz", most=1_000_000)
        with pytest.raises(RefusedError, match=r"^a\.csv\.gz has more than 1 MB when it is unpacked"):
            text.read()
        assert bomb.tell() < 100_000

    def test_what_a_pipe_holds_is_read_twice(self, tmp_path):
        pipe = tmp_path / "pipe"
        os.mkfifo(pipe)
        threading.Thread(target=pipe.write_text, args=(self.TEXT,)).start()
        with open_csv(pipe) as text:
            first = text.read()
            text.seek(0)
            assert text.read() == first == self.TEXT


class TestHeaderLine:
    def test_blank_lines_and_the_line_of_excel_come_before_it(self):
        assert header_line(Lines(iter(["\n", "sep=;\n", "a;b\n"]))) == "a;b\n"

    def test_a_file_of_blank_lines_has_none(self):
        with pytest.raises(RefusedError, match="nothing but blank lines"):
            header_line(Lines(iter(["\n", " \n"])))


class TestRefusals:
    @pytest.mark.parametrize(
        ("content", "reason"),
        [
            (b"", "is empty"),
            (b"PK\x03\x04rest", "is an Excel workbook or a zip archive, not a CSV"),
            (b"\xd0\xcf\x11\xe0rest", "is an old Excel workbook, not a CSV"),
            (b"PK\x05\x06rest", "unpack the archive"),
            (b"BZh9rest", "is a bzip2 archive, not a CSV; unpack it first"),
            (b"\xfd7zXZ\0rest", "is an xz archive, not a CSV; unpack it first"),
            (b"PAR1rest", "is a Parquet file, not a CSV; save it as CSV"),
            (b"a" * 257 + b"ustar", "is a tar archive, not a CSV; unpack it first"),
            (
                gzip.compress(gzip.compress(b"a,b", mtime=0), mtime=0),
                "is a gzip archive in another one, not a CSV; unpack it once",
            ),
            (gzip.compress(b"PK\x03\x04rest", mtime=0), "is an Excel workbook or a zip archive"),
            (gzip.compress(b"", mtime=0), "is empty"),
            ("\ufeffa,b".encode("utf-16-le"), "is UTF-16 text"),
            ("a,b".encode("utf-16-be"), "looks like UTF-16"),
            ("a,b".encode("utf-16-le"), "looks like UTF-16"),
        ],
    )
    def test_something_else_than_a_csv_is_named(self, content, reason, tmp_path):
        path = tmp_path / "a.csv"
        path.write_bytes(content)
        with pytest.raises(RefusedError, match=reason):
            read_all(path)

    def test_a_missing_file(self, tmp_path):
        with pytest.raises(RefusedError, match=r"^There is no file .*nowhere\.csv\.$"):
            read_all(tmp_path / "nowhere.csv")

    def test_a_directory(self, tmp_path):
        with pytest.raises(RefusedError, match="is a directory"):
            read_all(tmp_path)

    def test_a_path_through_a_file(self, tmp_path):
        (tmp_path / "file").touch()
        with pytest.raises(RefusedError, match="cannot be read: Not a directory"):
            read_all(tmp_path / "file" / "a.csv")

    @pytest.mark.parametrize("line_end", ["\n", "\r\n"])
    def test_text_that_is_not_utf8_with_its_line_and_likely_encoding(self, line_end, tmp_path):
        path = tmp_path / "a.csv"
        path.write_bytes(line_end.join(["a,b"] * 5000 + ["M\xfcller,2", "c,d"]).encode("cp1252"))
        with pytest.raises(RefusedError, match=r"^Line 5001 is not UTF-8; it looks like Windows-1252 \(cp1252"):
            read_all(path)

    def test_text_in_an_encoding_that_can_not_be_guessed(self, tmp_path):
        path = tmp_path / "a.csv"
        path.write_bytes(b"a,b\n\x81\x8d,2\n")
        with pytest.raises(RefusedError, match="Line 2 is not UTF-8; its encoding could not be guessed"):
            read_all(path)
