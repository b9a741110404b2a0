"""What nodes that train are told of the configuration."""

from typing import Any

from components.families.sections import AugmentationSettings
from components.settings import part
from components.training.settings import TrainingSettings
from pipelines.definition.config import PipelineConfig


def of_variation(config: PipelineConfig) -> dict[str, Any]:
    """Returns what `ModelDefinition.of` is told of the augmentation: nothing, unless it happens while training."""
    augmentation = config.section("augment")
    if not isinstance(augmentation, AugmentationSettings) or augmentation.mode != "online":
        return {"augmentation": "", "policy": {}}
    # The rest made the copies that are there.
    policy = augmentation.model_dump(mode="json", exclude={"factor", "seed", "balance"})
    return {"augmentation": config.family_module("augmentation"), "policy": policy}


def of_training(config: PipelineConfig) -> dict[str, Any]:
    """Returns what `components.training.run_fn` is told."""
    return {
        "family": config.family_module("model"),
        "task": config.task_module("training"),
        "record": config.record.model_dump(),
        "target": config.target.model_dump(),
        "weighing": part(config.train, config.task_settings.TrainingSettings).model_dump(),
        "network": part(config.train, config.family_settings.NetworkSettings).model_dump(),
        "settings": part(config.train, TrainingSettings).model_dump(),
        **of_variation(config),
    }
