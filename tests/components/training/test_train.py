import pytest
from tensorflow.python.autograph.core import config as autograph

from components import records, runtime
from components.keras import LEFT_ALONE, keras
from components.training.settings import TrainingSettings
from components.training.train import train

SHAPE = records.ImageShape(8, 8, 1)
SETTINGS = TrainingSettings(epochs=3, filters=4, dense_units=4, batch_size=32, patience=10)


class StoppedError(Exception):
    pass


def run(examples_dir, work_dir, observe, settings=SETTINGS):
    with runtime.running(runtime.NodeContext(work_dir=work_dir, observe=observe)):
        return train(str(examples_dir), shape=SHAPE, n_classes=2, settings=settings)


def test_autograph_leaves_keras_and_the_optimization_toolkit_alone():
    left_alone = [rule for rule in autograph.CONVERSION_RULES if type(rule).__name__ == "DoNotConvert"]
    for package in LEFT_ALONE:
        assert any(rule.matches(f"{package}.some.module") for rule in left_alone)
    assert "tf_keras" in keras.Model.__module__


def test_every_epoch_is_observed_while_training_runs(examples_dir, tmp_path):
    seen = []
    training = run(examples_dir, tmp_path, lambda metrics, step: seen.append((step, set(metrics))))
    assert seen == [(epoch, {"loss", "accuracy", "val_loss", "val_accuracy"}) for epoch in range(3)]
    assert len(training.history["loss"]) == 3
    assert training.replicas >= 1


def test_an_interrupted_training_goes_on_at_the_epoch_that_was_not_completed(examples_dir, tmp_path):
    def stop_in_the_third_epoch(metrics, step):
        if step == 2:
            raise StoppedError

    with pytest.raises(StoppedError):
        run(examples_dir, tmp_path, stop_in_the_third_epoch, SETTINGS.model_copy(update={"epochs": 4}))
    resumed = []
    training = run(
        examples_dir,
        tmp_path,
        lambda metrics, step: resumed.append(step),
        SETTINGS.model_copy(update={"epochs": 4}),
    )
    assert resumed[0] in (2, 3)
    assert len(training.history["loss"]) == 4
