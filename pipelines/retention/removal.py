"""Takes a record out of every span, wherever its very bytes are, and says which versions have learned from them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from components import plugins
from components.families.interface import Sources
from components.ingestion import harvest, reading
from components.ingestion.harvest import Harvest
from components.ingestion.parts import Part
from components.source import RawRecord
from components.storage import places
from components.storage.files import spelled
from contract import inbox
from contract.errors import DataError, SettingsError
from contract.inbox import Span
from contract.run_folder import RUN, RunFolder
from contract.state import StateFolder
from pipelines.definition.config import PipelineConfig
from pipelines.runs import spans
from serving.registry.registry import Registry

FILES = "image_folder"  # the source whose records are files of their own


@dataclass(frozen=True)
class Found:
    """Where the bytes of a record are.

    Attributes:
        parts: The spans that hold them, as they are now.
        ids: Of all records with these bytes.
        seen_by: Versions whose run has learned from one of these spans as it is.
        unknown: Versions of which that cannot be told: such a span was another one then, or the run's folder is gone.
    """

    parts: tuple[Part, ...]
    ids: tuple[str, ...]
    seen_by: tuple[int, ...]
    unknown: tuple[int, ...]


def find(config: PipelineConfig, record_id: str, registry: Registry) -> Found:
    """Finds a record; all spans are read for its bytes.

    Args:
        config: Of a pipeline with spans.
        record_id: As reports and examples have it: `<date>/<id in the span>`.
        registry: Of the versions.

    Raises:
        DataError: If there is no such record.
    """
    every = _spans(config)
    span, _, name = record_id.partition("/")
    if span not in every:
        raise DataError(
            f"Expected the id of a record, <date>/<its place in the span>, of a span in {spans.inbox_of(config)}, got "
            f"{record_id!r}."
        )
    wanted = next((each.content_hash for each in _records(config, every[span]) if each.id == name), None)
    if wanted is None:
        raise DataError(f"Expected a record {name!r} in {every[span].path}, and there is none.")
    ids: dict[str, list[str]] = {}
    for date, each in every.items():
        for record in _records(config, each):
            if record.content_hash == wanted:
                ids.setdefault(date, []).append(record.id)
    seen = spans.Seen(_pipeline_dir(config), config)
    parts = tuple(seen.part(date, str(_place(config, every[date]))) for date in ids)
    seen_by, unknown = _versions(config.name, parts, registry)
    return Found(parts, tuple(f"{date}/{name}" for date in ids for name in ids[date]), seen_by, unknown)


def remove(config: PipelineConfig, record_id: str, found: Found) -> None:
    """Deletes the files of a record, the one that it was asked for by last: stopped halfway, it can be asked again.

    What ingestion has kept of those spans goes too; the next run reads them anew.

    Raises:
        SettingsError: If records of the source are no files of their own.
    """
    if config.source.source != FILES:
        raise SettingsError(
            f"Expected a source whose records are files, {FILES}, got {config.source.source}: take the record out of "
            f"the source by hand. It is there as {', '.join(found.ids)}."
        )
    every = _spans(config)
    for part in found.parts:
        for kept in (_pipeline_dir(config) / "spans").glob(f"{part.span}-*"):
            harvest.drop(Harvest(kept))
    for each in sorted(found.ids, key=lambda name: name == record_id):
        span, _, name = each.partition("/")
        _file(config, every[span], name).unlink(missing_ok=True)


def _spans(config: PipelineConfig) -> Mapping[str, Span]:
    settings = config.source.spans
    if settings is None:
        raise SettingsError(
            f"Expected a pipeline whose data arrives day by day, got {config.name}: it has no data.spans."
        )
    found = inbox.look(spans.inbox_of(config), settings.complete, settings.settle_s, 0.0)
    return {str(span): span for span in sorted([*found.complete, *found.waiting])}


def _pipeline_dir(config: PipelineConfig) -> Path:
    return StateFolder.from_environment().pipelines / config.name


def _place(config: PipelineConfig, span: Span) -> Path:
    return span.path / config.source.path


def _records(config: PipelineConfig, span: Span) -> Iterator[RawRecord]:
    sources = plugins.load(config.family_module("sources"), Sources)
    settings = config.source.model_copy(update={"path": str(_place(config, span)), "spans": None})
    return reading.read(sources, settings)


def _file(config: PipelineConfig, span: Span, name: str) -> Path:
    """Returns the file of a record: its id spells out what is no text."""
    folder = places.folder(str(_place(config, span)))
    return Path(folder.place(next(each for each in folder.names() if spelled(each) == name)))


def _versions(
    name: str, parts: tuple[Part, ...], registry: Registry
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    digests = {part.span: part.digest for part in parts}
    seen_by, unknown = [], []
    for version in registry.versions(name):
        run_id = version.tags.get("slipway.run_id", "")
        data = RunFolder.here(name, run_id).read(RUN).get("data") if run_id else None
        of_these = [part for part in data or () if part["span"] in digests]
        if any(part["digest"] == digests[part["span"]] for part in of_these):
            seen_by.append(int(version.version))
        elif data is None or of_these:
            unknown.append(int(version.version))
    return tuple(sorted(seen_by)), tuple(sorted(unknown))
