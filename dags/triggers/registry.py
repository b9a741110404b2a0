"""What MLflow's registry says of Slipway's models, asked over its REST API without blocking an event loop."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from contract import addresses

CHAMPION = "champion"
LIVE_VERSION = "slipway.live_version"
OURS = frozenset({LIVE_VERSION, "slipway.pipeline"})  # models without either tag are somebody else's
API = "/api/2.0/mlflow/registered-models"
PAGE = 100
TIMEOUT_S = 10.0


class RegistryError(Exception):
    """MLflow did not answer, or not as MLflow does."""


@dataclass(frozen=True)
class Model:
    """A registered model.

    Attributes:
        name: Of the model, and of its pipeline.
        champion: The version with the alias `champion`, a number as text; None if no version has it.
        live: The version that Slipway itself made live or is making live; None if there is none.
    """

    name: str
    champion: str | None
    live: str | None

    def moved_by_hand(self, since: str | None) -> bool:
        """Whether the alias is not where it was, and somebody other than Slipway put it there.

        Args:
            since: What `mark` returned when the model was looked at before; None the first time.
        """
        if self.champion in (None, self.live) or since == self._state:
            return False
        return not self._may_be_moving(since)

    def mark(self, since: str | None) -> str | None:
        """What to remember of this look; None without a champion."""
        if self.champion is None:
            return None
        return f"{self._state} ?" if self._may_be_moving(since) else self._state

    @property
    def _state(self) -> str:
        return f"{self.champion} {self.live}"

    def _may_be_moving(self, since: str | None) -> bool:
        """Whether only the tag has changed: Slipway is about to move the alias, or somebody has just moved it back.

        The next look knows.
        """
        if since is None or self.champion == self.live or since in (self._state, f"{self._state} ?"):
            return False
        return since.partition(" ")[0] == self.champion


class Registry:
    """MLflow, at the address and with the credentials of its own environment variables.

    Args:
        environment: Where those variables are read.

    Raises:
        RegistryError: If they name files that cannot be read, or an address that is none.
    """

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        uri = environment.get("MLFLOW_TRACKING_URI", "")
        try:
            # Without trust_env, which would send the credentials through a proxy that the environment names.
            self._client = httpx.AsyncClient(
                base_url=uri,
                headers=addresses.mlflow_authorization(environment),
                auth=addresses.mlflow_password(environment),
                verify=addresses.mlflow_trusted(environment),
                timeout=TIMEOUT_S,
                trust_env=False,
            )
            self._name = str(httpx.URL(uri).copy_with(userinfo=b""))
        except (httpx.InvalidURL, OSError, ValueError) as error:
            raise RegistryError(
                f"MLflow cannot be asked as its environment variables say: {error}"
            ) from error

    async def __aenter__(self) -> "Registry":
        await self._client.__aenter__()
        return self

    async def __aexit__(self, *error: Any) -> None:
        await self._client.__aexit__(*error)

    async def models(self) -> list[Model]:
        """All models of Slipway.

        Raises:
            RegistryError: If MLflow does not answer, or not as MLflow does.
        """
        found: list[Model] = []
        page = ""
        while True:
            answer = await self._get("search", {"max_results": PAGE, "page_token": page})
            records = [_checked(record) for record in _list(answer, "registered_models")]
            found += [_model(record) for record in records if OURS.intersection(_tags(record))]
            page = str(answer.get("next_page_token") or "")
            if not page:
                return found

    async def model(self, name: str) -> Model:
        """One model, as it is now.

        Raises:
            RegistryError: If MLflow does not answer, not as MLflow does, or no longer has the model.
        """
        answer = await self._get("get", {"name": name})
        return _model(_checked(answer.get("registered_model")))

    async def _get(self, what: str, query: Mapping[str, Any]) -> dict[str, Any]:
        try:
            answer = await self._client.get(f"{API}/{what}", params={k: v for k, v in query.items() if v})
            content = answer.raise_for_status().json()
        except httpx.HTTPStatusError as error:
            status = f"{error.response.status_code} {error.response.reason_phrase}"
            raise RegistryError(f"MLflow at {self._name} answered {status}") from error
        except (httpx.HTTPError, ValueError) as error:
            raise RegistryError(
                f"MLflow should answer at MLFLOW_TRACKING_URI={self._name!r}, and does not: {error!r}"
            ) from error
        return _checked(content)


def _checked(record: Any) -> dict[str, Any]:
    if not isinstance(record, dict):
        raise RegistryError(f"MLflow should answer with JSON objects, got {str(record)[:100]!r}")
    return record


def _model(record: dict[str, Any]) -> Model:
    aliases = {
        each.get("alias"): str(each.get("version")) for each in map(_checked, _list(record, "aliases"))
    }
    return Model(str(record.get("name")), aliases.get(CHAMPION), _tags(record).get(LIVE_VERSION))


def _tags(record: dict[str, Any]) -> dict[str, str]:
    return {str(each.get("key")): str(each.get("value")) for each in map(_checked, _list(record, "tags"))}


def _list(record: dict[str, Any], field: str) -> list[Any]:
    found = record.get(field, [])
    return found if isinstance(found, list) else [found]
