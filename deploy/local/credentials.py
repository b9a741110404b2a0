"""Keys and passwords of the stack: generated once, readable by their owner alone."""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from contract import files

ADMIN = "admin"
USERS_FILE = "airflow-passwords.json"
KEY_BYTES = 64  # Airflow signs with HS512 and warns about shorter keys


@dataclass(frozen=True)
class Credentials:
    """What Airflow's processes must share. Never shown: `repr` leaves the values out.

    Attributes:
        jwt_secret: Signs the tokens of people and tasks.
        api_secret_key: Signs requests for task logs and sessions.
        fernet_key: Encrypts connections and variables in Airflow's database.
        password_file: JSON, user name to password.
    """

    jwt_secret: str = field(repr=False)
    api_secret_key: str = field(repr=False)
    fernet_key: str = field(repr=False)
    password_file: Path


def load_or_create(folder: Path) -> Credentials:
    """Reads the credentials in `folder` and generates those that are missing; two callers may race."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    folder.chmod(0o700)
    _read_or_write(folder / USERS_FILE, lambda: json.dumps({ADMIN: secrets.token_urlsafe(16)}))
    return Credentials(
        jwt_secret=_read_or_write(folder / "jwt_secret", _key),
        api_secret_key=_read_or_write(folder / "api_secret_key", _key),
        fernet_key=_read_or_write(folder / "fernet_key", _fernet_key),
        password_file=folder / USERS_FILE,
    )


def admin_password(folder: Path) -> str:
    """Returns the password of Airflow's user `admin`, as the password file has it now."""
    return str(json.loads((folder / USERS_FILE).read_text())[ADMIN])


def _key() -> str:
    return secrets.token_urlsafe(KEY_BYTES)


def _fernet_key() -> str:
    return base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()


def _read_or_write(path: Path, make: Callable[[], str]) -> str:
    if not path.exists():
        with suppress(FileExistsError):  # another process was quicker
            files.write_once(path, make(), mode=0o600)
    path.chmod(0o600)
    return path.read_text().strip()
