"""Reads which PostgreSQL database keeps ML Metadata, from the environment."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from contract.errors import SettingsError

if TYPE_CHECKING:
    from sqlalchemy import URL

VARIABLE = "SLIPWAY_MLMD_URI"
FORM = "postgresql://user:password@host:port/database"
DEFAULT_PORT = 5432

# Anything else, percent-encoded, means the same; so the text passes unchanged through supervisord's configuration.
_URI = re.compile(r"[A-Za-z0-9._~:/?\[\]@!$&()*+,;=%-]*", re.ASCII)
# Else an @ of the password, not encoded, takes the rest of it into what messages show.
_HOST = re.compile(r"[A-Za-z0-9._:-]+", re.ASCII)
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
    except _Malformed as error:
        raise SettingsError(
            f"{VARIABLE} must be of the form {FORM}, got {_without_password(text)!r}: {error}. "
            "Unset it to keep each pipeline's metadata in a SQLite file of its own."
        ) from None


class _Malformed(ValueError):
    """What is wrong, in words without any part of the password."""


def _parse(text: str) -> Database:
    if not _URI.fullmatch(text):
        raise _Malformed("it has characters that a URI cannot have; percent-encode them")
    url = _read(text)
    host, user, name, password = (
        url.host or "",
        url.username or "",
        url.database or "",
        str(url.password or ""),
    )
    port = DEFAULT_PORT if url.port is None else url.port
    problems = {
        "only PostgreSQL is supported": url.drivername not in ("postgresql", "postgres"),
        "it has options after the database, and none are supported": bool(url.query),
        "it has no host": not host,
        "it has no user": not user,
        "the host must be a name or an address; percent-encode an @ of the password": not _HOST.fullmatch(
            host
        ),
        "the port must be a number from 1 to 65535": not 1 <= port <= 65535,
        "the database must be a name of letters, digits, _ and -": not _DATABASE.fullmatch(name),
        "it has a NUL character": "\0" in user + password,
    }
    for problem, found in problems.items():
        if found:
            raise _Malformed(problem)
    return Database(host, port, user, password, name)


def _read(text: str) -> URL:
    from sqlalchemy import make_url  # a fifth of a second, which only those pay who name a database
    from sqlalchemy.exc import ArgumentError

    # `from None`: the causes of an error are logged too, and these quote what they cannot read.
    try:
        return make_url(text)
    except ArgumentError:
        raise _Malformed("it cannot be read as a URI") from None
    except ValueError:
        raise _Malformed("the port must be a number from 1 to 65535") from None


def _without_password(text: str) -> str:
    """Keeps the scheme, and what follows the last @ where that looks like a host and a database."""
    scheme, separator, rest = text.partition("://")
    if not separator:
        return "***"
    _, at, place = rest.rpartition("@")
    return f"{scheme}://***@{place}" if at and _PLACE.fullmatch(place) else f"{scheme}://***"
