"""The training loop: MirroredStrategy over all visible devices, resumable, observable."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from components import records, runtime
from components.keras import keras, tf
from components.training.model import build
from components.training.settings import TrainingSettings


@dataclass(frozen=True)
class Training:
    """A trained model, its per-epoch metrics (name to values) and the number of replicas."""

    model: keras.Model
    history: Mapping[str, list[float]]
    replicas: int


class _History(keras.callbacks.Callback):
    """Keeps per-epoch metrics in a file, so that a resumed training still knows its first epochs."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        metrics = {name: float(value) for name, value in (logs or {}).items()}
        with self.path.open("a") as file:
            file.write(json.dumps({"epoch": epoch, **metrics}) + "\n")
        runtime.current().observe(metrics, epoch)

    def read(self) -> dict[str, list[float]]:
        """Returns the values of each metric in the order of the epochs."""
        by_epoch = {line["epoch"]: line for line in map(json.loads, self.path.read_text().splitlines())}
        history: dict[str, list[float]] = {}
        for _, line in sorted(by_epoch.items()):
            for name, value in line.items():
                if name != "epoch":
                    history.setdefault(name, []).append(value)
        return history


def _checkpoint_dir() -> Path:
    folder = runtime.current().work_dir / "checkpoint"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def train(
    examples_dir: str, *, shape: records.ImageShape, n_classes: int, settings: TrainingSettings
) -> Training:
    """Trains on the split `train`, watches `eval`, keeps the weights with the best eval loss.

    One path for 0, 1 or N GPUs: the batch size is global, and each replica gets its share. A training that
    was interrupted goes on at the first epoch that was not completed, when it runs again in the same
    `runtime` work folder.

    Args:
        examples_dir: Examples artifact with the splits train and eval.
        shape: What the model takes.
        n_classes: Number of classes.
        settings: Hyperparameters.
    """
    keras.utils.set_random_seed(settings.seed)
    train_set = records.dataset(
        examples_dir, "train", shape, batch_size=settings.batch_size, shuffle_seed=settings.seed
    )
    eval_set = records.dataset(examples_dir, "eval", shape, batch_size=settings.batch_size)
    strategy = tf.distribute.MirroredStrategy()
    with strategy.scope():
        model = build(shape, n_classes, settings)
        model.compile(
            optimizer=keras.optimizers.Adam(
                keras.optimizers.schedules.CosineDecay(
                    settings.learning_rate, settings.epochs * len(train_set)
                )
            ),
            loss="sparse_categorical_crossentropy",
            metrics=["accuracy"],
        )
    folder = _checkpoint_dir()
    history = _History(folder / "history.jsonl")
    # Endless, and counted in steps: a distributed iterator is expensive to make, and Keras would otherwise
    # make one for each epoch and two for each validation.
    model.fit(
        train_set.repeat(),
        steps_per_epoch=len(train_set),
        validation_data=eval_set.repeat(),
        validation_steps=len(eval_set),
        epochs=settings.epochs,
        verbose=2,
        callbacks=[
            keras.callbacks.BackupAndRestore(str(folder / "backup")),
            history,
            keras.callbacks.EarlyStopping("val_loss", patience=settings.patience, restore_best_weights=True),
        ],
    )
    return Training(model, history.read(), strategy.num_replicas_in_sync)
