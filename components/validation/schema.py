"""The schema that data is checked against: inferred once, then accepted.

What it says of the label does not depend on any data: one of the classes, and no quantity.
"""

from pathlib import Path

import tensorflow_data_validation as tfdv
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

from components.records import ID, IMAGE, LABEL, SPLITS
from contract.errors import SettingsError

FILE = "schema.pbtxt"  # in TFX's Schema artifact


def _declare_label(label: schema_pb2.Feature, n_classes: int) -> None:
    label.int_domain.CopyFrom(schema_pb2.IntDomain(min=0, max=n_classes - 1, is_categorical=True))


def statistics_options(n_classes: int) -> tfdv.StatsOptions:
    """Returns how statistics are made: labels are counted one by one, not as a histogram of a quantity."""
    schema = schema_pb2.Schema()
    _declare_label(schema.feature.add(name=LABEL, type=schema_pb2.INT), n_classes)
    return tfdv.StatsOptions(schema=schema, num_rank_histogram_buckets=max(1000, n_classes))


def infer(statistics_dir: str) -> schema_pb2.Schema:
    """Returns the schema of an ExampleStatistics artifact, as TFX's SchemaGen infers it."""
    schema = None
    for split in SPLITS:
        found = tfdv.load_stats_binary(str(Path(statistics_dir) / f"Split-{split}" / "FeatureStats.pb"))
        schema = tfdv.update_schema(schema, found) if schema else tfdv.infer_schema(found)
    return schema


def acceptable(schema: schema_pb2.Schema, n_classes: int) -> schema_pb2.Schema:
    """Returns an inferred schema as other data can be held to it: any class, new ids and new images."""
    made = schema_pb2.Schema()
    made.CopyFrom(schema)
    _declare_label(tfdv.get_feature(made, LABEL), n_classes)
    for name in (ID, IMAGE):
        tfdv.get_feature(made, name).ClearField("domain")
    used = {feature.domain for feature in made.feature}
    kept = [domain for domain in made.string_domain if domain.name in used]
    del made.string_domain[:]
    made.string_domain.extend(kept)
    return made


def read(path: Path) -> schema_pb2.Schema:
    """Reads a schema.

    Raises:
        SettingsError: If the file is not one.
    """
    try:
        return text_format.Parse(path.read_text(), schema_pb2.Schema())
    except (text_format.ParseError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: expected a schema of TensorFlow Metadata as text: {error}") from error


def text_of(schema: schema_pb2.Schema) -> str:
    """Returns a schema as `read` takes it."""
    return text_format.MessageToString(schema)
