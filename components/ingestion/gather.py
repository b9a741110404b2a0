"""Reads parts of a source, and makes a harvest of each: a Beam pipeline, and another one for what is disputed."""

import shutil
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

import apache_beam as beam

from components.ingestion import harvest, quarantine, reading
from components.ingestion.harvest import Counts, Harvest
from components.ingestion.parts import Part
from components.ingestion.transforms.elements import PACKED, Chosen, Draft, Examined, Resolved
from components.ingestion.transforms.examine import (
    ASIDE,
    EXAMINED,
    SLICES,
    Examine,
    SetAside,
    check_unchanged,
)
from components.ingestion.transforms.resolve import Resolve
from components.ingestion.transforms.running import note, noted, running
from components.ingestion.usable import Usable

SLICES_IN_A_RANGE = 256  # whose rows one worker holds at a time: some ten thousand


def gather(usable: Usable, folders: Mapping[Part, Path], like: beam.Pipeline, scratch: Path) -> None:
    """Reads all records of parts; the harvest of each is in its folder then.

    Args:
        usable: The source, and how its records become examples.
        folders: By part.
        like: A pipeline whose runner and options are taken.
        scratch: Folder that all workers reach, and nobody else.

    Raises:
        DataError: If the records of a part are not those of its digest. The harvests before it are there all the same.
    """
    begun: dict[Part, Path] = {}
    try:
        for part, folder in folders.items():
            begun[part] = harvest.begin(folder).folder
            quarantine.prepare(begun[part] / ASIDE)
        drafts, chosen = _cut(usable, begun, scratch)
        found = _examined(usable, drafts, chosen, like, scratch)
        again = _set_aside(usable, drafts, chosen, found, like, scratch)
        for number, draft in enumerate(drafts):
            _seal(draft, [each for each in found + again if each.draft == number])
            harvest.finish(Harvest(draft.folder), folders[draft.part])
    finally:
        for draft_folder in begun.values():
            shutil.rmtree(draft_folder, ignore_errors=True)


def _cut(usable: Usable, begun: Mapping[Part, Path], scratch: Path) -> tuple[list[Draft], list[Chosen]]:
    """Writes down all slices: what workers are told stays small, however many names of files there are."""
    drafts, chosen = list[Draft](), list[Chosen]()
    with (scratch / SLICES).open("xb") as file:
        for number, (part, folder) in enumerate(begun.items()):
            before = len(chosen)
            for place, members in enumerate(usable.slices(part)):
                packed = PACKED.encode(members)
                chosen.append(Chosen(number, place, file.tell(), len(packed)))
                file.write(packed)
            drafts.append(Draft(part, folder, 1 + (len(chosen) - before) // SLICES_IN_A_RANGE))
    return drafts, chosen


def _examined(
    usable: Usable, drafts: Sequence[Draft], chosen: Sequence[Chosen], like: beam.Pipeline, scratch: Path
) -> list[Examined | Resolved]:
    path = scratch / "examined"
    with running(like, scratch) as pipeline:
        slices = pipeline | "Slices" >> beam.Create([tuple(each) for each in chosen])
        examine = beam.ParDo(Examine(usable, drafts, scratch)).with_outputs(EXAMINED, main="rows")
        examined = slices | "Examine" >> examine
        by_content = examined.rows | "By content" >> beam.GroupByKey()
        resolved = by_content | "Resolve" >> beam.ParDo(Resolve(drafts))
        note((examined[EXAMINED], resolved) | "All" >> beam.Flatten(), path)
    return noted(path)


def _set_aside(
    usable: Usable,
    drafts: Sequence[Draft],
    chosen: Sequence[Chosen],
    found: Sequence[Examined | Resolved],
    like: beam.Pipeline,
    scratch: Path,
) -> list[Examined]:
    reasons = defaultdict[tuple[int, int], dict[str, str]](dict)
    for each in found:
        for dispute in each.disputes if isinstance(each, Resolved) else ():
            reasons[each.draft, dispute.number][dispute.id] = dispute.reason
    if not reasons:
        return []
    path = scratch / "disputed"
    digests = {(each.draft, each.number): each.digest for each in found if isinstance(each, Examined)}
    elements = [
        PACKED.encode((each, digests[each[:2]], reasons[each[:2]])) for each in chosen if each[:2] in reasons
    ]
    with running(like, scratch) as pipeline:
        slices = pipeline | "Slices" >> beam.Create(elements)
        note(slices | "Set aside" >> beam.ParDo(SetAside(usable, drafts, scratch)), path)
    return noted(path)


def _seal(draft: Draft, found: Sequence[Examined | Resolved]) -> None:
    examined = sorted(each for each in found if isinstance(each, Examined))
    first = [each for each in examined if not each.again]
    check_unchanged(draft.part, draft.part.digest, reading.combined(each.digest for each in first))
    resolved = [each for each in found if isinstance(each, Resolved)]
    made = Harvest(draft.folder)
    for place in set(range(draft.ranges)) - {each.place for each in resolved}:
        made.write_rows(place, draft.ranges, ())
    quarantine.join(draft.folder / ASIDE, [each.aside for each in examined if each.quarantined], draft.folder)
    counts = Counts(
        read=sum(each.read for each in first),
        quarantined=sum(each.quarantined for each in examined),
        duplicates=sum(each.duplicates for each in resolved),
        size=sum(each.size for each in resolved),
    )
    made.seal(counts, frozenset[str]().union(*(each.files for each in resolved)))
