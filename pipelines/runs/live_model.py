"""A registered version as a model to compare with: its files, once, and whether they can be asked the same questions.

<pipeline_dir>/live/<SHA-256>/                        the SavedModel, as a Model artifact
<pipeline_dir>/live/<SHA-256>.tensorflow-<v>.json     what it says of itself, loaded with that TensorFlow
"""

import fcntl
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import Any

from components.export import SERVING_DIR
from contract import environment, files
from contract.errors import SHOWN_FAILURES, SlipwayError
from contract.state import PROJECT
from pipelines.definition.config import DataSettings
from serving import digest
from serving.errors import RegistryError
from serving.registry.registry import DIGEST_TAG, Registry

CLASSES = "slipway.classes"  # tag of a registered version: JSON list, in the order of the outputs

LOAD_TIMEOUT_S = 240


class IncomparableError(SlipwayError):
    """A version cannot be compared with the candidates of a run; the text says why."""


def comparable(registry: Registry, name: str, version: int, data: DataSettings, folder: Path) -> str:
    """Fetches a version where its files are not at hand, and makes sure that it answers the same questions.

    Args:
        registry: Of the models.
        name: Of the model.
        version: To compare with.
        data: Of the run.
        folder: Of the pipeline.

    Returns:
        Folder of a Model artifact, whose files are those that were registered.

    Raises:
        IncomparableError: If the files are others or gone, do not load, or answer other questions.
    """
    tags = registry.version(name, version).tags
    with _alone_in(folder / "live") as live:
        try:
            model = _fetched(registry, name, version, tags.get(DIGEST_TAG, ""), live)
        except (RegistryError, FileNotFoundError, NotADirectoryError, ValueError) as error:
            raise IncomparableError(f"its files are not those that were registered: {error}") from error
        facts = _facts(model)
    if facts["problem"]:
        raise IncomparableError(f"TensorFlow {_tensorflow()} does not load it: {facts['problem']}")
    _compare_classes(_registered_classes(tags), facts["outputs"], data.classes)
    expected = [data.image.height, data.image.width, data.image.channels]
    if facts["image"] != expected:
        raise IncomparableError(f"it takes images of {_size(facts['image'])}, this run of {_size(expected)}")
    return str(model)


@contextmanager
def _alone_in(folder: Path) -> Iterator[Path]:
    """Has one process at a time fetch and load; what a killed one left half done is removed by the next."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield folder


def _fetched(registry: Registry, name: str, version: int, sha256: str, live: Path) -> Path:
    if not sha256:
        raise RegistryError(f"version {version} has no tag {DIGEST_TAG}")
    target = live / sha256
    if not _is(target, sha256):
        draft = live / ".draft"
        shutil.rmtree(draft, ignore_errors=True)
        (draft / "model").mkdir(parents=True)
        registry.download(name, version, draft).rename(draft / "model" / SERVING_DIR)
        shutil.rmtree(target, ignore_errors=True)  # altered since it was fetched
        (draft / "model").rename(target)
        shutil.rmtree(draft)
        if not _is(target, sha256):
            raise RegistryError(f"expected SHA-256 {sha256} of {target}, received another")
    return target


def _is(model: Path, sha256: str) -> bool:
    saved_model = model / SERVING_DIR
    return saved_model.is_dir() and digest.of_folder(saved_model) == sha256


def _tensorflow() -> str:
    return metadata.version("tensorflow")


def _facts(model: Path) -> dict[str, Any]:
    """Returns what the SavedModel says of itself; asked once for each digest and TensorFlow.

    A load that crashed, or took too long, is tried again in the next run: it may have been the machine's fault.
    """
    known = model.with_name(f"{model.name}.tensorflow-{_tensorflow()}.json")
    if known.is_file():
        return dict(json.loads(known.read_text()))
    command = [sys.executable, "-m", "pipelines.runs.saved_model_facts", str(model / SERVING_DIR)]
    try:
        done = subprocess.run(
            command,
            cwd=PROJECT,
            env={**os.environ, **environment.TENSORFLOW, **environment.WITHOUT_GPU},
            capture_output=True,
            text=True,
            timeout=LOAD_TIMEOUT_S,
            check=True,
        )
    except subprocess.TimeoutExpired:
        return {"problem": f"it took longer than {LOAD_TIMEOUT_S} s"}
    except subprocess.CalledProcessError as error:
        last = error.stderr.strip().rpartition("\n")[2]
        return {"problem": f"the process ended with exit code {error.returncode}: {last}"}
    files.write(known, done.stdout.strip().rpartition("\n")[2])
    return dict(json.loads(known.read_text()))


def _registered_classes(tags: Mapping[str, str]) -> list[str] | None:
    """Returns the names that a version was registered with; `None` where nobody noted them."""
    try:
        return json.loads(tags.get(CLASSES, "null"))
    except ValueError as error:
        raise IncomparableError(f"its tag {CLASSES} is no JSON list: {error}") from error


def _compare_classes(registered: Sequence[str] | None, outputs: int, classes: Sequence[str]) -> None:
    if outputs != len(classes):
        raise IncomparableError(f"it tells {outputs} classes apart, this run {len(classes)}")
    if registered is None or registered == list(classes):
        return
    others = [
        f"{position}: {theirs!r}, here {ours!r}"
        for position, (theirs, ours) in enumerate(zip(registered, classes, strict=False))
        if theirs != ours
    ]
    more = f" and {len(others) - SHOWN_FAILURES} more" if len(others) > SHOWN_FAILURES else ""
    raise IncomparableError(f"its classes are others ({', '.join(others[:SHOWN_FAILURES])}{more})")


def _size(image: Sequence[int | None]) -> str:
    return " x ".join(map(str, image))
