"""Runs Beam pipelines, and takes what they found from their workers."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import apache_beam as beam

from components.ingestion.transforms.elements import PACKED
from contract import files

FAILURE = "failure"


class Note(beam.DoFn):
    """Writes what was found into one file, for whoever has started the workers.

    Args:
        path: Of the file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def process(self, element: tuple[None, Iterable[bytes]]) -> None:
        """Writes all at once."""
        files.write(self.path, PACKED.encode(list(element[1])))


@contextmanager
def running(like: beam.Pipeline, notes: Path) -> Iterator[beam.Pipeline]:
    """Yields a pipeline, and runs it to its end.

    Args:
        like: Its runner and its options.
        notes: Folder that all workers reach.

    Raises:
        SlipwayError: What a worker has left there: see `FAILURE`.
    """
    try:
        with beam.Pipeline(runner=like.runner, options=like.options) as pipeline:
            yield pipeline
    except Exception as error:
        if stop := next((each for each in _chain(error) if not isinstance(each, Exception)), None):
            raise stop from None  # Beam makes an error of what asks this process to stop
        raise
    failure = notes / FAILURE
    if failure.exists():
        raise PACKED.decode(failure.read_bytes())


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def note(found: beam.PCollection, path: Path) -> None:
    """Has the elements, packed each, written to a file: see `noted`."""
    together = found | "One" >> beam.Map(lambda each: (None, each)) | "Together" >> beam.GroupByKey()
    together | "Note" >> beam.ParDo(Note(path))


def noted(path: Path) -> list[Any]:
    """Returns what `note` has had written, in no order; nothing where there were no elements."""
    return [PACKED.decode(each) for each in PACKED.decode(path.read_bytes())] if path.exists() else []
