"""What one pipeline's model is: its family and its task, with their settings. Knows Keras, nothing of TFX."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components import plugins, records
from components.export import Trunk, save_served_model
from components.families import interface as family_interface
from components.families.interface import Learnt
from components.keras import keras, tf
from components.tasks import interface as task_interface
from components.variation import Variation


@dataclass(frozen=True)
class ModelDefinition:
    """A family's model, with the end that a task puts to it.

    Attributes:
        family: Input, networks and signatures.
        task: Outputs, loss and metrics.
        record: What a record is.
        target: What is to be learnt.
        weighing: What examples count in training.
        variation: What changes examples while training; `None` for nothing.
    """

    family: family_interface.Model
    task: task_interface.Training
    record: Any
    target: Any
    weighing: Any
    variation: Variation | None = None

    @classmethod
    def of(
        cls,
        family: str,
        task: str,
        *,
        record: Mapping[str, Any],
        target: Mapping[str, Any],
        weighing: Mapping[str, Any],
        augmentation: str = "",
        policy: Mapping[str, Any] | None = None,
    ) -> "ModelDefinition":
        """Reads what a node is told.

        Args:
            family: Dotted name of the family's module `model`.
            task: Dotted name of the task's module `training`.
            record: The family's `RecordSettings`.
            target: The task's `TargetSettings`.
            weighing: The task's `TrainingSettings`.
            augmentation: Dotted name of the family's module `augmentation`, where training changes examples.
            policy: The family's `AugmentationSettings`, for that module.

        Raises:
            SettingsError: If a module is missing or incomplete.
        """
        of_family = plugins.load(family, family_interface.Model)
        of_task = plugins.load(task, task_interface.Training)
        of_record = of_family.RecordSettings.model_validate(record)
        of_target = of_task.TargetSettings.model_validate(target)
        return cls(
            of_family,
            of_task,
            of_record,
            of_target,
            of_task.TrainingSettings.model_validate(weighing),
            Variation.of(augmentation, policy or {}, of_record) if augmentation else None,
        )

    def learn(self, examples_dir: str) -> Learnt:
        """Returns what preprocessing learns from the train split."""
        return self.family.learn(examples_dir, self.record)

    def dataset(
        self,
        examples_dir: str,
        split: str,
        learnt: Learnt,
        *,
        batch_size: int,
        shuffle_seed: int | None = None,
        weighted: bool = False,
    ) -> tf.data.Dataset:
        """Returns batches of one split, (what the trunk takes, label); see `components.input_pipeline.batches`."""
        return self.family.dataset(
            examples_dir,
            split,
            self.record,
            learnt,
            label=self.task.LABEL,
            batch_size=batch_size,
            shuffle_seed=shuffle_seed,
            weighted=weighted,
        )

    def train_set(self, examples_dir: str, learnt: Learnt, *, batch_size: int, seed: int) -> tf.data.Dataset:
        """Returns shuffled batches of the train split, with the weight of each example where there is one."""
        data = self.dataset(
            examples_dir,
            "train",
            learnt,
            batch_size=batch_size,
            shuffle_seed=seed,
            weighted=records.has_weights(examples_dir),
        )
        data = self._labelled(self.task.weigh(data, examples_dir, self.target, self.weighing))
        return self.variation.varied(data, seed) if self.variation else data

    def eval_set(self, examples_dir: str, learnt: Learnt, *, batch_size: int) -> tf.data.Dataset:
        """Returns batches of the split that training is watched on, labelled as those of `train_set` are."""
        return self._labelled(self.dataset(examples_dir, "eval", learnt, batch_size=batch_size))

    @property
    def _mixes(self) -> bool:
        return bool(self.variation and self.variation.mixup_alpha)

    def _labelled(self, data: tf.data.Dataset) -> tf.data.Dataset:
        if not self._mixes:
            return data

        @tf.autograph.experimental.do_not_convert
        def softened(inputs: tf.Tensor, label: tf.Tensor, *weights: tf.Tensor) -> tuple[tf.Tensor, ...]:
            return inputs, self.task.soft(label, self.target), *weights

        return data.map(softened, tf.data.AUTOTUNE)

    def build(self, network: Mapping[str, Any], *, seed: int) -> keras.Model:
        """Returns an uncompiled trunk; `network` is the family's `NetworkSettings`."""
        settings = self.family.NetworkSettings.model_validate(network)
        return self.family.build(self.record, self.task.head(self.target), settings, seed=seed)

    def compile(self, trunk: keras.Model, rate: Any) -> None:
        """Compiles a trunk with Adam at a learning rate or schedule."""
        loss = self.task.SOFT_LOSS if self._mixes else self.task.LOSS
        trunk.compile(optimizer=keras.optimizers.Adam(rate), loss=loss, metrics=list(self.task.METRICS))

    def save(self, trunk: Trunk, target_dir: str | Path, learnt: Learnt) -> None:
        """Writes the SavedModel that is served."""

        def answer(prepared: tf.Tensor) -> dict[str, tf.Tensor]:
            return self.task.answers(trunk(prepared, training=False), self.target)

        save_served_model(trunk, target_dir, self.family.signatures(answer, self.record, learnt))
