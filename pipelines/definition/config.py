"""The configuration of a pipeline: `configs/<name>.yaml`, checked, with the values a person set on top."""

import difflib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from components.augmentation.settings import AugmentationSettings
from components.compression.settings import CompressionSettings
from components.evaluation.settings import EvaluationSettings
from components.infra_validation.settings import InfraValidationSettings
from components.ingestion.settings import IngestionSettings
from components.training.settings import TrainingSettings
from components.validation.settings import ValidationSettings
from contract.environment import configs_dir
from contract.errors import SettingsError
from pipelines.definition import form
from pipelines.definition.nodes import NODES, NodeResources


class ImageSettings(BaseModel):
    """What the model takes."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    height: int = Field(ge=4, le=4096)
    """Pixels."""

    width: int = Field(ge=4, le=4096)
    """Pixels."""

    channels: Literal[1, 3]
    """1 for grey, 3 for RGB."""


class DataSettings(IngestionSettings):
    """The data, and what it shows."""

    classes: list[str] = Field(min_length=2)
    """Names of the classes; the order is the order of the model's outputs."""

    image: ImageSettings
    """Size that images are brought to inside the model."""

    @field_validator("classes")
    @classmethod
    def _distinct(cls, classes: list[str]) -> list[str]:
        repeated = sorted({name for name in classes if classes.count(name) > 1})
        if repeated:
            raise ValueError(f"expected distinct names, got {', '.join(repeated)} more than once")
        return classes

    def ingestion(self) -> IngestionSettings:
        """Returns the part that ingestion needs."""
        return IngestionSettings(**self.model_dump(include=set(IngestionSettings.model_fields)))


class PipelineConfig(BaseModel):
    """Everything about one pipeline. The model it trains is named after it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"^[a-z][a-z0-9_]{0,62}$")
    """Name of the pipeline, of its model, and (as `train_<name>`) of its DAG."""

    description: str = ""
    """Markdown, shown as the documentation of the DAG."""

    schedule: str | None = "0 2 * * *"
    """Cron expression of the nightly run; null for none."""

    timezone: str = "UTC"
    """Time zone of the schedule."""

    promotion: Literal["auto", "approval"] = Field(
        "auto",
        title="Promotion",
        description="auto: an accepted model goes live. approval: a person is asked first.",
    )
    """Whether a person approves before a model goes live."""

    candidate: Literal["compressed", "float"] = "compressed"
    """Which model is released; `float` leaves compression out."""

    data: DataSettings
    """What is learned from."""

    validation: ValidationSettings = ValidationSettings()
    """Expectations on the data."""

    augment: AugmentationSettings = AugmentationSettings()
    """Variation of the training images."""

    train: TrainingSettings = TrainingSettings()
    """Model and optimisation."""

    evaluate: EvaluationSettings = EvaluationSettings()
    """Gates on every model of a run."""

    compress: CompressionSettings = CompressionSettings()
    """Pruning and quantization, and the gate on what they cost."""

    infra_validate: InfraValidationSettings = InfraValidationSettings()
    """Gates on a real model server."""

    resources: dict[str, NodeResources] = {}
    """By node id; nodes that are not named get the defaults."""

    @field_validator("resources")
    @classmethod
    def _of_nodes(cls, resources: dict[str, NodeResources]) -> dict[str, NodeResources]:
        ids = [node.id for node in NODES]
        if unknown := sorted(set(resources) - set(ids)):
            raise ValueError(f"expected ids of nodes, got {unknown[0]!r}.{_hint(unknown[0], ids)}")
        return resources


def names() -> list[str]:
    """Returns the names of all configured pipelines."""
    return sorted(path.stem for path in configs_dir().glob("*.yaml"))


def config_path(name: str) -> Path:
    """Returns the file of a pipeline.

    Raises:
        SettingsError: If there is none.
    """
    if name not in names():
        raise SettingsError(
            f"Expected one of the pipelines {', '.join(names()) or '(none)'}, got {name!r}.{_hint(name, names())} "
            f"A new one is a new file <name>.yaml in {configs_dir()}."
        )
    return configs_dir() / f"{name}.yaml"


def load(name: str, values: Mapping[str, Any] | None = None, where: str = "the values set") -> PipelineConfig:
    """Reads a pipeline's file and puts `values` on top. They may set what the trigger form shows, and no more.

    Args:
        name: Of the pipeline.
        values: By dotted key, such as `{"train.epochs": 2}`.
        where: How a person would call the place that `values` come from.

    Raises:
        SettingsError: Names each key that is unknown, not on the form, malformed or out of range, and where it
            stands.
    """
    path = config_path(name)
    config = _checked({"name": name, **_read(path)}, str(path))
    if config.name != name:
        raise SettingsError(f"{path}: expected name {name!r}, as the file is called, got {config.name!r}.")
    if not values:
        return config
    merged = config.model_dump()
    on_form = form.schema(config)
    for key, value in values.items():
        if key not in on_form:
            raise SettingsError(_not_on_form(key, list(on_form), keys(merged), where, path))
        _set(merged, key, value)
    changed = _checked(merged, where)
    if config.promotion == "approval" and changed.promotion != "approval":
        raise SettingsError(
            f"promotion: expected 'approval' in {where}, as {path} says, got {changed.promotion!r}. A run may ask a "
            "person where the configuration does not, not the other way round."
        )
    return changed


def _read(path: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(path.read_text())
    except yaml.YAMLError as error:
        raise SettingsError(f"{path} is not YAML: {error}") from error
    if not isinstance(content, dict):
        raise SettingsError(f"{path}: expected keys and values, got {type(content).__name__}.")
    return content


def keys(config: Mapping[str, Any], prefix: str = "") -> list[str]:
    """Returns the dotted keys of every single value."""
    found = []
    for name, value in config.items():
        found += keys(value, f"{prefix}{name}.") if isinstance(value, dict) and value else [f"{prefix}{name}"]
    return found


def _not_on_form(key: str, on_form: Sequence[str], known: Sequence[str], where: str, path: Path) -> str:
    shown = f" On the form: {', '.join(on_form)}."
    exists = any(each == key or each.startswith(f"{key}.") for each in known)
    if exists or key.partition(".")[0] == "resources":
        return (
            f"{key!r} in {where} is not on the trigger form: it is changed in {path}, under review, for all "
            f"runs.{shown}"
        )
    return f"Unknown key {key!r} in {where}.{_hint(key, on_form) or shown}"


def _hint(word: str, known: Sequence[str]) -> str:
    close = difflib.get_close_matches(word, known, 1)
    return f" Did you mean {close[0]}?" if close else ""


def _set(config: dict[str, Any], key: str, value: Any) -> None:
    *sections, last = key.split(".")
    for section in sections:
        config = config[section]
    config[last] = value


def _checked(content: dict[str, Any], where: str) -> PipelineConfig:
    try:
        return PipelineConfig.model_validate(content)
    except ValidationError as error:
        problems = "\n".join(f"  - {_problem(item)}" for item in error.errors())
        raise SettingsError(f"{error.error_count()} problem(s) in {where}:\n{problems}") from error


def _problem(item: Any) -> str:
    key = ".".join(str(part) for part in item["loc"])
    if item["type"] == "extra_forbidden":
        section = list(PipelineConfig.model_fields) if "." not in key else _section_fields(key)
        hint = _hint(str(item["loc"][-1]), section) or f" Expected one of: {', '.join(section)}."
        return f"{key}: unknown key.{hint}"
    if item["type"] == "missing":
        return f"{key}: is required and missing."
    return f"{key}: {item['msg'].replace('Input should be', 'expected')}, got {json.dumps(item['input'], default=str)}"


def _section_fields(key: str) -> list[str]:
    annotation = PipelineConfig.model_fields[key.split(".")[0]].annotation
    return list(getattr(annotation, "model_fields", {}))
