"""How many copies each record of the train split gets, so that labels have the shares that the configuration names.

Copies are added, no record is left out. Which records of a label get one more than the others is told by a hash of
their ids: the order of the records has no say in it.
"""

import hashlib
import logging
import math
from array import array
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from components import records
from components.families.sections import SLACK, AugmentationSettings
from components.source import UnusableRecordError
from components.tasks.interface import Labels
from contract.errors import DataError, SettingsError

logger = logging.getLogger(__name__)

REST = b""  # all labels that the configuration does not name


@dataclass(frozen=True)
class Targets:
    """The shares that are wanted.

    Attributes:
        shares: By the feature `label`, serialized.
        names: How the configuration calls each of them.
    """

    shares: Mapping[bytes, float]
    names: Mapping[bytes, str]

    def group(self, example: tf.train.Example) -> bytes:
        """Returns the label of an example where it has a share of its own, else `REST`."""
        label = _serialized(example.features.feature[records.LABEL])
        return label if label in self.shares else REST

    def named(self, group: bytes) -> str:
        """Returns what a person calls a group."""
        return f"label {self.names[group]}" if group in self.names else "the labels that are not named"


def targets(labels: Labels, target: Any, settings: AugmentationSettings) -> Targets:
    """Reads `augment.balance`.

    Args:
        labels: Of the task.
        target: The task's `TargetSettings`.
        settings: Of the augmentation.

    Raises:
        SettingsError: If there is no such label.
    """
    names = {}
    for name in settings.balance:
        try:
            names[_serialized(labels.encode(name, target))] = name
        except UnusableRecordError as error:
            raise SettingsError(f"augment.balance: {error}.") from error
    return Targets({label: settings.balance[name] for label, name in names.items()}, names)


def ranks(
    examples: Iterable[tf.train.Example], wanted: Targets, settings: AugmentationSettings
) -> dict[bytes, np.ndarray]:
    """Returns by group a number of each record that it has by chance, uint64 `[n]`: the lowest get one copy more.

    Every label that has a share is there, also where it has no records.
    """
    found: dict[bytes, array[int]] = {label: array("Q") for label in wanted.shares}
    for example in examples:
        rank, _ = _drawn(example, settings.seed)
        found.setdefault(wanted.group(example), array("Q")).append(rank)
    return {group: np.array(each, np.uint64) for group, each in found.items()}


def _drawn(example: tf.train.Example, seed: int) -> tuple[int, int]:
    """Returns two numbers below 2**64 that a record has by chance: who gets one more, and when the first comes."""
    digest = hashlib.sha256(f"{seed}/{records.id_of(example)}".encode()).digest()
    return int.from_bytes(digest[:8], "big"), int.from_bytes(digest[8:16], "big")


@dataclass(frozen=True)
class _Group:
    """Every record gets `each` copies, and those whose rank is below `below` one more."""

    each: int
    below: int

    def copies(self, rank: int) -> int:
        return self.each + (rank < self.below)


class Copies:
    """How many copies each record gets, and when: in turns, each a pass over all records.

    Every turn has each label in the share that it has in all of them together: rare labels, of which there are most
    copies, do not pile up at the end, where no shuffling would spread them again.

    Attributes:
        turns: How many.

    Args:
        ranks: Of all records: see `ranks`. Nothing where all records get the same.
        wanted: The shares.
        settings: The factor, and the seed.

    Raises:
        SettingsError: If the shares cannot be reached by adding copies.
        DataError: If a label that has a share has no records.
    """

    def __init__(
        self, ranks: Mapping[bytes, np.ndarray], wanted: Targets, settings: AugmentationSettings
    ) -> None:
        self._wanted, self._settings = wanted, settings
        self._groups: dict[bytes, _Group] = {}
        if wanted.shares:
            self._groups = self._planned(ranks)
        most = max((group.copies(0) for group in self._groups.values()), default=settings.factor - 1)
        self.turns = most + 1

    @property
    def alike(self) -> bool:
        """Whether all records get the same: turn 0 has the originals, and every other one a copy of each."""
        return not self._groups

    def in_turn(self, serialized: bytes, turn: int) -> int | None:
        """Returns which copy of a serialized example comes in a turn; 0 is the original, `None` neither of them."""
        if self.alike:
            return turn
        example = tf.train.Example.FromString(serialized)
        rank, start = _drawn(example, self._settings.seed)
        count = 1 + self._groups[self._wanted.group(example)].copies(rank)
        # Evenly over the turns, of which there are at least `count`, from a place that chance says.
        start %= self.turns
        number = -((start - turn * count) // self.turns)
        return number if number < count and (number * self.turns + start) // count == turn else None

    def _planned(self, ranks: Mapping[bytes, np.ndarray]) -> dict[bytes, _Group]:
        counts = {group: len(each) for group, each in ranks.items()}
        shares = _shares(self._wanted, counts)
        self._check(counts, shares)
        size = self._settings.factor * sum(counts.values())
        groups = {}
        for group, count in counts.items():
            each, more = divmod(max(0, round(shares[group] * size) - count), count)
            groups[group] = _Group(each, int(np.sort(ranks[group])[more]) if more else 0)
            logger.info(
                "Of %s: %d records and %d copies, a share of %.3f",
                self._wanted.named(group),
                count,
                each * count + more,
                shares[group],
            )
        return groups

    def _check(self, counts: Mapping[bytes, int], shares: Mapping[bytes, float]) -> None:
        total = sum(counts.values())
        needed, group = max((counts[each] / (total * shares[each]), each) for each in counts)
        if needed > self._settings.factor + SLACK:
            raise SettingsError(
                f"augment.factor: expected at least {math.ceil(needed - SLACK)}, got {self._settings.factor}: "
                f"{self._wanted.named(group)}, {counts[group] / total:.3f} of the train split, comes down to a share "
                f"of {shares[group]:.3f} (augment.balance) as others get copies, and no record is left out."
            )


def _shares(wanted: Targets, counts: Mapping[bytes, int]) -> dict[bytes, float]:
    """Returns the share of every group that has records."""
    if missing := [wanted.named(group) for group, count in counts.items() if not count]:
        raise DataError(
            f"augment.balance: expected records with {missing[0]} in the train split, and there are none."
        )
    shares, rest = dict(wanted.shares), 1 - sum(wanted.shares.values())
    if REST in counts and rest <= SLACK:
        raise SettingsError(
            "augment.balance: expected shares that leave something to the labels that are not named, got shares that "
            "add up to 1. Name every label, or lower the shares."
        )
    if REST not in counts and rest > SLACK:
        raise SettingsError(
            f"augment.balance: expected shares that add up to 1, since all labels are named, got {1 - rest:g}."
        )
    return shares | ({REST: rest} if REST in counts else {})


def _serialized(feature: tf.train.Feature) -> bytes:
    return bytes(feature.SerializeToString(deterministic=True))
