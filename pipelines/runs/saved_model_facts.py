"""What a SavedModel says of itself, in a process of its own: a load that crashes takes nobody with it.

    python -m pipelines.runs.saved_model_facts FOLDER

The last line of output is JSON: `inputs` (what `serving_default` takes) and `outputs` (what the signature `examples`
answers with), each dtype and shape by name, `null` for a size that may vary; and `problem` (why it cannot be asked;
empty if it can).
"""

import json
import sys
from collections.abc import Mapping
from typing import Any

import tensorflow as tf


def _tensors(specs: Mapping[str, Any]) -> dict[str, tuple[str, list[int | None] | None]]:
    return {
        name: (spec.dtype.name, None if spec.shape.rank is None else spec.shape.as_list())
        for name, spec in specs.items()
    }


def facts(folder: str) -> dict[str, Any]:
    """Loads a SavedModel and returns its facts."""
    try:
        signatures = tf.saved_model.load(folder).signatures
        inputs = signatures["serving_default"].structured_input_signature[1]
        outputs = signatures["examples"].structured_outputs
        return {"problem": "", "inputs": _tensors(inputs), "outputs": _tensors(outputs)}
    except (OSError, LookupError, AttributeError, TypeError, ValueError, tf.errors.OpError) as error:
        return {"problem": f"{type(error).__name__}: {' '.join(str(error).split())[:500]}"}


if __name__ == "__main__":
    sys.stdout.write(f"{json.dumps(facts(sys.argv[1]))}\n")
