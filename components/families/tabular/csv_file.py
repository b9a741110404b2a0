"""Reads a CSV file: a header, then a record on each line."""

import csv
import hashlib
from collections import Counter
from collections.abc import Iterator

from components.families.tabular.data import DataSettings, positions
from components.families.tabular.row import content_of
from components.source import Entry, RawRecord, problem_of_split
from components.storage import places
from components.storage.files import Folder
from contract.errors import DataError

BYTE_ORDER_MARK = b"\xef\xbb\xbf"  # spreadsheets begin a file with it


def _lines(folder: Folder, name: str) -> Iterator[tuple[int, bytes]]:
    """Yields the lines that are not blank, each with its number from 1."""
    try:
        with folder.open(name) as file:
            for number, line in enumerate(file, start=1):
                text = line.removeprefix(BYTE_ORDER_MARK) if number == 1 else line
                if text.strip():
                    yield number, text.rstrip(b"\r\n")
    except OSError as error:
        raise DataError(
            f"Ingestion expected a CSV file at {folder.place(name)}, and it cannot be read: "
            f"{error.strerror or error}. Change data.path in the pipeline's configuration, or let whoever runs Slipway "
            "read it; then clear `ingest`."
        ) from error


def _cells(line: bytes) -> list[str]:
    r"""Returns the cells of one line; bytes that are not UTF-8 are written as `\xff`, a backslash as two.

    Each line is read by itself: a quote that nobody closed spoils its own line, and swallows no other.

    Raises:
        csv.Error: If the line cannot be read.
    """
    (cells,) = csv.reader([line.replace(b"\\", b"\\\\").decode("utf-8", "backslashreplace")], strict=True)
    return cells


class _Ids:
    """Gives each record an id that no other has.

    Args:
        named: Whether the file has a column of ids.
    """

    def __init__(self, named: bool) -> None:
        self._named, self._seen = named, Counter[str]()

    def of(self, cell: str, content: bytes, label: str) -> tuple[str, str]:
        """Returns the id of a record, and what is wrong with it, where something is."""
        if self._named:
            self._seen[cell] += 1
            if not cell:
                return cell, "expected an id, got nothing"
            repeated = self._seen[cell] > 1
            return cell, f"expected an id that no line above has, got {cell!r}" if repeated else ""
        made = f"row-{hashlib.sha256(content + label.encode()).hexdigest()[:16]}"
        self._seen[made] += 1
        return made if self._seen[made] == 1 else f"{made}-{self._seen[made]}", ""


def csv_file(settings: DataSettings) -> Iterator[RawRecord]:
    """Yields a record for each line after the header.

    A line that cannot be a record has the id `line-<number>`, its bytes as content, and says what is wrong with it.

    Raises:
        DataError: If the file cannot be read, or its header lacks a column.
    """
    folder, name = places.file(settings.path)
    path, lines = folder.place(name), _lines(folder, name)
    header = _header(path, lines)
    columns = positions(header, settings.columns, path)
    (label_place,) = positions(header, [settings.label_column], path)
    id_places = positions(header, filter(None, [settings.id_column]), path)
    split_places = positions(header, filter(None, [settings.split_column]), path)
    weight_places = positions(header, filter(None, [settings.weight_column]), path)
    ids = _Ids(bool(id_places))
    for number, line in lines:
        try:
            cells = _cells(line)
        except csv.Error as error:
            yield RawRecord(f"line-{number}", line, "", f"expected a line of CSV, got {error}")
            continue
        if len(cells) != len(header):
            wrong = f"expected {len(header)} fields, as the header has, got {len(cells)}"
            yield RawRecord(f"line-{number}", line, "", wrong)
            continue
        content, label = content_of([cells[place] for place in columns]), cells[label_place].strip()
        cell = "".join(cells[place].strip() for place in id_places)
        record_id, problem = ids.of(cell, content, label)
        split = "".join(cells[place].strip() for place in split_places)
        if problem := problem or problem_of_split(split):
            yield RawRecord(f"line-{number}", line, label, problem)
        else:
            weight = cells[weight_places[0]].strip() if weight_places else None
            yield RawRecord(record_id, content, label, split=split, weight=weight)


def listed(settings: DataSettings) -> Iterator[Entry]:
    """Yields the state of the file."""
    folder, name = places.file(settings.path)
    return folder.entries([name])


def _header(path: str, lines: Iterator[tuple[int, bytes]]) -> list[str]:
    number, line = next(lines, (0, b""))
    if not number:
        raise DataError(
            f"Ingestion expected a header and records in {path}, and the file is empty. Change data.path."
        )
    try:
        return [cell.strip() for cell in _cells(line)]
    except csv.Error as error:
        raise DataError(
            f"Expected a header of CSV on line {number} of {path}, got {error}. Save it as UTF-8."
        ) from error
