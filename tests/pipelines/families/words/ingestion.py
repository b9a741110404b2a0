import numpy as np
import tensorflow as tf
from plugged.words.data import DataSettings

from components import records
from components.source import RawRecord, UnusableRecordError

OPEN_FEATURES = ("word",)
LETTERS = list("abcdefghijklmnopqrstuvwxyz")


def made_up(settings: DataSettings):
    random = np.random.default_rng(5)
    for number in range(300):
        word = "".join(random.choice(LETTERS, random.integers(2, 12)))
        label = "short" if len(word) <= 6 else "long"
        yield RawRecord(f"word-{number:03d}", b"" if number == 7 else f"{word}{number:03d}".encode(), label)


SOURCES = {"made_up": made_up}


def features(record: RawRecord, settings: DataSettings) -> dict[str, tf.train.Feature]:
    if not record.content:
        raise UnusableRecordError("expected a word, got nothing")
    return {"word": records.of_bytes(record.content)}
