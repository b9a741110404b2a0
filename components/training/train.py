"""The training loop: MirroredStrategy over all visible devices, resumable, observable."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from components import runtime
from components.families.interface import Learnt
from components.keras import keras, tf
from components.model_definition import ModelDefinition
from components.training.checkpoint import Progress
from components.training.settings import TrainingSettings

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Training:
    """A trained model and where it comes from.

    Attributes:
        model: With the weights of the best epoch.
        history: Values per epoch by metric name.
        best: The epoch, from 0, that the weights are from.
        replicas: Number of devices that took part.
        learnt: What preprocessing has learnt from the train split.
    """

    model: keras.Model
    history: Mapping[str, list[float]]
    best: int
    replicas: int
    learnt: Learnt


class _EndOfEpoch(keras.callbacks.Callback):
    """Takes note of each epoch, and stops the training when patience runs out.

    Keras's own EarlyStopping forgets at a new attempt what was best before, and restores the best weights only
    where it stopped the training itself.
    """

    def __init__(self, progress: Progress, checkpoint: tf.train.Checkpoint, patience: int) -> None:
        super().__init__()
        self.progress, self.checkpoint, self.patience = progress, checkpoint, patience

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        metrics = {name: float(value) for name, value in (logs or {}).items()}
        self.progress.complete(metrics, self.checkpoint.write)
        if self.progress.out_of_patience(self.patience):
            self.model.stop_training = True
        runtime.current().observe(metrics, epoch)


def _compiled(
    definition: ModelDefinition, network: Mapping[str, Any], settings: TrainingSettings, steps: int
) -> keras.Model:
    model = definition.build(network, seed=settings.seed)
    definition.compile(
        model, keras.optimizers.schedules.CosineDecay(settings.learning_rate, settings.epochs * steps)
    )
    return model


def train(
    examples_dir: str, definition: ModelDefinition, *, network: Mapping[str, Any], settings: TrainingSettings
) -> Training:
    """Trains on the split `train`, watches `eval`, keeps the weights with the best eval loss.

    One path for 0, 1 or N GPUs: the batch size is global, and each replica gets its share. A training that
    was interrupted goes on at the first epoch that was not completed, when it runs again in the same
    `runtime` work folder and under the same key; under another one it begins anew.

    Args:
        examples_dir: Examples artifact with the splits train and eval.
        definition: What the model is.
        network: The family's `NetworkSettings`.
        settings: Of the optimisation.
    """
    node = runtime.current()
    progress = Progress(node.work_dir / "checkpoint", node.key)
    first = len(progress.epochs)
    keras.utils.set_random_seed(settings.seed)
    learnt = definition.learn(examples_dir)
    train_set = definition.train_set(
        examples_dir,
        learnt,
        batch_size=settings.batch_size,
        seed=settings.seed + first,  # a later attempt does not repeat the orders of the first
    )
    eval_set = definition.eval_set(examples_dir, learnt, batch_size=settings.batch_size)
    strategy = tf.distribute.MirroredStrategy()
    with strategy.scope():
        model = _compiled(definition, network, settings, len(train_set))
        checkpoint = tf.train.Checkpoint(model=model)
    if first < settings.epochs and not progress.out_of_patience(settings.patience):
        if first:
            logger.info("Training goes on after epoch %d of %d", first, settings.epochs)
            with strategy.scope():
                checkpoint.read(progress.weights(first - 1))
        # Endless, and counted in steps: a distributed iterator is expensive to make, and Keras would otherwise
        # make one for each epoch and two for each validation.
        model.fit(
            train_set.repeat(),
            steps_per_epoch=len(train_set),
            validation_data=eval_set.repeat(),
            validation_steps=len(eval_set),
            initial_epoch=first,
            epochs=settings.epochs,
            verbose=2,
            callbacks=[_EndOfEpoch(progress, checkpoint, settings.patience)],
        )
    with strategy.scope():
        best = checkpoint.read(progress.weights(progress.best))
    best.assert_existing_objects_matched().expect_partial()  # an optimizer that took no step has no slots
    return Training(model, progress.history(), progress.best, strategy.num_replicas_in_sync, learnt)
