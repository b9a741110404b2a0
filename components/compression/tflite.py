"""TFLite files: conversion, score, and size as it travels."""

import gzip
from pathlib import Path

from ai_edge_litert.interpreter import Interpreter

from components.keras import keras, tf

MODEL_FILE = "model.tflite"


def convert(model: keras.Model, *, int8: bool) -> bytes:
    """Returns `model` as a TFLite flatbuffer.

    Args:
        model: Float, or quantization-aware when `int8`.
        int8: Stores weights and runs the layers in 8 bits; input and output stay float32.
    """
    # Not from_keras_model: that first saves everything the model could ever do, for four times as long.
    taken = tf.TensorSpec([None, *model.input_shape[1:]], tf.float32, name=model.input_names[0])
    predict = tf.function(lambda inputs: model(inputs, training=False), input_signature=[taken])
    weights = tf.Module()
    weights.variables_of_the_model = list(model.weights)
    converter = tf.lite.TFLiteConverter.from_concrete_functions([predict.get_concrete_function()], weights)
    if int8:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    return converter.convert()


def score(flatbuffer: bytes, data: tf.data.Dataset, metric: keras.metrics.Metric) -> float:
    """Returns what `metric` measures on batches of (what the network takes, labels)."""
    interpreter = Interpreter(model_content=flatbuffer, num_threads=2)
    (source,), (target,) = interpreter.get_input_details(), interpreter.get_output_details()
    for inputs, labels in data.as_numpy_iterator():
        interpreter.resize_tensor_input(source["index"], inputs.shape)
        interpreter.allocate_tensors()
        interpreter.set_tensor(source["index"], inputs)
        interpreter.invoke()
        metric.update_state(labels, interpreter.get_tensor(target["index"]))
    return float(metric.result())


def gzip_bytes(content: bytes) -> int:
    """Returns the size after gzip at its strongest setting, without a time stamp."""
    return len(gzip.compress(content, compresslevel=9, mtime=0))


def folder_bytes(folder: Path) -> int:
    """Returns the size of all files below `folder`."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
