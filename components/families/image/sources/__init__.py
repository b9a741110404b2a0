"""Where images come from, by the name that a configuration gives. Holds `SOURCES` alone: see `Sources`."""

from collections.abc import Mapping

from components.families.image.sources import cifar10, digits, idx, image_csv, image_folder, tfrecord
from components.source import Source

SOURCES: Mapping[str, Source] = {
    "cifar10": Source(cifar10.cifar10, cifar10.listed, cifar10.slices),
    "digits": Source(digits.digits, digits.listed),
    "idx": Source(idx.idx, idx.listed, idx.slices),
    "image_csv": Source(image_csv.image_csv, image_csv.listed, image_csv.slices),
    "image_folder": Source(image_folder.image_folder, image_folder.listed, image_folder.slices),
    "tfrecord": Source(tfrecord.tfrecord, tfrecord.listed, tfrecord.slices),
}
