import numpy as np
import pytest

from components import records
from components.compression import pqat, tflite
from components.compression.settings import CompressionSettings
from components.training.model import build
from components.training.settings import TrainingSettings

SHAPE = records.ImageShape(8, 8, 1)
SETTINGS = CompressionSettings(final_sparsity=0.6, prune_epochs=3, quantize_epochs=1)


@pytest.fixture(scope="module")
def data(examples_dir):
    return {
        split: records.dataset(examples_dir, split, SHAPE, batch_size=16)
        for split in ("train", "eval", "test")
    }


@pytest.fixture(scope="module")
def trained():
    return build(SHAPE, 2, TrainingSettings(filters=8, dense_units=16))


@pytest.fixture(scope="module")
def quantized(trained, data):
    pruned = pqat.prune(trained, data["train"], data["eval"], SETTINGS)
    return pqat.quantize(pruned, data["train"], data["eval"], SETTINGS)


def test_compression_leaves_the_trained_model_as_it_was(trained, quantized):
    assert pqat.overall_sparsity(trained) < 0.01
    assert "prune" not in trained.layers[1].name


def test_quantization_keeps_what_pruning_set_to_zero(quantized):
    assert pqat.overall_sparsity(quantized) == pytest.approx(0.6, abs=0.01)
    by_layer = pqat.sparsity_by_layer(quantized)
    assert set(by_layer) == {"conv2d", "conv2d_1", "dense", "probabilities"} or len(by_layer) == 4
    assert min(by_layer.values()) > 0.5


def test_the_int8_file_is_smaller_and_as_good(trained, quantized, data):
    int8, float32 = tflite.convert(quantized, int8=True), tflite.convert(trained, int8=False)
    assert len(int8) < len(float32) / 2
    assert tflite.gzip_bytes(int8) < len(int8)
    images, labels = next(iter(data["test"].as_numpy_iterator()))
    expected = np.mean(np.argmax(quantized(images, training=False), -1) == labels)
    assert tflite.accuracy(int8, data["test"].take(1)) == pytest.approx(expected, abs=0.1)
