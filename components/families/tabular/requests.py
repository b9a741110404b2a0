"""How a served tabular model is asked."""

import json
from collections.abc import Iterable, Iterator

import numpy as np
import tensorflow as tf

from components.families.tabular.data import RecordSettings


def requests(
    examples: Iterable[tf.train.Example], record: RecordSettings
) -> dict[str, dict[str, np.ndarray]]:
    """Returns the rows as columns, and as serialized tf.Examples."""
    found = list(examples)
    columns = {
        name: np.array([item.features.feature[name].float_list.value[0] for item in found], np.float32)
        for name in record.inputs
    }
    serialized = [item.SerializeToString(deterministic=True) for item in found]
    return {
        "serving_default": columns,
        "examples": {"examples": np.array(serialized, dtype=object)},
    }


def how_to_ask(model: str, label: str, rest_url: str, record: RecordSettings) -> Iterator[str]:
    """Yields how to send a CSV file by command line, and a row to the REST API."""
    row = json.dumps(dict.fromkeys(record.inputs, 0.0))
    yield f"slipway predict {model} --csv FILE --label {label}"
    yield ""
    yield f"curl -s {rest_url}/v1/models/{model}/labels/{label}:predict \\"
    yield f"  -d '{{\"instances\": [{row}]}}'"
