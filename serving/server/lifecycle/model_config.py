"""Reads and checks a ModelServerConfig: the list of models, with TensorFlow Serving's own rules and words."""

from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

from google.protobuf import text_format
from tensorflow_serving.config import model_server_config_pb2

from serving.server.errors import Code, ServingError, invalid_argument
from serving.server.lifecycle.model_settings import ModelSettings
from serving.server.lifecycle.versions import All, Latest, Specific, VersionPolicy

ModelServerConfig: TypeAlias = model_server_config_pb2.ModelServerConfig


def read_file(path: str) -> Sequence[ModelSettings]:
    """Reads a text-format ModelServerConfig; an empty file is an empty list.

    Raises:
        ServingError: If the file cannot be read or parsed, or breaks a rule of `to_settings`.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except OSError as error:
        raise ServingError(Code.NOT_FOUND, f"{path}; {error.strerror}") from error
    try:
        config = text_format.Parse(text, ModelServerConfig())
    except text_format.ParseError as error:
        raise invalid_argument(
            f"Invalid protobuf file: '{path}'. Error parsing text-format "
            f"tensorflow.serving.ModelServerConfig: {error}"
        ) from error
    return to_settings(config)


def single(name: str, base_path: str) -> Sequence[ModelSettings]:
    """Returns the settings that `--model_name` and `--model_base_path` mean.

    Raises:
        ServingError: As `to_settings`.
    """
    config = ModelServerConfig()
    config.model_config_list.config.add(name=name, base_path=base_path, model_platform="tensorflow")
    return to_settings(config)


def to_settings(config: ModelServerConfig) -> Sequence[ModelSettings]:
    """Checks a configuration and turns it into settings.

    Raises:
        ServingError: INVALID_ARGUMENT for a duplicate name, a relative base path, an unknown platform, a
            logging configuration, or a configuration that is no model list.
    """
    kind = config.WhichOneof("config")
    if kind is None:
        return ()
    if kind != "model_config_list":
        raise invalid_argument(
            f"The configuration must be a model_config_list, got {kind}, which this server cannot load."
        )
    seen: set[str] = set()
    settings = []
    for model in config.model_config_list.config:
        if model.name in seen:
            raise invalid_argument(f"Illegal to list model {model.name} multiple times in config list")
        seen.add(model.name)
        settings.append(_model(model))
    return tuple(settings)


def _model(model: model_server_config_pb2.ModelConfig) -> ModelSettings:
    if not Path(model.base_path).is_absolute():
        raise invalid_argument(
            f"Expected model {model.name} to have an absolute path or URI; got base_path()={model.base_path}"
        )
    if _platform(model) != "tensorflow":
        raise invalid_argument(f"Model {model.name} requests unsupported platform {_platform(model)}")
    if model.HasField("logging_config"):
        raise invalid_argument("No request-logger-creator provided.")
    return ModelSettings(model.name, model.base_path, _policy(model), dict(model.version_labels))


def _platform(model: model_server_config_pb2.ModelConfig) -> str:
    if model.model_type != model_server_config_pb2.MODEL_TYPE_UNSPECIFIED:
        if model.model_platform:
            raise invalid_argument("Illegal setting both model_type(deprecated) and model_platform.")
        return "tensorflow" if model.model_type == model_server_config_pb2.TENSORFLOW else "other"
    if not model.model_platform:
        raise invalid_argument("Illegal setting neither model_type(deprecated) nor model_platform.")
    return str(model.model_platform)


def _policy(model: model_server_config_pb2.ModelConfig) -> VersionPolicy:
    policy = model.model_version_policy
    kind = policy.WhichOneof("policy_choice")
    if kind == "all":
        return All()
    if kind == "specific":
        return Specific(frozenset(policy.specific.versions))
    return Latest(max(1, policy.latest.num_versions))
