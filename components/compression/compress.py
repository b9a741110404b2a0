"""From a trained model to a compressed one: SavedModel for serving, int8 TFLite for devices, and figures."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from components import records
from components.compression import pqat, tflite
from components.compression.compact import Compact
from components.compression.settings import CompressionSettings
from components.export import SERVING_DIR, load_trunk
from components.keras import keras, tf
from components.model_definition import ModelDefinition


@dataclass(frozen=True)
class Form:
    """One form of the model: score on the test split, size in bytes, and size after gzip (0: not measured)."""

    score: float
    size_bytes: int
    gzip_bytes: int = 0


@dataclass(frozen=True)
class CompressionReport:
    """What compression did, for each form the model exists in; `measured` is what a score is, such as `accuracy`."""

    measured: str
    forms: Mapping[str, Form]
    sparsity: float
    sparsity_by_layer: Mapping[str, float]

    def metrics(self) -> dict[str, float]:
        """Returns all figures as flat numbers."""
        flat = {"sparsity": self.sparsity}
        flat |= {f"sparsity_{layer}": value for layer, value in self.sparsity_by_layer.items()}
        for name, form in self.forms.items():
            flat |= {f"{name}_{self.measured}": form.score, f"{name}_bytes": form.size_bytes}
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


def _score(model: keras.Model | Compact, data: tf.data.Dataset, metric: keras.metrics.Metric) -> float:
    for inputs, labels in data:
        metric.update_state(labels, model(inputs, training=False))
    return float(metric.result())


def compress(
    places: Places, definition: ModelDefinition, *, batch_size: int, settings: CompressionSettings
) -> CompressionReport:
    """Prunes, quantizes with sparsity preserved, exports, and measures every form on the test split.

    Args:
        places: Where to read and write.
        definition: What the model is.
        batch_size: Examples in a training step.
        settings: Sparsity, epochs, learning rate.
    """
    keras.utils.set_random_seed(17)
    trained, learnt = load_trunk(places.model)
    course = pqat.Course(
        definition,
        definition.train_set(places.augmented_examples, learnt, batch_size=batch_size, seed=17),
        definition.eval_set(places.augmented_examples, learnt, batch_size=batch_size),
        settings,
    )
    test_set = definition.dataset(places.examples, records.JUDGED, learnt, batch_size=batch_size)

    quantized = pqat.quantize(pqat.prune(trained, course), course)
    served = Compact(quantized)

    serving_dir = Path(places.compressed_model) / SERVING_DIR
    definition.save(served, serving_dir, learnt)
    int8, float32 = tflite.convert(quantized, int8=True), tflite.convert(trained, int8=False)
    Path(places.tflite).mkdir(parents=True, exist_ok=True)
    (Path(places.tflite) / tflite.MODEL_FILE).write_bytes(int8)

    metric = definition.task.score
    float_dir = Path(places.model) / SERVING_DIR
    forms = {
        "float_saved_model": Form(_score(trained, test_set, metric()), tflite.folder_bytes(float_dir)),
        "compressed_saved_model": Form(_score(served, test_set, metric()), tflite.folder_bytes(serving_dir)),
        "float_tflite": Form(
            tflite.score(float32, test_set, metric()), len(float32), tflite.gzip_bytes(float32)
        ),
        "int8_tflite": Form(tflite.score(int8, test_set, metric()), len(int8), tflite.gzip_bytes(int8)),
    }
    return CompressionReport(
        definition.task.SCORE, forms, pqat.overall_sparsity(quantized), pqat.sparsity_by_layer(quantized)
    )
