"""What TensorFlow Data Validation found: anomalies against the schema, and drift against accepted data."""

from pathlib import Path

import tensorflow_data_validation as tfdv
from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2, statistics_pb2

from components.records import LABEL


def _sentences(found: anomalies_pb2.Anomalies, where: str) -> list[str]:
    return [
        f"{where}, feature {feature}: {reason.short_description}: {reason.description}"
        for feature, info in found.anomaly_info.items()
        for reason in info.reason
    ]


def schema_anomalies(anomalies_dir: str) -> list[str]:
    """Returns a sentence for each anomaly in an ExampleAnomalies artifact."""
    sentences = []
    for path in sorted(Path(anomalies_dir).glob("Split-*/SchemaDiff.pb")):
        found = anomalies_pb2.Anomalies.FromString(path.read_bytes())
        sentences += _sentences(found, f"schema, {path.parent.name}")
    return sentences


def _statistics(statistics_dir: str, split: str) -> statistics_pb2.DatasetFeatureStatisticsList:
    return tfdv.load_stats_binary(str(Path(statistics_dir) / f"Split-{split}" / "FeatureStats.pb"))


def label_drift(statistics_dir: str, accepted_dir: str, schema_dir: str, *, limit: float) -> list[str]:
    """Compares the labels of the train split with those of the last accepted data.

    Args:
        statistics_dir: ExampleStatistics artifact of the data in question.
        accepted_dir: The same of the data that was accepted last.
        schema_dir: Schema artifact.
        limit: Largest acceptable Jensen-Shannon divergence.
    """
    schema = tfdv.load_schema_text(str(Path(schema_dir) / "schema.pbtxt"))
    feature: schema_pb2.Feature = tfdv.get_feature(schema, LABEL)
    feature.drift_comparator.jensen_shannon_divergence.threshold = limit
    found = tfdv.validate_statistics(
        _statistics(statistics_dir, "train"),
        schema,
        previous_statistics=_statistics(accepted_dir, "train"),
    )
    return _sentences(found, "drift from the last accepted data")
