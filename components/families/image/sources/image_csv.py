"""A table that names a file and its label on each line."""

import csv
from collections.abc import Iterator
from pathlib import Path

from components.families.image.data import DataSettings
from components.families.image.sources.files import problem_of, record_of, spelled, unreadable
from components.source import RawRecord
from contract.errors import DataError


def image_csv(settings: DataSettings) -> Iterator[RawRecord]:
    """Yields the file of each line of a CSV with a header; paths start at the folder of the table.

    A line that names no file of its own has the id `line-<number>`, and says what is wrong with it.

    Raises:
        DataError: If the table or a file cannot be read, or its header lacks a column.
    """
    table = Path(settings.path)
    if not table.is_file():
        raise DataError(
            f"Expected a table of files and labels at {table}, and there is none. Change data.path."
        )
    lines = _lines(table)
    _, header = next(lines, (0, []))
    wanted = (settings.path_column, settings.label_column)
    if missing := [name for name in wanted if header.count(name) != 1]:
        raise DataError(
            f"Expected one column {missing[0]!r} in the header of {table}, got {', '.join(header) or 'no header'}. "
            "Change data.path_column and data.label_column, or the table."
        )
    places, seen = [header.index(name) for name in wanted], set[str]()
    for number, cells in lines:
        if len(cells) != len(header):
            wrong = f"expected {len(header)} fields, as the header has, got {len(cells)}"
        else:
            cell, label = (cells[place] for place in places)
            name = Path(cell).as_posix()
            wrong = _wrong_with(table.parent / name, cell, name in seen)
            seen.add(name)
        if wrong:
            yield RawRecord(f"line-{number}", spelled(",".join(cells)).encode(), "", wrong)
        else:
            path = table.parent / name
            yield record_of(path, table.parent, label, problem_of(path, table.parent))


def _wrong_with(path: Path, cell: str, again: bool) -> str:
    if not cell:
        return "expected the path of a file, got nothing"
    if again:
        return f"expected each file once, got {spelled(cell)} on a line above too"
    if Path(cell).is_absolute():
        return f"expected a path that starts at the table's folder, got {spelled(cell)}"
    try:
        missing = not path.exists() and not path.is_symlink()
    except OSError as error:  # a name that no file can have
        return f"expected the path of a file, got {spelled(cell)[:100]}: {error.strerror}"
    return f"expected the file {spelled(cell)} beside the table, and there is none" if missing else ""


def _lines(table: Path) -> Iterator[tuple[int, list[str]]]:
    """Yields the cells of each line that is not blank, with its number from 1.

    Each line is read by itself: a quote that nobody closed spoils its own line, and swallows no other.
    """
    try:
        with table.open(encoding="utf-8-sig", errors="surrogateescape") as file:
            for number, line in enumerate(file, start=1):
                if line.strip():
                    yield number, _cells(line)
    except OSError as error:
        raise unreadable(table, error) from error


def _cells(line: str) -> list[str]:
    try:
        return [cell.strip() for cell in next(csv.reader([line], strict=True))]
    except csv.Error:
        return []  # too few of them
