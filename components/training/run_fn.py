"""What TFX's Trainer calls. Unpacks its arguments, trains, writes model and report."""

from pathlib import Path

from tfx import v1 as tfx

from components.export import save_trunk
from components.model_definition import ModelDefinition
from components.report import write
from components.training.curves import draw
from components.training.settings import TrainingSettings
from components.training.train import train


def run_fn(fn_args: tfx.components.FnArgs) -> None:
    """Trains and writes `Format-Serving` (what is served) and `Format-Keras` (the trunk).

    Args:
        fn_args: Its `custom_config` holds `family` and `task` (dotted names of the modules `model` and `training`),
            `record`, `target`, `weighing`, `augmentation` and `policy` (see `ModelDefinition.of`), `network` (the
            family's `NetworkSettings`) and `settings` (TrainingSettings).
    """
    config = fn_args.custom_config
    definition = ModelDefinition.of(
        config["family"],
        config["task"],
        record=config["record"],
        target=config["target"],
        weighing=config["weighing"],
        augmentation=config["augmentation"],
        policy=config["policy"],
    )
    settings = TrainingSettings(**config["settings"])
    # Trainer hands over file patterns, <artifact>/Split-train/*; the splits are read by name.
    examples_dir = str(Path(fn_args.train_files[0]).parent.parent)
    training = train(examples_dir, definition, network=config["network"], settings=settings)
    definition.save(training.model, fn_args.serving_model_dir, training.learnt)
    save_trunk(training.model, Path(fn_args.serving_model_dir).parent, training.learnt)
    folder = write(
        fn_args.model_run_dir,
        metrics={"epochs_trained": len(training.history["loss"])}
        | {f"best_{name}": values[training.best] for name, values in training.history.items()},
        parameters={"replicas": training.replicas, "model_parameters": training.model.count_params()},
    )
    draw(training.history, folder / "training_curves.png")
