import logging
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from tensorflow.python.autograph.core import config as autograph

from components import records, runtime
from components.keras import LEFT_ALONE, keras
from components.model_definition import ModelDefinition
from components.training.checkpoint import Progress
from components.training.settings import TrainingSettings
from components.training.train import train

PROJECT = Path(__file__).parents[3]
DEFINITION = {
    "family": "components.families.image.model",
    "task": "components.tasks.classification.training",
    "record": {"image": {"height": 8, "width": 8, "channels": 1}},
    "target": {"classes": ["dark", "light"]},
    "weighing": {},
}
NETWORK = {"filters": 4, "dense_units": 4}
SETTINGS = TrainingSettings(epochs=3, batch_size=32, patience=10)
# The loss jumps about, and the last epoch is not the best one.
JUMPY = SETTINGS.model_copy(update={"learning_rate": 0.5})


class StoppedError(Exception):
    pass


ONLINE = {
    "augmentation": "components.families.image.augmentation",
    "policy": {"mode": "online", "mixup_alpha": 0.3},
}


def run(
    examples_dir, work_dir, observe=lambda metrics, step: None, settings=SETTINGS, key="a key", **changes
):
    definition = ModelDefinition.of(**DEFINITION | changes)
    with runtime.running(runtime.NodeContext(work_dir=work_dir, key=key, observe=observe)):
        return train(str(examples_dir), definition, network=NETWORK, settings=settings)


def stopping_after(epochs):
    def observe(metrics, step):
        if step == epochs - 1:
            raise StoppedError

    return observe


def eval_loss(model, examples_dir):
    definition = ModelDefinition.of(**DEFINITION)
    batches = definition.dataset(str(examples_dir), "eval", {}, batch_size=SETTINGS.batch_size)
    return model.evaluate(batches, verbose=0, return_dict=True)["loss"]


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
    with pytest.raises(StoppedError):
        run(examples_dir, tmp_path, stopping_after(2))
    before = Progress(tmp_path / "checkpoint", "a key").epochs
    resumed = []
    training = run(examples_dir, tmp_path, lambda metrics, step: resumed.append(step))
    assert resumed == [2]
    assert len(training.history["loss"]) == 3
    assert training.history["val_loss"][:2] == [epoch["val_loss"] for epoch in before]
    assert training.model.optimizer.iterations.numpy() % 3 == 0, "the schedule goes on too"


KILLED = """
import os, sys
from components import runtime
from components.model_definition import ModelDefinition
from components.training import checkpoint
from components.training.settings import TrainingSettings
from components.training.train import train
from pathlib import Path

examples, work, step, epoch = sys.argv[1:]

def dying(function, wanted=lambda *arguments: True):
    def called(*arguments, **named):
        if wanted(*arguments):
            os._exit(9)
        return function(*arguments, **named)
    return called

complete = checkpoint.Progress.complete
def watched(self, metrics, save):
    if len(self.epochs) == int(epoch):
        if step == "before the weights": save = dying(save)
        if step == "before the epoch is noted": self._write = dying(self._write)
        if step == "before the rename": Path.replace = dying(Path.replace)
        if step == "before older weights are deleted": checkpoint.shutil.rmtree = dying(
            checkpoint.shutil.rmtree, lambda folder, *more, **named: folder.name != f"epoch-{epoch}")
    complete(self, metrics, save)
checkpoint.Progress.complete = watched
with runtime.running(runtime.NodeContext(work_dir=Path(work), key="a key")):
    settings = TrainingSettings(epochs=3, batch_size=32, patience=10)
    train(examples, ModelDefinition.of(**DEFINITION), network=NETWORK, settings=settings)
"""


@pytest.mark.long
@pytest.mark.parametrize(
    ("step", "complete"),
    [
        ("before the weights", 1),
        ("before the epoch is noted", 1),
        ("before the rename", 1),
        ("before older weights are deleted", 2),
    ],
)
def test_a_training_that_is_killed_anywhere_at_the_end_of_an_epoch_goes_on(
    examples_dir, tmp_path, step, complete
):
    program = f"DEFINITION, NETWORK = {DEFINITION}, {NETWORK}\n{KILLED}"
    command = [sys.executable, "-c", program, str(examples_dir), str(tmp_path), step, "1"]
    killed = subprocess.run(command, cwd=PROJECT, check=False, capture_output=True, text=True)
    assert killed.returncode == 9, killed.stderr
    assert len(Progress(tmp_path / "checkpoint", "a key").epochs) == complete
    resumed = []
    training = run(examples_dir, tmp_path, lambda metrics, step: resumed.append(step))
    assert resumed == list(range(complete, 3))
    assert len(training.history["loss"]) == 3
    left = {path.name for path in (tmp_path / "checkpoint").glob("epoch-*")}
    assert left == {"epoch-2", f"epoch-{training.best}"}


def test_under_another_key_a_training_begins_anew_and_says_so(examples_dir, tmp_path, caplog):
    wrong = tmp_path / "wrong labels"
    for split in records.SPLITS:
        turned = []
        for example in records.read_split(examples_dir, split):
            label = example.features.feature[records.LABEL].int64_list.value
            label[0] = 1 - label[0]
            turned.append(example)
        records.write_split(wrong, split, iter(turned))
    with pytest.raises(StoppedError):
        run(wrong, tmp_path, stopping_after(2), key="wrong labels")
    with caplog.at_level(logging.INFO, "components"):
        training = run(examples_dir, tmp_path, key="repaired")
    assert "Training begins anew" in caplog.text
    assert len(training.history["loss"]) == 3
    scratch = run(examples_dir, tmp_path / "scratch", key="repaired")
    assert training.history == scratch.history


def test_what_an_earlier_version_left_without_a_key_is_not_used(examples_dir, tmp_path):
    (tmp_path / "checkpoint" / "backup").mkdir(parents=True)
    assert len(run(examples_dir, tmp_path).history["loss"]) == 3
    assert not (tmp_path / "checkpoint" / "backup").exists()


def test_the_model_handed_on_is_that_of_the_best_epoch_and_so_are_its_metrics(examples_dir, tmp_path):
    training = run(examples_dir, tmp_path, settings=JUMPY)
    losses = training.history["val_loss"]
    assert len(losses) == 3
    assert training.best == losses.index(min(losses))
    assert training.best < 2, "else this test shows nothing"
    assert eval_loss(training.model, examples_dir) == pytest.approx(min(losses), rel=1e-4)


def test_an_attempt_that_was_stopped_after_its_last_epoch_hands_on_the_best_one(examples_dir, tmp_path):
    with pytest.raises(StoppedError):
        run(examples_dir, tmp_path, stopping_after(3), JUMPY)
    resumed = []
    training = run(examples_dir, tmp_path, lambda metrics, step: resumed.append(step), JUMPY)
    assert resumed == []
    assert eval_loss(training.model, examples_dir) == pytest.approx(
        training.history["val_loss"][training.best], rel=1e-4
    )


def test_patience_counts_over_all_attempts(tmp_path):
    for loss in (1.0, 0.5, 0.6, 0.7):  # an attempt for each epoch
        progress = Progress(tmp_path, "a key")
        assert not progress.out_of_patience(2)
        progress.complete({"val_loss": loss}, lambda prefix: Path(prefix).touch())
    assert progress.out_of_patience(2)
    assert not progress.out_of_patience(3)
    assert progress.best == 1


def test_a_training_that_ran_out_of_patience_stops_and_stays_stopped(examples_dir, tmp_path):
    settings = SETTINGS.model_copy(update={"epochs": 50, "learning_rate": 0.5, "patience": 2})
    training = run(examples_dir, tmp_path, settings=settings)
    assert len(training.history["loss"]) == training.best + 3 < 50
    resumed = []
    again = run(examples_dir, tmp_path, lambda metrics, step: resumed.append(step), settings)
    assert (resumed, again.history) == ([], training.history)


def test_an_epoch_without_a_loss_is_never_the_best(tmp_path):
    progress = Progress(tmp_path, "a key")
    for loss in (float("nan"), 0.5, float("nan")):
        progress.complete({"val_loss": loss}, lambda prefix: Path(prefix).touch())
    assert Progress(tmp_path, "a key").best == 1


def test_the_same_seed_gives_the_same_weights_where_training_changes_the_images(examples_dir, tmp_path):
    first, again = (run(examples_dir, tmp_path / name, **ONLINE).model.get_weights() for name in ("a", "b"))
    for one, other in zip(first, again, strict=True):
        assert np.array_equal(one, other)


def test_a_training_that_changes_the_images_goes_on_where_it_was_interrupted(examples_dir, tmp_path):
    with pytest.raises(StoppedError):
        run(examples_dir, tmp_path, stopping_after(2), **ONLINE)
    resumed = []
    training = run(examples_dir, tmp_path, lambda metrics, step: resumed.append(step), **ONLINE)
    assert resumed == [2]
    assert len(training.history["val_loss"]) == 3
