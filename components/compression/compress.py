"""From a trained model to a compressed one: SavedModel for serving, int8 TFLite for devices, and figures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from components import records
from components.compression import pqat, tflite
from components.compression.settings import CompressionSettings
from components.export import SERVING_DIR, load_trunk, save_served_model
from components.keras import keras


@dataclass(frozen=True)
class Form:
    """One form of the model: accuracy on the test split, size in bytes, and size after gzip (0: not measured)."""

    accuracy: float
    size_bytes: int
    gzip_bytes: int = 0


@dataclass(frozen=True)
class CompressionReport:
    """What compression did, for each form the model exists in."""

    forms: Mapping[str, Form]
    sparsity: float
    sparsity_by_layer: Mapping[str, float]

    def metrics(self) -> dict[str, float]:
        """Returns all figures as flat numbers."""
        flat = {"sparsity": self.sparsity}
        flat |= {f"sparsity_{layer}": value for layer, value in self.sparsity_by_layer.items()}
        for name, form in self.forms.items():
            flat |= {f"{name}_accuracy": form.accuracy, f"{name}_bytes": form.size_bytes}
            if form.gzip_bytes:
                flat[f"{name}_gzip_bytes"] = form.gzip_bytes
        int8, float32 = self.forms["int8_tflite"], self.forms["float_tflite"]
        flat["tflite_gzip_ratio"] = int8.gzip_bytes / float32.gzip_bytes
        return flat


@dataclass(frozen=True)
class Places:
    """Folders: the trained Model artifact, its augmented Examples, the plain Examples, and the two results."""

    model: str
    augmented_examples: str
    examples: str
    compressed_model: str
    tflite: str


def _keras_accuracy(model: keras.Model, data: records.tf.data.Dataset) -> float:
    metric = keras.metrics.SparseCategoricalAccuracy()
    for images, labels in data:
        metric.update_state(labels, model(images, training=False))
    return float(metric.result())


def compress(
    places: Places,
    *,
    shape: records.ImageShape,
    classes: Sequence[str],
    batch_size: int,
    settings: CompressionSettings,
) -> CompressionReport:
    """Prunes, quantizes with sparsity preserved, exports, and measures every form on the test split.

    Args:
        places: Where to read and write.
        shape: What the model takes.
        classes: Names in the order of the outputs.
        batch_size: Examples in a training step.
        settings: Sparsity, epochs, learning rate.
    """
    keras.utils.set_random_seed(17)
    train_set = records.dataset(
        places.augmented_examples, "train", shape, batch_size=batch_size, shuffle_seed=17
    )
    eval_set = records.dataset(places.augmented_examples, "eval", shape, batch_size=batch_size)
    test_set = records.dataset(places.examples, "test", shape, batch_size=batch_size)

    trained = load_trunk(places.model)
    pruned = pqat.prune(trained, train_set, eval_set, settings)
    quantized = pqat.quantize(pruned, train_set, eval_set, settings)

    serving_dir = Path(places.compressed_model) / SERVING_DIR
    save_served_model(quantized, serving_dir, classes=classes, shape=shape)
    int8, float32 = tflite.convert(quantized, int8=True), tflite.convert(trained, int8=False)
    Path(places.tflite).mkdir(parents=True, exist_ok=True)
    (Path(places.tflite) / tflite.MODEL_FILE).write_bytes(int8)

    float_dir = Path(places.model) / SERVING_DIR
    forms = {
        "float_saved_model": Form(_keras_accuracy(trained, test_set), tflite.folder_bytes(float_dir)),
        "compressed_saved_model": Form(
            _keras_accuracy(quantized, test_set), tflite.folder_bytes(serving_dir)
        ),
        "float_tflite": Form(tflite.accuracy(float32, test_set), len(float32), tflite.gzip_bytes(float32)),
        "int8_tflite": Form(tflite.accuracy(int8, test_set), len(int8), tflite.gzip_bytes(int8)),
    }
    return CompressionReport(forms, pqat.overall_sparsity(quantized), pqat.sparsity_by_layer(quantized))
