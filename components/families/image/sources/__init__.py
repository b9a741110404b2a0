"""Where images come from, by the name that a configuration gives. Holds `SOURCES` alone: see `Sources`."""

from collections.abc import Callable, Iterator, Mapping

from components.families.image.data import DataSettings
from components.families.image.sources.cifar10 import cifar10
from components.families.image.sources.digits import digits
from components.families.image.sources.idx import idx
from components.families.image.sources.image_csv import image_csv
from components.families.image.sources.image_folder import image_folder
from components.families.image.sources.tfrecord import tfrecord
from components.source import RawRecord

SOURCES: Mapping[str, Callable[[DataSettings], Iterator[RawRecord]]] = {
    "cifar10": cifar10,
    "digits": digits,
    "idx": idx,
    "image_csv": image_csv,
    "image_folder": image_folder,
    "tfrecord": tfrecord,
}
