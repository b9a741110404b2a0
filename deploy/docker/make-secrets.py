"""Generates the secrets of the Compose stack into a folder: `python3 deploy/docker/make-secrets.py [FOLDER]`.

Standard library only, and nothing of Slipway's: it is run by whatever `python3` the host has, in whatever folder.
What is there is kept. The folder is its owner's alone (0700). The files in it are readable (0444), because Compose
mounts them with the owner and mode that they have here, and each service reads them as a user of its own.
"""

from __future__ import annotations

import base64
import json
import os
import secrets
import sys
from collections.abc import Callable
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[2] / "secrets"
KEY_BYTES = 64  # Airflow signs with HS512 and warns about shorter keys


def _password() -> str:
    return secrets.token_urlsafe(24)  # goes into URLs as it is


def _signing_key() -> str:
    return secrets.token_urlsafe(KEY_BYTES)


def _fernet_key() -> str:
    return base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()


def _users() -> str:
    return json.dumps({"admin": _password()})


FILES: dict[str, Callable[[], str]] = {
    "postgres_password": _password,
    "airflow_database_password": _password,
    "celery_database_password": _password,
    "mlflow_database_password": _password,
    "mlmd_database_password": _password,
    "redis_password": _password,
    "airflow_fernet_key": _fernet_key,
    "airflow_api_secret_key": _signing_key,
    "airflow_jwt_secret": _signing_key,
    "airflow_passwords.json": _users,
}


def write_once(path: Path, text: str) -> None:
    """Writes a complete file or none; fails where one exists."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        draft.write_text(text, encoding="utf-8")
        draft.chmod(0o444)
        os.link(draft, path)
    finally:
        draft.unlink(missing_ok=True)


def problem(path: Path) -> str | None:
    """Returns what is wrong with a secret, if anything: services take each byte of the file."""
    text = path.read_text(encoding="utf-8")
    if text and text == text.strip():
        return None
    found = "spaces or line breaks around it" if text.strip() else "none"
    return (
        f"{path} must hold a secret and nothing else, got {found}. Write it with printf '%s', not with echo."
    )


def main(folder: Path) -> int:
    """Generates what is missing in `folder`; returns the exit code."""
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    (folder / ".gitignore").write_text("*\n", encoding="utf-8")
    for name, make in FILES.items():
        state = "kept"
        if not (folder / name).exists():
            write_once(folder / name, make())
            state = "new"
        sys.stdout.write(f"{state:5}{folder / name}\n")
    problems = [found for name in FILES if (found := problem(folder / name))]
    sys.stderr.writelines(f"{line}\n" for line in problems)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER))
