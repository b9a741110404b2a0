"""The model registry. The only module of `serving` that knows MLflow.

Version N here is version directory N of TensorFlow Serving. The alias `champion` is the label `stable`,
`challenger` is `canary`. The previous champion is remembered as a tag of the registered model.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
# The client's own default waits minutes for a server that is gone.
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "3")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "30")

import mlflow
import mlflow.pyfunc
from mlflow import MlflowClient
from mlflow.entities.model_registry import ModelVersion

from serving import digest, saved_model_loader
from serving.errors import RegistryError

CHAMPION = "champion"
CHALLENGER = "challenger"
PREVIOUS_CHAMPION_TAG = "slipway.previous_champion"
DIGEST_TAG = "slipway.saved_model_sha256"


@dataclass(frozen=True)
class Wanted:
    """What the registry wants served of one model; `None` where no version has that role."""

    champion: int | None
    challenger: int | None
    previous_champion: int | None

    def versions(self) -> frozenset[int]:
        """Returns the versions that have a role."""
        roles = (self.champion, self.challenger, self.previous_champion)
        return frozenset(version for version in roles if version is not None)


class Registry:
    """Model versions, their aliases and their files.

    Args:
        tracking_uri: Of the MLflow server, such as `http://127.0.0.1:5000`.
    """

    def __init__(self, tracking_uri: str) -> None:
        self.tracking_uri = tracking_uri
        # MLflow resolves `models:/` addresses with the process's own tracking URI, whatever it is called with.
        mlflow.set_tracking_uri(tracking_uri)
        self.client = MlflowClient(tracking_uri=tracking_uri, registry_uri=tracking_uri)

    def models(self) -> list[str]:
        """Returns the names of all registered models."""
        return sorted(model.name for model in self.client.search_registered_models(max_results=1000))

    def wanted(self, model: str) -> Wanted:
        """Returns the roles of a model's versions."""
        found = self.client.get_registered_model(model)
        roles = {alias: int(version) for alias, version in found.aliases.items()}
        previous = found.tags.get(PREVIOUS_CHAMPION_TAG)
        return Wanted(roles.get(CHAMPION), roles.get(CHALLENGER), int(previous) if previous else None)

    def aliases(self, model: str) -> dict[str, int]:
        """Returns the version behind each alias of a model."""
        found = self.client.get_registered_model(model).aliases
        return {alias: int(version) for alias, version in found.items()}

    def versions(self, model: str) -> list[ModelVersion]:
        """Returns all versions of a model, newest first."""
        found = self.client.search_model_versions(f"name = '{model}'", max_results=1000)
        return sorted(found, key=lambda version: -int(version.version))

    def champion(self, model: str) -> int | None:
        """Returns the champion's version, or `None` where the model or the alias does not exist."""
        return self.wanted(model).champion if model in self.models() else None

    def version(self, model: str, version: int) -> ModelVersion:
        """Returns one version.

        Raises:
            RegistryError: If there is no such model or version.
        """
        if model not in self.models():
            known = ", ".join(self.models()) or "none yet"
            raise RegistryError(
                f"Expected a registered model, got {model!r}. Registered: {known}. "
                "Run its pipeline first, or choose one of these."
            )
        known_versions = {int(found.version): found for found in self.versions(model)}
        if version not in known_versions:
            shown = ", ".join(map(str, sorted(known_versions))) or "none yet"
            raise RegistryError(
                f"Expected a version of {model}, got {version}. It has: {shown}. Choose one of these."
            )
        return known_versions[version]

    def find(self, model: str, tags: Mapping[str, str]) -> int | None:
        """Returns the newest version that carries all `tags`, or `None`."""
        if model not in self.models():
            return None
        for version in self.versions(model):
            if all(version.tags.get(name) == value for name, value in tags.items()):
                return int(version.version)
        return None

    def register(
        self, model: str, saved_model_dir: str | Path, *, run_id: str, tags: Mapping[str, str]
    ) -> int:
        """Stores a SavedModel byte for byte as a new version with the alias `challenger`; returns its number.

        Safe to repeat: a version with the same files and tags is found again, not made twice.

        Args:
            model: Name of the registered model; made where it does not exist.
            saved_model_dir: What will be served.
            run_id: MLflow run that the version belongs to.
            tags: Where the version comes from.
        """
        tags = {**tags, DIGEST_TAG: digest.of_folder(saved_model_dir)}
        number = self.find(model, tags)
        if number is None:
            number = self._store(model, saved_model_dir, run_id, tags)
        self.client.set_registered_model_alias(model, CHALLENGER, str(number))
        return number

    def _store(self, model: str, saved_model_dir: str | Path, run_id: str, tags: Mapping[str, str]) -> int:
        with mlflow.start_run(run_id=run_id):
            logged = mlflow.pyfunc.log_model(
                name=model,
                loader_module=saved_model_loader.__name__.rpartition(".")[2],
                code_paths=[saved_model_loader.__file__],
                data_path=str(saved_model_dir),
                pip_requirements=[
                    f"{package}=={metadata.version(package)}" for package in ("tensorflow", "numpy")
                ],
                tags=dict(tags),
            )
        return int(mlflow.register_model(logged.model_uri, model, tags=dict(tags)).version)

    def download(self, model: str, version: int, target_dir: str | Path) -> Path:
        """Fetches the SavedModel of a version into `target_dir` and checks it against its digest.

        Raises:
            RegistryError: If the files are not those that were registered.
        """
        found = self.version(model, version)
        fetched = mlflow.artifacts.download_artifacts(
            artifact_uri=found.source, dst_path=str(target_dir), tracking_uri=self.tracking_uri
        )
        (saved_model_dir,) = (Path(fetched) / "data").iterdir()
        expected, received = found.tags.get(DIGEST_TAG), digest.of_folder(saved_model_dir)
        if expected != received:
            raise RegistryError(
                f"The files of {model} version {version} are not those that were registered: expected "
                f"SHA-256 {expected}, received {received}, from {found.source}. Register the model anew."
            )
        return saved_model_dir

    def set_champion(self, model: str, version: int | None) -> None:
        """Moves the alias `champion`; `None` takes it away."""
        self._set(model, CHAMPION, version)

    def set_challenger(self, model: str, version: int | None) -> None:
        """Moves the alias `challenger`; `None` takes it away."""
        self._set(model, CHALLENGER, version)

    def _set(self, model: str, alias: str, version: int | None) -> None:
        if version is None:
            self.client.delete_registered_model_alias(model, alias)
        else:
            self.client.set_registered_model_alias(model, alias, str(version))

    def remember_previous_champion(self, model: str, version: int) -> None:
        """Notes which version to go back to."""
        self.client.set_registered_model_tag(model, PREVIOUS_CHAMPION_TAG, str(version))
