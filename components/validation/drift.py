"""How far data lies from the data accepted last: how many records there are, and how each fact is distributed.

TensorFlow Data Validation compares numbers by the bars of a histogram whose ends are the extremes: one outlier moves
them all. So the facts of accepted data are kept as quantiles, and compared by the distance of Kolmogorov and Smirnov.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from components.families.sections import ValidationSettings

FILE = "distributions.npz"  # in the artifact FactDistributions
DRIFT = "drift from the last accepted data"
POINTS = 1001  # quantiles of each fact: a distance is told to a thousandth


@dataclass(frozen=True)
class Distributions:
    """How the facts of some data are distributed.

    Attributes:
        records: Number of records.
        quantiles: By fact, `POINTS` of its values in ascending order, from the least to the greatest.
    """

    records: int
    quantiles: Mapping[str, np.ndarray]


def of(facts: pd.DataFrame, columns: Sequence[str]) -> Distributions:
    """Returns how some columns of the facts are distributed; numbers each."""
    shares = np.linspace(0, 1, POINTS)
    values = {column: facts[column].to_numpy(np.float64) for column in columns}
    return Distributions(
        len(facts), {name: np.quantile(each, shares, method="inverted_cdf") for name, each in values.items()}
    )


def write(folder: Path, made: Distributions) -> None:
    """Writes distributions into a folder, which is made where it does not exist."""
    folder.mkdir(parents=True, exist_ok=True)
    table = np.array(list(made.quantiles.values())).reshape(-1, POINTS)
    np.savez_compressed(
        folder / FILE, records=made.records, columns=np.array(list(made.quantiles), np.str_), quantiles=table
    )


def read(folder: Path) -> Distributions:
    """Returns what `write` has written."""
    with np.load(folder / FILE) as found:
        columns = found["columns"].tolist()
        return Distributions(int(found["records"]), dict(zip(columns, found["quantiles"], strict=True)))


def distance(one: np.ndarray, other: np.ndarray) -> float:
    """Returns the Kolmogorov-Smirnov distance of two samples: 0 where they are equal, 1 where they are disjoint.

    It is the largest difference between the shares of values, in the one and in the other, that are at most x.

    Args:
        one: Numbers in ascending order, `[n]`.
        other: The same, `[m]`.
    """
    ends = np.union1d(one, other)
    shares = [np.searchsorted(sample, ends, side="right") / len(sample) for sample in (one, other)]
    return float(np.abs(shares[0] - shares[1]).max())


def distances(data: Distributions, accepted: Distributions) -> dict[str, float]:
    """Returns how far each fact lies from what it was, where it was kept."""
    return {
        name: distance(values, accepted.quantiles[name])
        for name, values in data.quantiles.items()
        if name in accepted.quantiles
    }


def beyond(
    data: Distributions,
    accepted: Distributions,
    drifting: Mapping[str, str],
    settings: ValidationSettings,
) -> Iterator[str]:
    """Yields a sentence for each limit that is passed.

    Args:
        data: In question.
        accepted: Accepted last.
        drifting: By fact, the setting that limits its distance.
        settings: The family's `ValidationSettings`; `None` turns a comparison off.
    """
    ratio, least, most = (
        data.records / accepted.records,
        settings.min_records_ratio,
        settings.max_records_ratio,
    )
    size = f"got {data.records} records, {ratio:.3g} times the {accepted.records} of then"
    if least is not None and ratio < least:
        yield f"{DRIFT}, size: expected at least {least:g} times as much (validation.min_records_ratio), {size}"
    if most is not None and ratio > most:
        yield f"{DRIFT}, size: expected at most {most:g} times as much (validation.max_records_ratio), {size}"
    for name, far in distances(data, accepted).items():
        limit = getattr(settings, drifting[name])
        if limit is not None and far > limit:
            then, now = (each.quantiles[name][POINTS // 2] for each in (accepted, data))
            yield (
                f"{DRIFT}, {name}: expected a Kolmogorov-Smirnov distance of at most {limit:g} "
                f"(validation.{drifting[name]}), got {far:.3f}; its median is {now:.6g}, and was {then:.6g}"
            )
