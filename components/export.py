"""The SavedModel that every image model is served as: three signatures around one trunk.

| signature         | input                                                        | output                    |
|-------------------|--------------------------------------------------------------|---------------------------|
| `serving_default` | `image` float32 [n, height, width, channels], 0 to 255       | `probabilities`, `label`  |
| `encoded`         | `image_bytes` string [n], image files of any size            | the same                  |
| `examples`        | `examples` string [n], serialized tf.Examples                | the same                  |

`probabilities` is float32 [n, classes], `label` string [n].
"""

from collections.abc import Callable, Sequence
from pathlib import Path

from components.keras import keras, tf
from components.records import IMAGE, ImageShape, decode_images, parse_examples, scale

SERVING_DIR = "Format-Serving"  # where TFX looks for the SavedModel inside a Model artifact
KERAS_FILE = "Format-Keras/model.keras"  # the trunk, for stages that train on


class _Served(tf.Module):
    """What the SavedModel consists of: the weights and the class names, without any optimizer's state."""

    def __init__(self, trunk: keras.Model, classes: Sequence[str]) -> None:
        super().__init__()
        self.weights = list(trunk.weights)
        self.classes = tf.constant(list(classes))


def _signatures(served: _Served, trunk: keras.Model, shape: ImageShape) -> dict[str, Callable]:
    pixels = tf.TensorSpec([None, shape.height, shape.width, shape.channels], tf.float32, name="image")
    of_bytes = tf.TensorSpec([None], tf.string, name="image_bytes")
    of_examples = tf.TensorSpec([None], tf.string, name="examples")

    def answer(images: tf.Tensor) -> dict[str, tf.Tensor]:
        probabilities = trunk(scale(images), training=False)
        label = tf.gather(served.classes, tf.argmax(probabilities, axis=-1))
        return {"probabilities": probabilities, "label": label}

    @tf.function(input_signature=[pixels])
    def serving_default(image: tf.Tensor) -> dict[str, tf.Tensor]:
        return answer(image)

    @tf.function(input_signature=[of_bytes])
    def encoded(image_bytes: tf.Tensor) -> dict[str, tf.Tensor]:
        return answer(decode_images(image_bytes, shape))

    @tf.function(input_signature=[of_examples])
    def examples(examples: tf.Tensor) -> dict[str, tf.Tensor]:
        return answer(decode_images(parse_examples(examples)[IMAGE], shape))

    return {"serving_default": serving_default, "encoded": encoded, "examples": examples}


def save_served_model(
    trunk: keras.Model, target_dir: str | Path, *, classes: Sequence[str], shape: ImageShape
) -> None:
    """Writes `trunk` as a SavedModel with the three signatures.

    Args:
        trunk: Takes float32 [n, height, width, channels] in [0, 1], gives probabilities [n, classes].
        target_dir: Folder of the SavedModel.
        classes: Names in the order of the trunk's outputs.
        shape: What the trunk takes.
    """
    served = _Served(trunk, classes)
    tf.saved_model.save(served, str(target_dir), signatures=_signatures(served, trunk, shape))


def save_trunk(trunk: keras.Model, model_dir: str | Path) -> None:
    """Writes the trunk for later stages, as a `.keras` file inside a Model artifact."""
    path = Path(model_dir) / KERAS_FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    trunk.save(str(path))


def load_trunk(model_dir: str | Path) -> keras.Model:
    """Reads the trunk of a Model artifact, compiled state left out; nothing is unpickled."""
    return keras.models.load_model(str(Path(model_dir) / KERAS_FILE), compile=False, safe_mode=True)
