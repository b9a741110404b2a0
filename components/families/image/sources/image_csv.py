"""A table that names a file and its label on each line."""

import csv
import io
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import PurePosixPath
from typing import NamedTuple

from components.families.image.data import DataSettings
from components.source import Entry, RawRecord, Slice, cut, problem_of_split
from components.storage import places
from components.storage.files import IN_A_SLICE, File, Folder, spelled, unreadable
from contract.errors import DataError


class _Line(NamedTuple):
    number: int
    cells: list[str]
    name: str = ""
    label: str = ""
    split: str = ""
    weight: str | None = None
    wrong: str = ""


def image_csv(settings: DataSettings, lines: Sequence[_Line]) -> Iterator[RawRecord]:
    """Yields the file of each of some lines of a CSV with a header; paths start at the folder of the table.

    A line that names no file of its own has the id `line-<number>`, and says what is wrong with it.

    Raises:
        DataError: If a file cannot be read.
    """
    folder, _ = places.file(settings.path)
    files = folder.read(line.name for line in lines if not line.wrong)
    for line in lines:
        yield _unusable(line) if line.wrong else _record(next(files), line)


def slices(settings: DataSettings) -> Iterator[Slice]:
    """Yields all of those lines, some at a time: the table is read here, once.

    Raises:
        DataError: If the table cannot be read, or its header lacks a column.
    """
    folder, table = places.file(settings.path)
    return cut(_lines(folder, table, settings), IN_A_SLICE)


def listed(settings: DataSettings) -> Iterator[Entry]:
    """Yields the state of the table, which alone is read, and of the files that it names.

    Raises:
        DataError: If the table cannot be read, or its header lacks a column.
    """
    folder, table = places.file(settings.path)
    named = (line.name for line in _lines(folder, table, settings) if not line.wrong)
    return folder.entries(chain([table], named))


def _record(file: File, line: _Line) -> RawRecord:
    label, weight = spelled(line.label), line.weight
    return RawRecord(spelled(file.name), file.content, label, file.problem, line.split, weight)


def _unusable(line: _Line) -> RawRecord:
    return RawRecord(f"line-{line.number}", spelled(",".join(line.cells)).encode(), "", line.wrong)


def _lines(folder: Folder, table: str, settings: DataSettings) -> Iterator[_Line]:
    """Yields what each line after the header says, or what is wrong with it."""
    rows = _rows(folder, table)
    _, header = next(rows, (0, []))
    optional = [settings.split_column, settings.weight_column]
    wanted = [settings.path_column, settings.label_column, *filter(None, optional)]
    if missing := [name for name in wanted if header.count(name) != 1]:
        raise DataError(
            f"Expected one column {missing[0]!r} in the header of {folder.place(table)}, got "
            f"{', '.join(header) or 'no header'}. Change data.path_column, data.label_column, data.split_column and "
            "data.weight_column, or the table."
        )
    place_of, seen = {name: header.index(name) for name in wanted}, set[str]()
    for number, cells in rows:
        if len(cells) != len(header):
            wrong = f"expected {len(header)} fields, as the header has, got {len(cells)}"
            yield _Line(number, cells, wrong=wrong)
            continue
        said = {column: cells[place] for column, place in place_of.items()}
        cell, split = said[settings.path_column], said.get(settings.split_column, "")
        name = PurePosixPath(cell).as_posix()
        wrong = _wrong_with(folder, name, cell, name in seen) or problem_of_split(spelled(split))
        weight = spelled(said[settings.weight_column]) if settings.weight_column else None
        yield _Line(number, cells, name, said[settings.label_column], split, weight, wrong)
        seen.add(name)


def _wrong_with(folder: Folder, name: str, cell: str, again: bool) -> str:
    if not cell:
        return "expected the path of a file, got nothing"
    if again:
        return f"expected each file once, got {spelled(cell)} on a line above too"
    if name.startswith("/"):
        return f"expected a path that starts at the table's folder, got {spelled(cell)}"
    try:
        missing = not folder.exists(name)
    except OSError as error:  # a name that no file can have
        return f"expected the path of a file, got {spelled(cell)[:100]}: {error.strerror}"
    return f"expected the file {spelled(cell)} beside the table, and there is none" if missing else ""


def _rows(folder: Folder, table: str) -> Iterator[tuple[int, list[str]]]:
    """Yields the cells of each line that is not blank, with its number from 1.

    Each line is read by itself: a quote that nobody closed spoils its own line, and swallows no other.
    """
    try:
        with io.TextIOWrapper(folder.open(table), encoding="utf-8-sig", errors="surrogateescape") as file:
            for number, line in enumerate(file, start=1):
                if line.strip():
                    yield number, _cells(line)
    except FileNotFoundError as error:
        raise DataError(
            f"Expected a table of files and labels at {folder.place(table)}, and there is none. Change data.path."
        ) from error
    except OSError as error:
        raise unreadable(folder.place(table), error) from error


def _cells(line: str) -> list[str]:
    try:
        return [cell.strip() for cell in next(csv.reader([line], strict=True))]
    except csv.Error:
        return []  # too few of them
