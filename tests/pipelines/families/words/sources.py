import numpy as np
from plugged.words.data import DataSettings

from components.source import RawRecord, Source

LETTERS = list("abcdefghijklmnopqrstuvwxyz")


def made_up(settings: DataSettings):
    random = np.random.default_rng(5)
    for number in range(300):
        word = "".join(random.choice(LETTERS, random.integers(2, 12)))
        label = "short" if len(word) <= 6 else "long"
        yield RawRecord(f"word-{number:03d}", b"" if number == 7 else f"{word}{number:03d}".encode(), label)


SOURCES = {"made_up": Source(made_up, files=lambda settings: ())}
