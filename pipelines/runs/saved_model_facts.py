"""What a SavedModel says of itself, in a process of its own: a load that crashes takes nobody with it.

    python -m pipelines.runs.saved_model_facts FOLDER

The last line of output is JSON: `outputs` (how many probabilities the signature `examples` answers with), `image`
(height, width and channels that `serving_default` takes), and `problem` (why it cannot be asked; empty if it can).
"""

import json
import sys
from typing import Any

import tensorflow as tf


def facts(folder: str) -> dict[str, Any]:
    """Loads a SavedModel and returns its facts."""
    try:
        signatures = tf.saved_model.load(folder).signatures
        probabilities = signatures["examples"].structured_outputs["probabilities"]
        image = signatures["serving_default"].structured_input_signature[1]["image"]
    except (OSError, LookupError, AttributeError, TypeError, ValueError, tf.errors.OpError) as error:
        return {"problem": f"{type(error).__name__}: {' '.join(str(error).split())[:500]}"}
    return {"problem": "", "outputs": probabilities.shape[-1], "image": image.shape.as_list()[1:]}


if __name__ == "__main__":
    sys.stdout.write(f"{json.dumps(facts(sys.argv[1]))}\n")
