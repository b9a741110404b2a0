"""What TFX's Trainer calls. Unpacks its arguments, trains, writes model and report."""

from pathlib import Path

from tfx import v1 as tfx

from components.export import save_served_model, save_trunk
from components.records import ImageShape
from components.report import write
from components.training.curves import draw
from components.training.settings import TrainingSettings
from components.training.train import train


def run_fn(fn_args: tfx.components.FnArgs) -> None:
    """Trains and writes `Format-Serving` (three signatures) and `Format-Keras` (the trunk).

    Args:
        fn_args: Its `custom_config` holds `settings` (TrainingSettings), `classes` and `image_shape`.
    """
    config = fn_args.custom_config
    shape = ImageShape(**config["image_shape"])
    settings = TrainingSettings(**config["settings"])
    # Trainer hands over file patterns, <artifact>/Split-train/*; the splits are read by name.
    examples_dir = str(Path(fn_args.train_files[0]).parent.parent)
    training = train(examples_dir, shape=shape, n_classes=len(config["classes"]), settings=settings)
    save_served_model(training.model, fn_args.serving_model_dir, classes=config["classes"], shape=shape)
    save_trunk(training.model, Path(fn_args.serving_model_dir).parent)
    folder = write(
        fn_args.model_run_dir,
        metrics={"epochs_trained": len(training.history["loss"])}
        | {f"best_{name}": values[training.best] for name, values in training.history.items()},
        parameters={"replicas": training.replicas, "model_parameters": training.model.count_params()},
    )
    draw(training.history, folder / "training_curves.png")
