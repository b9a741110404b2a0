"""Where the project and its state lie: the one place that reads `SLIPWAY_HOME`. Standard library only."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from contract.errors import SettingsError

PROJECT = Path(__file__).resolve().parents[1]
HOME_VARIABLE = "SLIPWAY_HOME"

# supervisord.conf, SQLAlchemy URLs and Airflow's configuration give some of these a meaning of their own.
UNUSABLE_IN_PATHS = frozenset("\"'`;#?%$\\") | frozenset(map(chr, range(32)))
# A Unix socket's path has 108 bytes. This leaves room for a slash, "supervisor.sock.<pid>" and a final NUL.
LONGEST_SOCKET_FOLDER = 80


def in_project(variable: str, default: str, environment: Mapping[str, str] = os.environ) -> Path:
    """Returns the path that a variable names; a relative one starts at the project, whoever asks from wherever.

    Links stay as they are: the Python of a virtual environment is one, and is another where it leads.

    Args:
        variable: Such as `SLIPWAY_HOME`.
        default: Where the variable is not set or empty.
        environment: Where it is read.
    """
    path = PROJECT / Path(environment.get(variable) or default).expanduser()
    return Path(os.path.abspath(path))  # noqa: PTH100  `resolve` follows links


@dataclass(frozen=True)
class StateFolder:
    """The folder of all state, on a laptop or in a pod; everything in it follows from `home`.

    Attributes:
        home: Absolute: databases, artifacts, served models, secrets, logs.
    """

    home: Path

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> StateFolder:
        """Finds the folder that `SLIPWAY_HOME` names; `var` in the project without.

        Raises:
            SettingsError: If the path has characters that some program would take for something else.
        """
        return cls(home_of(environment))

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
    def inbox(self) -> Path:
        """Where new data arrives: a folder for each pipeline, in it one for each day."""
        return self.home / "inbox"

    @property
    def pipelines(self) -> Path:
        """The runs' folders and their metadata."""
        return self.home / "pipelines"

    @property
    def datasets(self) -> Path:
        """Published data sets that were fetched, each in a folder of its own."""
        return self.home / "datasets"

    @property
    def logs(self) -> Path:
        """One log per program."""
        return self.home / "logs"

    @property
    def run(self) -> Path:
        """What only matters while programs run: configuration of the supervisor, pid files, sockets."""
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


def home_of(environment: Mapping[str, str]) -> Path:
    """Returns the folder of all state.

    Raises:
        SettingsError: If its path, or the project's, cannot be used.
    """
    home = in_project(HOME_VARIABLE, "var", environment).resolve()
    _check_path(HOME_VARIABLE, home)
    _check_path("The project folder", PROJECT)
    return home


def _check_path(name: str, path: Path) -> None:
    if unusable := sorted(UNUSABLE_IN_PATHS & set(str(path))):
        shown = " ".join(repr(character) for character in unusable)
        raise SettingsError(
            f"{name} must be a path without quotes, backslashes, line breaks and any of ` ; # ? % $, "
            f"got {str(path)!r}, which has {shown}. Choose another folder."
        )
