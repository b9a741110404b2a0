"""Reads which PostgreSQL database keeps ML Metadata, from the environment. Standard library only."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import SplitResult, unquote, urlsplit

from contract.errors import SettingsError

VARIABLE = "SLIPWAY_MLMD_URI"
FORM = "postgresql://user:password@host:port/database"
DEFAULT_PORT = 5432

# Anything else, percent-encoded, means the same; so the text passes unchanged through supervisord's configuration.
_URI = re.compile(r"[A-Za-z0-9._~:/?\[\]@!$&()*+,;=%-]*", re.ASCII)
# ML Metadata puts the name into its queries without quotes around it.
_DATABASE = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)
_PLACE = re.compile(r"[A-Za-z0-9.:\[\]-]*/[^/?#]*")


@dataclass(frozen=True)
class Database:
    """A PostgreSQL database.

    Attributes:
        host: Name or address of the server.
        port: Of the server.
        user: Who logs in.
        password: With which password; empty where the server asks for none.
        name: Of the database, which has to exist.
    """

    host: str
    port: int
    user: str
    password: str = field(repr=False)
    name: str


def from_environment(environment: Mapping[str, str] = os.environ) -> Database | None:
    """Returns the database that SLIPWAY_MLMD_URI names; `None` where it is not set.

    Raises:
        SettingsError: If it is malformed. The message leaves the password out.
    """
    text = environment.get(VARIABLE, "")
    if not text:
        return None
    try:
        return _parse(text)
    except ValueError as error:
        # `from None`: the causes of an error are logged too, and urllib quotes what it cannot read.
        problem = str(error) if isinstance(error, _Malformed) else "it cannot be read as a URI"
        raise SettingsError(
            f"{VARIABLE} must be of the form {FORM}, got {_without_password(text)!r}: {problem}. "
            "Unset it to keep each pipeline's metadata in a SQLite file of its own."
        ) from None


class _Malformed(ValueError):
    """What is wrong, in words without any part of the password."""


def _parse(text: str) -> Database:
    if not _URI.fullmatch(text):
        raise _Malformed("it has characters that a URI cannot have; percent-encode them")
    parts = urlsplit(text)
    name = parts.path.removeprefix("/")
    if parts.scheme not in ("postgresql", "postgres"):
        raise _Malformed("only PostgreSQL is supported")
    if parts.query or parts.fragment:
        raise _Malformed("it has options after the database, and none are supported")
    if not parts.hostname or not parts.username:
        raise _Malformed(
            "it has no host" if parts.username else "it has no user, or a / that belongs to the password"
        )
    if not _DATABASE.fullmatch(name):
        raise _Malformed("the database must be a name of letters, digits, _ and -")
    user, password = unquote(parts.username), unquote(parts.password or "")
    if "\0" in user + password:
        raise _Malformed("it has a NUL character")
    return Database(parts.hostname, _port(parts), user, password, name)


def _port(parts: SplitResult) -> int:
    try:
        return parts.port or DEFAULT_PORT
    except ValueError:
        raise _Malformed("the port must be a number from 1 to 65535") from None


def _without_password(text: str) -> str:
    """Keeps the scheme, and what follows the last @ where that looks like a host and a database."""
    scheme, separator, rest = text.partition("://")
    if not separator:
        return "***"
    _, at, place = rest.rpartition("@")
    return f"{scheme}://***@{place}" if at and _PLACE.fullmatch(place) else f"{scheme}://***"
