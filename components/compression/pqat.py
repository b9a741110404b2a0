"""Prunes a model, then trains it quantization-aware with its zeros preserved. Knows Keras, nothing of TFX.

Method: magnitude pruning on a polynomial schedule (Zhu and Gupta, 2017, arXiv:1710.01878), then the
collaborative optimization PQAT of the TensorFlow Model Optimization toolkit.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import tensorflow_model_optimization as tfmot
from tensorflow_model_optimization.python.core.quantization.keras.collab_opts.prune_preserve import (
    default_8bit_prune_preserve_quantize_scheme as prune_preserve,
)

from components import runtime
from components.compression.settings import CompressionSettings
from components.keras import keras, tf
from components.model_definition import ModelDefinition

PRUNABLE = (keras.layers.Conv2D, keras.layers.Dense)


class _Observed(keras.callbacks.Callback):
    """Reports the metrics of each epoch under a prefix, steps counted from `first_step`."""

    def __init__(self, prefix: str, first_step: int) -> None:
        super().__init__()
        self.prefix, self.first_step = prefix, first_step

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        metrics = {f"{self.prefix}_{name}": float(value) for name, value in (logs or {}).items()}
        runtime.current().observe(metrics, self.first_step + epoch)


def copy_of(model: keras.Model) -> keras.Model:
    """Returns an independent copy. Pruning wraps the very layers it is given, so it gets a copy."""
    copied = keras.models.clone_model(model)
    copied.set_weights(model.get_weights())
    return copied


@dataclass(frozen=True)
class Course:
    """What to train on, and towards what.

    Attributes:
        definition: Of the model.
        train_set: Batches of the train split, shuffled.
        eval_set: Batches of the eval split.
        settings: Sparsity, epochs, learning rate.
    """

    definition: ModelDefinition
    train_set: tf.data.Dataset
    eval_set: tf.data.Dataset
    settings: CompressionSettings

    def fit(self, model: keras.Model, epochs: int, callbacks: Sequence[keras.callbacks.Callback]) -> None:
        """Trains `model` for some epochs."""
        self.definition.compile(model, self.settings.learning_rate)
        model.fit(
            self.train_set,
            validation_data=self.eval_set,
            epochs=epochs,
            verbose=2,
            callbacks=list(callbacks),
        )


def prune(model: keras.Model, course: Course) -> keras.Model:
    """Returns a pruned copy of `model`, its wrappers stripped; `model` itself is left as it was."""
    steps, settings = len(course.train_set), course.settings
    schedule = tfmot.sparsity.keras.PolynomialDecay(
        initial_sparsity=0.0,
        final_sparsity=settings.final_sparsity,
        begin_step=0,
        # The last third is for recovery at full sparsity.
        end_step=max(1, steps * settings.prune_epochs * 2 // 3),
        frequency=max(1, min(16, steps // 4)),
    )
    wrapped = tfmot.sparsity.keras.prune_low_magnitude(copy_of(model), pruning_schedule=schedule)
    callbacks = [tfmot.sparsity.keras.UpdatePruningStep(), _Observed("prune", 0)]
    course.fit(wrapped, settings.prune_epochs, callbacks)
    return tfmot.sparsity.keras.strip_pruning(wrapped)


def quantize(pruned: keras.Model, course: Course) -> keras.Model:
    """Returns a quantization-aware model whose pruned weights stayed zero."""
    annotated = tfmot.quantization.keras.quantize_annotate_model(pruned)
    model = tfmot.quantization.keras.quantize_apply(
        annotated, prune_preserve.Default8BitPrunePreserveQuantizeScheme()
    )
    course.fit(model, course.settings.quantize_epochs, [_Observed("quantize", course.settings.prune_epochs)])
    return model


def sparsity_by_layer(model: keras.Model) -> Mapping[str, float]:
    """Returns the share of zero weights in the kernel of each convolution and dense layer."""
    found = {}
    for layer in model.layers:
        inner = getattr(layer, "layer", layer)
        if isinstance(inner, PRUNABLE):
            # Quantization wrappers hold the kernel as the first trainable weight of that name.
            kernel = next(weight for weight in layer.weights if "kernel" in weight.name)
            found[inner.name] = float(np.mean(kernel.numpy() == 0))
    return found


def overall_sparsity(model: keras.Model) -> float:
    """Returns the share of zeros over the kernels of all prunable layers together."""
    zeros = total = 0
    for layer in model.layers:
        if isinstance(getattr(layer, "layer", layer), PRUNABLE):
            kernel = next(weight for weight in layer.weights if "kernel" in weight.name).numpy()
            zeros, total = zeros + int((kernel == 0).sum()), total + kernel.size
    return zeros / total
