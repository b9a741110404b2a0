"""What TensorFlow Data Validation found: anomalies against the schema, and drift against accepted data."""

import logging
from pathlib import Path

import tensorflow_data_validation as tfdv
from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2, statistics_pb2

from components.records import LABEL
from components.validation import schema as schemas
from components.validation.drift import DRIFT

logger = logging.getLogger(__name__)


DRIFTED = anomalies_pb2.AnomalyInfo.COMPARATOR_JENSEN_SHANNON_DIVERGENCE_HIGH


def _sentences(found: anomalies_pb2.Anomalies, where: str, only: int | None = None) -> list[str]:
    return [
        f"{where}, feature {feature}: {reason.short_description}: {reason.description}"
        for feature, info in found.anomaly_info.items()
        for reason in info.reason
        if only in (None, reason.type)
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


def _counts_labels(statistics: statistics_pb2.DatasetFeatureStatisticsList) -> bool:
    """Returns whether labels were counted one by one; a histogram of a quantity says nothing about classes."""
    features = statistics.datasets[0].features
    return any(each.path.step[:] == [LABEL] and each.HasField("string_stats") for each in features)


def label_drift(statistics_dir: str, accepted_dir: str, schema_dir: str, *, limit: float) -> list[str]:
    """Compares the labels of the train split with those of the last accepted data.

    Statistics that an earlier version of Slipway made of labels cannot be compared; the log says so.

    Args:
        statistics_dir: ExampleStatistics artifact of the data in question.
        accepted_dir: The same of the data that was accepted last.
        schema_dir: Schema artifact.
        limit: Largest acceptable Jensen-Shannon divergence.
    """
    accepted = _statistics(accepted_dir, "train")
    if not _counts_labels(accepted):
        logger.warning(
            "Labels are not compared with the last accepted data: its statistics in %s do not count them one by "
            "one. Those of this run do, and the next run is compared with them.",
            accepted_dir,
        )
        return []
    schema = schemas.read(Path(schema_dir) / schemas.FILE)
    feature: schema_pb2.Feature = tfdv.get_feature(schema, LABEL)
    feature.drift_comparator.jensen_shannon_divergence.threshold = limit
    found = tfdv.validate_statistics(
        _statistics(statistics_dir, "train"), schema, previous_statistics=accepted
    )
    return _sentences(found, DRIFT, only=DRIFTED)
