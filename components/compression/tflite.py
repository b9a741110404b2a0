"""TFLite files: conversion, accuracy, and size as it travels."""

import gzip
from pathlib import Path

import numpy as np

from components.keras import keras, tf

MODEL_FILE = "model.tflite"


def convert(model: keras.Model, *, int8: bool) -> bytes:
    """Returns `model` as a TFLite flatbuffer.

    Args:
        model: Float, or quantization-aware when `int8`.
        int8: Stores weights and runs the layers in 8 bits; input and output stay float32.
    """
    # Not from_keras_model: that first saves everything the model could ever do, for four times as long.
    pixels = tf.TensorSpec([None, *model.input_shape[1:]], tf.float32, name="image")
    predict = tf.function(lambda image: model(image, training=False), input_signature=[pixels])
    weights = tf.Module()
    weights.variables_of_the_model = list(model.weights)
    converter = tf.lite.TFLiteConverter.from_concrete_functions([predict.get_concrete_function()], weights)
    if int8:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    return converter.convert()


def accuracy(flatbuffer: bytes, data: tf.data.Dataset) -> float:
    """Returns the share of right answers on batches of (float32 images in [0, 1], int64 labels)."""
    interpreter = tf.lite.Interpreter(model_content=flatbuffer, num_threads=2)
    (source,), (target,) = interpreter.get_input_details(), interpreter.get_output_details()
    right = total = 0
    for images, labels in data.as_numpy_iterator():
        interpreter.resize_tensor_input(source["index"], images.shape)
        interpreter.allocate_tensors()
        interpreter.set_tensor(source["index"], images)
        interpreter.invoke()
        answers = np.argmax(interpreter.get_tensor(target["index"]), axis=-1)
        right, total = right + int((answers == labels).sum()), total + len(labels)
    return right / total


def gzip_bytes(content: bytes) -> int:
    """Returns the size after gzip at its strongest setting, without a time stamp."""
    return len(gzip.compress(content, compresslevel=9, mtime=0))


def folder_bytes(folder: Path) -> int:
    """Returns the size of all files below `folder`."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
