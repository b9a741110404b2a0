"""TFRecord files of tf.Examples that others have written."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from components.families.image.data import DataSettings
from components.source import Entry, RawRecord, Slice
from components.storage import places
from components.storage.files import Folder, unreadable
from contract.errors import DataError

if TYPE_CHECKING:
    import tensorflow as tf


def tfrecord(settings: DataSettings, name: str) -> Iterator[RawRecord]:
    """Yields the examples of a file, plain or .gz.

    Raises:
        DataError: If it is damaged.
    """
    import tensorflow as tf  # a client that takes records from another source does without

    folder, _ = _files(settings.path)
    place, compression = folder.place(name), "GZIP" if name.endswith(".gz") else ""
    try:
        with folder.fetched(name) as path:
            found = tf.data.TFRecordDataset(path, compression).as_numpy_iterator()
            for index, serialized in enumerate(found):
                yield _record(f"{name}-{index:06d}", serialized, settings)
    except tf.errors.OpError as error:
        raise DataError(f"Expected a whole TFRecord file in {place}, got: {error.message}.") from error
    except OSError as error:
        raise unreadable(place, error) from error


def slices(settings: DataSettings) -> Iterator[Slice]:
    """Yields the file, or every file of a folder with `tfrecord` in its name.

    Raises:
        DataError: If there is none.
    """
    _, names = _files(settings.path)
    return ((name,) for name in names)


def listed(settings: DataSettings) -> Iterator[Entry]:
    """Yields the state of each of those files.

    Raises:
        DataError: If there is none.
    """
    folder, names = _files(settings.path)
    return folder.entries(names)


def _files(path: str) -> tuple[Folder, list[str]]:
    folder = places.folder(path)
    if folder.is_there():
        names = [name for name in folder.names() if "/" not in name and "tfrecord" in name]
    else:
        folder, name = places.file(path)
        names = [name] if any(folder.entries([name])) else []
    if not names:
        raise DataError(
            f"Expected a TFRecord file at {path}, or a folder with files *tfrecord*, and there is none. "
            "Change data.path."
        )
    return folder, names


def _record(name: str, serialized: bytes, settings: DataSettings) -> RawRecord:
    import tensorflow as tf
    from google.protobuf.message import DecodeError

    try:
        features = tf.train.Example.FromString(serialized).features.feature
    except DecodeError:
        return RawRecord(name, serialized, "", "expected a tf.Example, got bytes that are none")
    image, label = features.get(settings.image_feature), features.get(settings.label_feature)
    if image is None or len(image.bytes_list.value) != 1:
        wrong = _wrong("the bytes of one image file", settings.image_feature, features)
    elif label is None or len(label.bytes_list.value) + len(label.int64_list.value) != 1:
        wrong = _wrong("one string or integer", settings.label_feature, features)
    else:
        return RawRecord(name, image.bytes_list.value[0], _label(label, settings))
    return RawRecord(name, serialized, "", wrong)


def _wrong(expected: str, name: str, features: "dict[str, tf.train.Feature]") -> str:
    known = ", ".join(sorted(features)) or "none"
    return (
        f"expected {expected} in the feature {name!r}, and it is not there; features of the example: {known}"
    )


def _label(feature: "tf.train.Feature", settings: DataSettings) -> str:
    if feature.int64_list.value:
        return settings.name_of(feature.int64_list.value[0])
    return str(feature.bytes_list.value[0].replace(b"\\", b"\\\\").decode("utf-8", "backslashreplace"))
