import numpy as np
import pytest

from components.compression import pqat, tflite
from components.compression.settings import CompressionSettings

SETTINGS = CompressionSettings(final_sparsity=0.6, prune_epochs=3, quantize_epochs=1)


@pytest.fixture(scope="module")
def data(definition, examples_dir):
    return {
        split: definition.dataset(examples_dir, split, {}, batch_size=16)
        for split in ("train", "eval", "test")
    }


@pytest.fixture(scope="module")
def trained(definition):
    return definition.build({"filters": 8, "dense_units": 16}, seed=17)


@pytest.fixture(scope="module")
def quantized(definition, trained, data):
    course = pqat.Course(definition, data["train"], data["eval"], SETTINGS)
    return pqat.quantize(pqat.prune(trained, course), course)


def test_compression_leaves_the_trained_model_as_it_was(trained, quantized):
    assert pqat.overall_sparsity(trained) < 0.01
    assert "prune" not in trained.layers[1].name


def test_quantization_keeps_what_pruning_set_to_zero(quantized):
    assert pqat.overall_sparsity(quantized) == pytest.approx(0.6, abs=0.01)
    by_layer = pqat.sparsity_by_layer(quantized)
    assert set(by_layer) == {"conv2d", "conv2d_1", "dense", "probabilities"} or len(by_layer) == 4
    assert min(by_layer.values()) > 0.5


def test_the_int8_file_is_smaller_and_as_good(definition, trained, quantized, data):
    int8, float32 = tflite.convert(quantized, int8=True), tflite.convert(trained, int8=False)
    assert len(int8) < len(float32) / 2
    assert tflite.gzip_bytes(int8) < len(int8)
    images, labels = next(iter(data["test"].as_numpy_iterator()))
    expected = np.mean(np.argmax(quantized(images, training=False), -1) == labels)
    score = tflite.score(int8, data["test"].take(1), definition.task.score())
    assert score == pytest.approx(expected, abs=0.1)
