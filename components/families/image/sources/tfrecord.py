"""TFRecord files of tf.Examples that others have written."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from components.families.image.data import DataSettings
from components.source import RawRecord
from contract.errors import DataError

if TYPE_CHECKING:
    import tensorflow as tf


def tfrecord(settings: DataSettings) -> Iterator[RawRecord]:
    """Yields the examples of a file, or of every file of a folder with `tfrecord` in its name; plain, or .gz.

    Raises:
        DataError: If there is no such file, or one is damaged.
    """
    import tensorflow as tf  # a client that takes records from another source does without

    path = Path(settings.path)
    files = sorted(path.glob("*tfrecord*")) if path.is_dir() else [path]
    if not files or not all(file.is_file() for file in files):
        raise DataError(
            f"Expected a TFRecord file at {path}, or a folder with files *tfrecord*, and there is none. "
            "Change data.path."
        )
    for file in files:
        examples = tf.data.TFRecordDataset(str(file), "GZIP" if file.suffix == ".gz" else "")
        try:
            for index, serialized in enumerate(examples.as_numpy_iterator()):
                yield _record(f"{file.name}-{index:06d}", serialized, settings)
        except tf.errors.OpError as error:
            raise DataError(f"Expected a whole TFRecord file in {file}, got: {error.message}.") from error


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
