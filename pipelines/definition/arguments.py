"""What nodes are told: those that train, of the configuration; those that are Beam pipelines, how to run."""

from typing import Any

from components.families.sections import AugmentationSettings
from components.settings import part
from components.training.settings import TrainingSettings
from pipelines.definition.config import PipelineConfig

# In the node's own process.
BEAM_ARGS = [
    # The direct runner would first try Prism: a Go program that it fetches from the network.
    "--runner=FnApiRunner",
    # Without the name of an image, TFX packs itself into an sdist for each Beam node, in case its workers are
    # elsewhere. These run in the node's own process, and no image is used.
    "--sdk_container_image=none",
    # The graphs are TFX's own; checking their types anew in each run takes longer than some of them run.
    "--no_pipeline_type_check",
]


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
