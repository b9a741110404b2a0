"""Keras 2 (tf_keras) as every component uses it. Import this before building or loading a model.

TensorFlow's AutoGraph leaves the package `keras` alone but rewrites the source of `tf_keras` and of the
model optimization toolkit, function by function, on the first `fit` of each process: about 10 s for the
same result. The rules below leave both alone.
"""

import os

from contract import environment

os.environ.update(environment.for_tensorflow())

import tensorflow as tf
from tensorflow.python.autograph.core import config as autograph

LEFT_ALONE = ("tf_keras", "tensorflow_model_optimization")

autograph.CONVERSION_RULES = (
    *(autograph.DoNotConvert(package) for package in LEFT_ALONE),
    *autograph.CONVERSION_RULES,
)

keras = tf.keras
