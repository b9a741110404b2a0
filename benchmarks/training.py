"""What training costs beside a bare `model.fit` over arrays in memory: the same network, batches and images.

    ours_per_s              images a second through `components.training`, from the second epoch on: read, shuffled and
                            batched from Examples, with validation, checkpoints and the curve
    bare_per_s              the same of `model.fit`, with validation
    throughput_over_bare    the one by the other, turn by turn
    first_step_s            from the imports of a process to the end of the first step of `digits`

The images of the first three are made here. The sides take turns at being first; the first turn does not count.
"""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import harness
import numpy as np

from components import records, runtime
from components.families.image import ingestion, pixels
from components.families.image.sources import digits
from components.keras import keras, tf
from components.model_definition import ModelDefinition
from components.tasks.classification import labels
from components.training.settings import TrainingSettings
from components.training.train import train
from pipelines.definition import config
from serving import pictures

SIDE, CLASSES = 28, 10
IMAGES = {"train": 20_480, "eval": 2_048}  # whole batches
BATCH, EPOCHS, TURNS = 256, 5, 4
NETWORK = {"network": {"name": "cnn", "filters": 16, "dense_units": 64}}
SETTINGS = TrainingSettings(epochs=EPOCHS, batch_size=BATCH, patience=EPOCHS)
FIRST_STEP = Path(__file__).parent / "processes/first_step.py"


def arrays() -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Returns images, uint8 `[n, side, side, 1]`, and labels `[n]` of each split: noise about a mean of each class."""
    noise = np.random.default_rng(1)
    found = {}
    for split, count in IMAGES.items():
        classes = np.arange(count) % CLASSES
        images = noise.normal(40 + 20 * classes[:, None, None, None], 30, (count, SIDE, SIDE, 1))
        found[split] = (images.clip(0, 255).astype(np.uint8), classes)
    return found


def write(folder: Path, data: dict[str, tuple[np.ndarray, np.ndarray]]) -> None:
    """Writes what ingestion makes of them."""
    for split, (images, classes) in data.items():
        examples = (
            records.example(
                {pixels.IMAGE: records.of_bytes(pictures.png(image))},
                tf.train.Feature(int64_list=tf.train.Int64List(value=[label])),
                f"{split}/{number:06d}.png",
            )
            for number, (image, label) in enumerate(zip(images, classes.tolist(), strict=True))
        )
        records.write_split(folder, split, examples)


def definition() -> ModelDefinition:
    """Returns what the model of these images is."""
    return ModelDefinition.of(
        "components.families.image.model",
        "components.tasks.classification.training",
        record={"image": {"height": SIDE, "width": SIDE, "channels": 1}},
        target={"classes": [str(number) for number in range(CLASSES)]},
        weighing={},
    )


def per_second(ends: list[float]) -> float:
    """Returns images a second, from the ends of the epochs; the first one is not counted."""
    return IMAGES["train"] * (len(ends) - 1) / (ends[-1] - ends[0])


def ours(examples: Path, work_dir: Path) -> float:
    """Trains as the node `train` does."""
    ends: list[float] = []
    context = runtime.NodeContext(
        work_dir=work_dir, key="turn", observe=lambda metrics, step: ends.append(time.perf_counter())
    )
    with runtime.running(context):
        train(str(examples), definition(), network=NETWORK, settings=SETTINGS)
    return per_second(ends)


def bare(data: dict[str, tuple[np.ndarray, np.ndarray]]) -> float:
    """Trains with nothing but Keras."""
    (images, classes), (eval_images, eval_classes) = data["train"], data["eval"]
    model = definition().build(NETWORK, seed=SETTINGS.seed)
    steps = EPOCHS * len(images) // BATCH
    rate = keras.optimizers.schedules.CosineDecay(SETTINGS.learning_rate, steps)
    model.compile(keras.optimizers.Adam(rate), "sparse_categorical_crossentropy", metrics=["accuracy"])
    ends: list[float] = []
    model.fit(
        images.astype(np.float32) / pixels.MAX_INTENSITY,
        classes,
        batch_size=BATCH,
        epochs=EPOCHS,
        validation_data=(eval_images.astype(np.float32) / pixels.MAX_INTENSITY, eval_classes),
        validation_batch_size=BATCH,
        verbose=0,
        callbacks=[keras.callbacks.LambdaCallback(on_epoch_end=lambda *_: ends.append(time.perf_counter()))],
    )
    return per_second(ends)


def both(
    examples: Path, work_dir: Path, data: dict[str, tuple[np.ndarray, np.ndarray]], *, ours_first: bool
) -> tuple[float, float]:
    """Trains on either side, one after the other; returns images a second of ours and of the bare one."""
    if ours_first:
        return ours(examples, work_dir), bare(data)
    of_bare = bare(data)
    return ours(examples, work_dir), of_bare


def write_digits(folder: Path) -> None:
    """Writes the splits of `digits` as ingestion does."""
    settings = config.load("digits")
    found = [
        records.example(
            ingestion.features(record, settings.source),
            labels.encode(record.label, settings.target),
            record.id,
        )
        for record in digits.digits(settings.source)
    ]
    for split, some in (("train", found[180:]), ("eval", found[:180])):
        records.write_split(folder, split, iter(some))


def first_step(examples: Path, work_dir: Path) -> float:
    """Returns what a process says that took its first step."""
    command = [sys.executable, str(FIRST_STEP), str(examples), str(work_dir)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout.splitlines()[-1])["first_step_s"]


def main() -> None:
    """Measures in turns, and reports."""
    keys = ("ours_per_s", "bare_per_s", "throughput_over_bare", "first_step_s")
    samples: dict[str, list[float]] = {key: [] for key in keys}
    data = arrays()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        write(root / "examples", data)
        write_digits(root / "digits")
        for turn in range(TURNS + 1):
            (root / f"turn-{turn}").mkdir()
            of_ours, of_bare = both(root / "examples", root / f"turn-{turn}", data, ours_first=turn % 2 == 0)
            if not turn:
                continue  # the first trainings of a process are slower
            samples["ours_per_s"].append(of_ours)
            samples["bare_per_s"].append(of_bare)
            samples["throughput_over_bare"].append(of_ours / of_bare)
            (root / f"step-{turn}").mkdir()
            samples["first_step_s"].append(first_step(root / "digits", root / f"step-{turn}"))
    harness.report("training", samples)


if __name__ == "__main__":
    main()
