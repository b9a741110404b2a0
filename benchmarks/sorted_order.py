"""Whether the order of a source matters: Fashion-MNIST class by class, and the same files in mixed order.

| key | meaning |
|---|---|
| sorted_accuracy | on the split `eval` after two epochs, of a folder that is read class by class |
| shuffled_accuracy | the same, of a table that names the same files in mixed order |
| sorted_accuracy_gap | how far they lie apart |

The images are those of `ingest`. With `--some` one in ten of them: `python benchmarks/sorted_order.py --some`.
"""

import csv
import json
import random
import sys
import tempfile
from pathlib import Path

import harness
import ingest

NODES = ("prepare", "ingest", "statistics", "schema", "anomalies", "validate", "augment", "train")
PIPELINE = """
schedule: null
data:
  source: {source}
  path: {path}
  classes: ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"]
  image: {{height: 28, width: 28, channels: 1}}
augment: {{factor: 1}}
train: {{epochs: 2, batch_size: 256}}
"""


def mixed(folder: Path, table: Path) -> None:
    """Writes a table of the files of a folder, in mixed order."""
    files = sorted(folder.glob("*/*.png"))
    random.Random(1).shuffle(files)  # noqa: S311  # no secret
    with table.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["path", "label"])
        rows.writerows([path.relative_to(table.parent), path.parent.name] for path in files)


def accuracy(root: Path, name: str, *, source: str, path: Path) -> float:
    """Returns the accuracy that the best of two epochs reaches on the split `eval`."""
    environment = ingest.configured(root / name, name, PIPELINE.format(source=source, path=path))
    ingest.run("processes/nodes_of_a_run.py", [name, "first", *NODES], environment, root / name)
    found = [json.loads(path.read_text()) for path in (root / name / "home").rglob("metrics.json")]
    (metrics,) = [each for each in found if "best_val_accuracy" in each]
    return float(metrics["best_val_accuracy"])


def main() -> None:
    """Measures once, and reports."""
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        every, some, _ = ingest.write(root)
        folder = some if "--some" in sys.argv else every
        mixed(folder, root / "mixed.csv")
        first = accuracy(root, "sorted", source="image_folder", path=folder)
        second = accuracy(root, "shuffled", source="image_csv", path=root / "mixed.csv")
    gap = abs(first - second)
    harness.report(
        "sorted order",
        {"sorted_accuracy": [first], "shuffled_accuracy": [second], "sorted_accuracy_gap": [gap]},
    )


if __name__ == "__main__":
    main()
