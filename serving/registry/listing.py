"""What the registry holds, by MLflow's REST API: its client takes longer to import than all of this to run.

https://mlflow.org/docs/latest/api_reference/rest-api.html
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from contract import addresses
from serving.errors import RegistryError, ServerUnavailableError
from serving.registry.version import UNQUOTABLE

TIMEOUT_S = 10.0
PAGE = 200


@dataclass(frozen=True)
class ListedVersion:
    """One version of a model: its number, its tags, and the MLflow run that made it."""

    number: int
    tags: Mapping[str, str]
    run_id: str


@dataclass(frozen=True)
class ListedModel:
    """One registered model.

    Attributes:
        name: Of the model.
        aliases: Version by alias.
        tags: Of the model.
        versions: Newest first.
    """

    name: str
    aliases: Mapping[str, int]
    tags: Mapping[str, str]
    versions: tuple[ListedVersion, ...]

    @property
    def is_ours(self) -> bool:
        """Whether Slipway made it."""
        return "slipway.pipeline" in self.tags or any(
            "slipway.saved_model_sha256" in each.tags for each in self.versions
        )


class Listing:
    """Reads from one MLflow server.

    Args:
        tracking_uri: Such as `http://127.0.0.1:5000`; MLflow's own variables say who asks, and whom to trust.

    Raises:
        RegistryError: If they name certificates that cannot be read.
    """

    def __init__(self, tracking_uri: str) -> None:
        self.uri = tracking_uri
        try:
            trusted = addresses.mlflow_trusted()
        except OSError as error:
            raise RegistryError(
                f"MLflow cannot be asked as its environment variables say: {error}."
            ) from error
        # A proxy of the environment has no business between a stack and itself, and would see the password.
        self.http = httpx.Client(
            base_url=f"{tracking_uri.rstrip('/')}/api/2.0/mlflow",
            headers=addresses.mlflow_authorization(),
            auth=addresses.mlflow_password(),
            verify=trusted,
            timeout=TIMEOUT_S,
            trust_env=False,
        )

    def __enter__(self) -> "Listing":
        return self

    def __exit__(self, *exception: object) -> None:
        self.http.close()

    def models(self) -> list[ListedModel]:
        """Returns all registered models, those of others included.

        Raises:
            ServerUnavailableError: If the server does not answer.
        """
        names = [each["name"] for each in self._pages("/registered-models/search", "registered_models")]
        return [self.model(name) for name in sorted(names)]

    def model(self, name: str) -> ListedModel:
        """Returns one registered model.

        Raises:
            RegistryError: If there is none of this name.
            ServerUnavailableError: If the server does not answer.
        """
        found = self._get("/registered-models/get", name=name)["registered_model"]
        listed = tuple(self._versions(name))
        return ListedModel(
            name,
            {each["alias"]: int(each["version"]) for each in found.get("aliases", ())},
            _tags(found),
            tuple(sorted(listed, key=lambda each: -each.number)),
        )

    def _versions(self, name: str) -> Iterator[ListedVersion]:
        if set(name) & UNQUOTABLE:
            return
        for each in self._pages("/model-versions/search", "model_versions", filter=f"name = '{name}'"):
            yield ListedVersion(int(each["version"]), _tags(each), each.get("run_id", ""))

    def run(self, run_id: str) -> Mapping[str, Any]:
        """Returns a run's `info`, and its `metrics`, `params` and `tags` by name."""
        found = self._get("/runs/get", run_id=run_id)["run"]
        data = found.get("data", {})
        flat = {
            kind: {each["key"]: each["value"] for each in data.get(kind, ())}
            for kind in ("metrics", "params", "tags")
        }
        return {"info": found["info"], **flat}

    def _pages(self, path: str, field: str, **parameters: Any) -> Iterator[dict[str, Any]]:
        token = ""
        while True:
            page = self._get(path, max_results=PAGE, **parameters, **({"page_token": token} if token else {}))
            yield from page.get(field, ())
            token = page.get("next_page_token", "")
            if not token:
                return

    def _get(self, path: str, **parameters: Any) -> dict[str, Any]:
        try:
            response = self.http.get(path, params=parameters)
        except httpx.TransportError as error:
            raise ServerUnavailableError(
                f"Expected MLflow at {self.uri}, and it does not answer ({error}). "
                "Start it with `make up`, or set MLFLOW_TRACKING_URI."
            ) from error
        if response.is_error:
            raise RegistryError(
                f"MLflow at {self.uri} answered {path} with {response.status_code}: {response.text[:300]}"
            )
        try:
            return dict(response.json())
        except ValueError as error:
            raise RegistryError(
                f"Expected JSON from MLflow at {self.uri}{path}, got {response.text[:100]!r}. "
                "Is it MLflow that answers there?"
            ) from error


def _tags(content: Mapping[str, Any]) -> dict[str, str]:
    return {each["key"]: each.get("value", "") for each in content.get("tags", ())}
