from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from albumgen_core.attributes.fields import AUDIO_FEATURES
from albumgen_core.dataset.folder import read_folder
from albumgen_core.dataset.records import AlbumRecord, Dataset
from albumgen_core.errors import DatasetError
from tests.albumgen_core.retrieval.helpers import a_row, write_csv


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("covers")
    for name in ("a.jpg", "b.jpg"):
        Image.new("RGB", (8, 8)).save(directory / name)
    return directory


def read(folder: Path, *rows: dict[str, str], delimiter: str = ",") -> Dataset:
    return read_folder(folder, write_csv(folder / "table.csv", rows, delimiter))


def only(folder: Path, **changes: str) -> AlbumRecord:
    dataset = read(folder, a_row("a.jpg") | changes)
    assert dataset.problems == []
    return dataset.records[0]


def refused(folder: Path, **changes: str) -> str:
    dataset = read(folder, a_row("a.jpg") | changes)
    assert len(dataset) == 0
    return str(dataset.problems[0])


def test_titles_are_taken_as_written(folder: Path) -> None:
    for title in ("?", "17", "None", "NaN", 'Say "Yes", twice', "-", "1989"):
        record = only(folder, album=title, artist=title)
        assert record.album.title == record.album.artist == title


def test_words_for_missing_are_unknown(folder: Path) -> None:
    for word in ("", "-", "Missing", "nan", "None"):
        record = only(folder, genre=word, year=word, key=word, mode=word, time_signature=word, tempo=word)
        measured = record.album.attributes
        assert (record.album.year, measured.album_genre, measured.raw_genre) == (None, None, None)
        assert (measured.key, measured.mode, measured.time_signature, measured.tempo) == (None,) * 4


@pytest.mark.parametrize(
    ("written", "year"),
    [
        ("2007", 2007),
        ("2007.0", 2007),
        ("1967-03", 1967),
        ("1967-03-10", 1967),
        ("0000", None),
        ("old", None),
    ],
)
def test_years(folder: Path, written: str, year: int | None) -> None:
    assert only(folder, year=written).album.year == year


@pytest.mark.parametrize(
    ("key", "mode", "expected"),
    [("0", "1", ("C", "major")), ("11.0", "0", ("B", "minor")), ("f#", "Minor", ("F#", "minor")),
     ("-1", "2", (None, None)), ("5.25", "", (None, None)), ("12", "x", (None, None))],
)  # fmt: skip
def test_keys_and_modes(folder: Path, key: str, mode: str, expected: tuple[str | None, str | None]) -> None:
    measured = only(folder, key=key, mode=mode).album.attributes
    assert (measured.key, measured.mode) == expected


def test_loudness_in_decibels_becomes_the_unit_scale(folder: Path) -> None:
    rows = [a_row("a.jpg", loudness="-12"), a_row("b.jpg", loudness="3.44")]
    loudness = [record.album.attributes.loudness for record in read(folder, *rows)]
    assert loudness == [pytest.approx(0.8), 1.0]


def test_loudness_that_is_on_the_unit_scale_stays(folder: Path) -> None:
    rows = [a_row("a.jpg", loudness="0.8"), a_row("b.jpg", loudness="0.0")]
    assert [record.album.attributes.loudness for record in read(folder, *rows)] == [0.8, 0.0]


def test_one_wrong_value_does_not_turn_a_column_into_decibels(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rows = [a_row("a.jpg", loudness="0.3"), a_row("b.jpg", loudness="1.017")]
    dataset = read(folder, *rows)
    assert [record.album.attributes.loudness for record in dataset] == [0.3]
    assert [problem.reason for problem in dataset.problems] == ["loudness is 1.017, outside 0 to 1"]
    assert "loudness is read as 0 to 1, as 1 of 2 values are" in caplog.text


@pytest.mark.parametrize(
    ("column", "value", "reason"),
    [
        ("tempo", "1e308", "tempo is 1e+308 BPM, outside 10 to 500 BPM"),
        ("loudness", "-400", "loudness is -400 dB, outside -70 to 10 dB"),
        ("year", "99999", "year is 99999, outside 1860 to 2100"),
        ("year", "1400", "year is 1400, outside 1860 to 2100"),
    ],
)
def test_values_beyond_all_reason_leave_the_row_out(
    folder: Path, column: str, value: str, reason: str
) -> None:
    assert refused(folder, **{column: value}) == f"table.csv line 2: {reason}"


@pytest.mark.parametrize("value", ["", "-", "nan", "-1", "1.2", "inf", "much"])
def test_an_attribute_that_is_no_share_leaves_the_row_out(folder: Path, value: str) -> None:
    assert refused(folder, energy=value).startswith("table.csv line 2: energy is ")


@pytest.mark.parametrize(
    "name", ["../a.jpg", "/etc/hostname", "sub/../../a.jpg", "", "a\0.jpg", "x" * 5000, "..\\a.jpg"]
)
def test_a_cover_outside_the_folder_is_refused(folder: Path, name: str) -> None:
    assert "file" in refused(folder, file=name)


def test_the_same_album_twice_is_told(folder: Path) -> None:
    dataset = read(folder, a_row("a.jpg", album_id="x"), a_row("b.jpg", album_id="x"))
    assert [str(p) for p in dataset.problems] == ["table.csv line 3: album_id 'x' appears twice"]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_delimiters(folder: Path, delimiter: str) -> None:
    assert len(read(folder, a_row("a.jpg"), a_row("b.jpg"), delimiter=delimiter)) == 2


def test_byte_order_mark_capitals_blank_lines_and_crlf(folder: Path) -> None:
    text = write_csv(folder / "table.csv", [a_row("a.jpg")]).read_text(encoding="utf-8")
    header, line = text.splitlines()
    (folder / "table.csv").write_bytes(b"\xef\xbb\xbf" + f"{header.upper()}\r\n\r\n{line}\r\n\r\n".encode())
    assert len(read_folder(folder, folder / "table.csv")) == 1


def test_tables_that_cannot_be_read(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"holds no manifest.csv, albums.csv or metadata.csv"):
        read_folder(tmp_path)
    with pytest.raises(DatasetError, match="cannot be read"):
        read_folder(folder, folder / "gone.csv")
    table = tmp_path / "t.csv"
    for content, message in (
        (b"", "lacks the columns file, artist"),
        (b"file,artist,album\n", "lacks the columns acousticness"),
        (b"\xff\xfe\x00", "not UTF-8"),
        (",".join(["file", "artist", "album", *AUDIO_FEATURES, "genre", "Genre"]).encode(), "genre twice"),
    ):
        table.write_bytes(content)
        with pytest.raises(DatasetError, match=message):
            read_folder(folder, table)


COLUMNS = ("artist", "album", "genre", "year", "key", "energy", "tempo", "tracks", "loudness", "file", "mode")
cells = st.dictionaries(st.sampled_from(COLUMNS), st.text(max_size=12), max_size=6)


@settings(max_examples=60)
@given(st.lists(cells, max_size=4))
def test_no_cell_can_break_the_reader(folder: Path, changes: list[dict[str, str]]) -> None:
    blank = {"key": "", "mode": "", "tracks": ""}
    rows = [a_row("a.jpg", album_id=str(n)) | blank | change for n, change in enumerate(changes)]
    rows.append(a_row("b.jpg", album_id="last") | blank)
    buffer = io.StringIO(newline="")
    writer = csv.DictWriter(buffer, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    (folder / "h.csv").write_bytes(buffer.getvalue().encode("utf-8", "replace"))
    dataset = read_folder(folder, folder / "h.csv")
    assert len(dataset) + len(dataset.problems) == len(rows)
    for record in dataset:
        assert all(0 <= value <= 1 for value in record.album.attributes.features())
    assert dataset.records[-1].album.album_id == "last"


@settings(max_examples=60)
@given(st.binary(max_size=300))
def test_no_file_can_break_the_reader(folder: Path, junk: bytes) -> None:
    header = ",".join(a_row("a.jpg")).encode()
    (folder / "j.csv").write_bytes(header + b"\n" + junk)
    try:
        dataset = read_folder(folder, folder / "j.csv")
    except DatasetError:
        return
    assert all(record.cover is not None for record in dataset)
