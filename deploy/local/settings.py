"""The stack on one machine: its state folder, its ports, its two environments. Standard library only."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from contract.addresses import DEFAULT_PORTS, HOST, PORTS, ports
from contract.state import HOME_VARIABLE, PROJECT, StateFolder, home_of


@dataclass(frozen=True)
class Stack(StateFolder):
    """The state folder and the ports of one stack; everything else follows from them.

    Attributes:
        airflow_port: Airflow's UI and API.
        mlflow_port: MLflow's UI and API.
        grpc_port: The model server's gRPC API.
        rest_port: The model server's REST API.
        project: The checkout that holds `.venv/`, `dags/` and the code.
    """

    airflow_port: int = DEFAULT_PORTS["airflow_port"]
    mlflow_port: int = DEFAULT_PORTS["mlflow_port"]
    grpc_port: int = DEFAULT_PORTS["grpc_port"]
    rest_port: int = DEFAULT_PORTS["rest_port"]
    project: Path = PROJECT

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Stack:
        """Reads SLIPWAY_HOME and the four SLIPWAY_*_PORT variables; each has a default.

        Raises:
            SettingsError: A value is malformed, or two services share a port.
        """
        return cls(home_of(environment), **ports(environment))

    @property
    def airflow_url(self) -> str:
        """Airflow's UI and API."""
        return f"http://{HOST}:{self.airflow_port}"

    @property
    def mlflow_url(self) -> str:
        """MLflow's UI and API; also the tracking URI."""
        return f"http://{HOST}:{self.mlflow_port}"

    @property
    def grpc_target(self) -> str:
        """The model server, as `grpc.insecure_channel` wants it."""
        return f"{HOST}:{self.grpc_port}"

    @property
    def rest_url(self) -> str:
        """The model server's REST API."""
        return f"http://{HOST}:{self.rest_port}"

    @property
    def ml_python(self) -> Path:
        """Interpreter of the ML environment."""
        return self.project / ".venv" / "ml" / "bin" / "python"

    @property
    def airflow_bin(self) -> Path:
        """Programs of the Airflow environment."""
        return self.project / ".venv" / "airflow" / "bin"

    def environment(self) -> dict[str, str]:
        """Returns the variables from which another process reads these same settings."""
        numbers = {port.variable: str(getattr(self, port.field)) for port in PORTS}
        return {HOME_VARIABLE: str(self.home), **numbers}
