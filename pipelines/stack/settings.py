"""Where the stack on one machine keeps its state and which ports it listens on. Standard library only."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from components.errors import SettingsError

PROJECT = Path(__file__).resolve().parents[2]
HOST = "127.0.0.1"

# supervisord.conf, SQLAlchemy URLs and Airflow's configuration give some of these a meaning of their own.
UNUSABLE_IN_PATHS = frozenset("\"'`;#?%$\\") | frozenset(map(chr, range(32)))
# A Unix socket's path has 108 bytes. This leaves room for a slash, "supervisor.sock.<pid>" and a final NUL.
LONGEST_SOCKET_FOLDER = 80


class Port(NamedTuple):
    """One port of the stack: the field of `Stack`, its environment variable, its default, who listens."""

    field: str
    variable: str
    default: int
    service: str


PORTS = (
    Port("airflow_port", "SLIPWAY_AIRFLOW_PORT", 8080, "Airflow"),
    Port("mlflow_port", "SLIPWAY_MLFLOW_PORT", 5000, "MLflow"),
    Port("grpc_port", "SLIPWAY_GRPC_PORT", 8500, "model server, gRPC"),
    Port("rest_port", "SLIPWAY_REST_PORT", 8501, "model server, REST"),
)


@dataclass(frozen=True)
class Stack:
    """The state folder and the ports of one stack; everything else follows from them.

    Attributes:
        home: State folder, absolute: databases, artifacts, served models, secrets, logs.
        airflow_port: Airflow's UI and API.
        mlflow_port: MLflow's UI and API.
        grpc_port: The model server's gRPC API.
        rest_port: The model server's REST API.
        project: The checkout that holds `.venv/`, `dags/` and the code.
    """

    home: Path
    airflow_port: int = 8080
    mlflow_port: int = 5000
    grpc_port: int = 8500
    rest_port: int = 8501
    project: Path = PROJECT

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Stack:
        """Reads SLIPWAY_HOME and the four SLIPWAY_*_PORT variables; each has a default.

        Raises:
            SettingsError: A value is malformed, or two services share a port.
        """
        home = Path(environment.get("SLIPWAY_HOME") or PROJECT / "var").expanduser().resolve()
        _check_path("SLIPWAY_HOME", home)
        _check_path("The project folder", PROJECT)
        return cls(home, **_ports(environment))

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
    def secrets(self) -> Path:
        """Generated keys and passwords; mode 0700."""
        return self.home / "secrets"

    @property
    def airflow(self) -> Path:
        """AIRFLOW_HOME: its database and task logs."""
        return self.home / "airflow"

    @property
    def mlflow(self) -> Path:
        """MLflow's database, and `artifacts/`."""
        return self.home / "mlflow"

    @property
    def models(self) -> Path:
        """What the model server serves: one folder per model, and `models.config`."""
        return self.home / "models"

    @property
    def models_config(self) -> Path:
        """The list of models the model server reads."""
        return self.models / "models.config"

    @property
    def pipelines(self) -> Path:
        """The runs' folders and their metadata."""
        return self.home / "pipelines"

    @property
    def logs(self) -> Path:
        """One log per program."""
        return self.home / "logs"

    @property
    def run(self) -> Path:
        """What only matters while the stack runs: configuration of the supervisor, pid files, sockets."""
        return self.home / "run"

    @property
    def sockets(self) -> Path:
        """Folder of the Unix sockets: `run`, or a short private one where that is too long for a socket."""
        if len(os.fsencode(self.run)) <= LONGEST_SOCKET_FOLDER:
            return self.run
        digest = hashlib.sha256(os.fsencode(self.home)).hexdigest()[:16]
        # Not tempfile.gettempdir(): `down` must find the socket that an `up` with another TMPDIR made.
        return Path(os.sep, "tmp", f"slipway-{os.getuid()}-{digest}")

    @property
    def worker_socket(self) -> Path:
        """Where the ML worker takes nodes."""
        return self.sockets / "worker.sock"

    @property
    def ml_python(self) -> Path:
        """Interpreter of the ML environment."""
        return self.project / ".venv" / "ml" / "bin" / "python"

    @property
    def airflow_bin(self) -> Path:
        """Programs of the Airflow environment."""
        return self.project / ".venv" / "airflow" / "bin"

    def environment(self) -> dict[str, str]:
        """The variables from which another process reads these same settings."""
        ports = {port.variable: str(getattr(self, port.field)) for port in PORTS}
        return {"SLIPWAY_HOME": str(self.home), **ports}


def _check_path(name: str, path: Path) -> None:
    if unusable := sorted(UNUSABLE_IN_PATHS & set(str(path))):
        shown = " ".join(repr(character) for character in unusable)
        raise SettingsError(
            f"{name} must be a path without quotes, backslashes, line breaks and any of ` ; # ? % $, "
            f"got {str(path)!r}, which has {shown}. Choose another folder."
        )


def _ports(environment: Mapping[str, str]) -> dict[str, Any]:
    ports: dict[str, Any] = {}
    for port in PORTS:
        number = _port_number(port, environment.get(port.variable) or str(port.default))
        taken = {value: field for field, value in ports.items()}
        if number in taken:
            other = next(known.variable for known in PORTS if known.field == taken[number])
            raise SettingsError(
                f"{other} and {port.variable} are both {number}; each service needs its own port."
            )
        ports[port.field] = number
    return ports


def _port_number(port: Port, text: str) -> int:
    number = int(text) if text.isascii() and text.isdigit() else 0
    if not 1 <= number <= 65535:
        raise SettingsError(
            f"{port.variable} must be a port number from 1 to 65535, got {text!r}. "
            f"Unset it for the default {port.default}."
        )
    return number
