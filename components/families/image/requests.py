"""How a served image model is asked."""

from collections.abc import Iterable, Iterator

import numpy as np
import tensorflow as tf

from components.families.image import pixels
from components.families.image.data import RecordSettings


def requests(
    examples: Iterable[tf.train.Example], record: RecordSettings
) -> dict[str, dict[str, np.ndarray]]:
    """Returns the images as pixels, as files and as serialized tf.Examples."""
    found = list(examples)
    files = [pixels.file_of(example) for example in found]
    serialized = [example.SerializeToString(deterministic=True) for example in found]
    return {
        "serving_default": {pixels.IMAGE: pixels.decode_stored(tf.constant(files), record.image).numpy()},
        "encoded": {"image_bytes": np.array(files, dtype=object)},
        "examples": {"examples": np.array(serialized, dtype=object)},
    }


def how_to_ask(model: str, label: str, rest_url: str, record: RecordSettings) -> Iterator[str]:
    """Yields how to send an image file: by command line, and to the REST API."""
    yield f"slipway predict {model} FILE --label {label}"
    yield ""
    yield f"curl -s {rest_url}/v1/models/{model}/labels/{label}:predict \\"
    yield (
        '  -d "{\\"signature_name\\": \\"encoded\\", \\"instances\\": '
        '[{\\"b64\\": \\"$(base64 -w0 FILE)\\"}]}"'
    )
