"""Augmentation while training: every example of a batch changed anew in each epoch, and mixed with another one."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from components import plugins
from components.families.interface import Augmentation
from components.keras import tf


@dataclass(frozen=True)
class Variation:
    """What is done to the examples of a batch.

    Attributes:
        change: From what the network takes of one example, and a key, int64 `[]`, to the same changed.
        mixup_alpha: Of mixup's Beta distribution; 0 for none.
    """

    change: Callable[[tf.Tensor, tf.Tensor], tf.Tensor]
    mixup_alpha: float

    @classmethod
    def of(cls, augmentation: str, policy: Mapping[str, Any], record: Any) -> "Variation":
        """Reads what a node is told: dotted name of the family's module `augmentation`, and its settings.

        Raises:
            SettingsError: If the module is missing or incomplete.
        """
        family = plugins.load(augmentation, Augmentation)
        settings = family.AugmentationSettings.model_validate(policy)
        return cls(family.online(record, settings), settings.mixup_alpha)

    def varied(self, data: tf.data.Dataset, seed: int) -> tf.data.Dataset:
        """Changes batches of (inputs, labels) or (inputs, labels, weights).

        Args:
            data: One epoch each time that it is read. Labels are soft where `mixup_alpha` is not 0.
            seed: The same one gives the same changes in each epoch, and other changes in every other one.
        """
        keys = tf.data.Dataset.random(seed, rerandomize_each_iteration=True)

        @tf.autograph.experimental.do_not_convert
        def varied(batch: tuple[tf.Tensor, ...], key: tf.Tensor) -> tuple[tf.Tensor, ...]:
            apart, together = tf.unstack(tf.random.experimental.stateless_split(tf.stack([key, seed]), 2))
            inputs, *rest = batch
            every = tf.random.stateless_uniform([tf.shape(inputs)[0]], apart, None, None, tf.int64)
            changed = tf.map_fn(
                lambda each: self.change(*each), (inputs, every), fn_output_signature=inputs.dtype
            )
            changed = tf.ensure_shape(changed, inputs.shape)
            return (
                mixed((changed, *rest), self.mixup_alpha, together) if self.mixup_alpha else (changed, *rest)
            )

        return tf.data.Dataset.zip((data, keys)).map(varied, tf.data.AUTOTUNE).prefetch(tf.data.AUTOTUNE)


def mixed(batch: tuple[tf.Tensor, ...], alpha: float, seed: tf.Tensor) -> tuple[tf.Tensor, ...]:
    """Mixes each example with another one of its batch: mixup, by Zhang et al., 2017, arXiv:1710.09412.

    Args:
        batch: Inputs float32 `[n, ...]`, soft labels float32 `[n, outputs]`, and perhaps weights float32 `[n]`.
        alpha: An example's share in its mixture is drawn from Beta(alpha, alpha).
        seed: int64 `[2]`.

    Returns:
        The same shapes. A mixture counts as much as its parts do together, and its label is theirs by how much each
        counts.
    """
    order, first, second = tf.unstack(tf.random.experimental.stateless_split(seed, 3))
    inputs, labels, *weights = batch
    count = tf.shape(labels)[0]
    others = tf.random.experimental.stateless_shuffle(tf.range(count), order)
    drawn = [tf.random.stateless_gamma([count], each, alpha) for each in (first, second)]
    share = tf.math.divide_no_nan(drawn[0], drawn[0] + drawn[1])  # both may be too small for a float32
    counted = [share, 1 - share]
    if weights:
        counted = [share * weights[0], (1 - share) * tf.gather(weights[0], others)]
    total = counted[0] + counted[1]
    label = _sum(labels, others, [each / total for each in counted])
    return (_sum(inputs, others, [share, 1 - share]), label, *([total] if weights else []))


def _sum(values: tf.Tensor, others: tf.Tensor, shares: list[tf.Tensor]) -> tf.Tensor:
    shape = tf.concat([tf.shape(others), tf.ones([values.shape.rank - 1], tf.int32)], 0)
    own, other = (tf.reshape(share, shape) for share in shares)
    return own * values + other * tf.gather(values, others)
