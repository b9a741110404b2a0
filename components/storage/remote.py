"""Files on whatever fsspec reads: an object store, mostly. See https://filesystem-spec.readthedocs.io."""

import hashlib
import json
import posixpath
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from functools import cached_property
from itertools import islice
from tempfile import TemporaryDirectory
from typing import IO, Any

from components.source import Entry
from components.storage.files import AT_ONCE, File, unreadable, vanished
from contract.errors import SettingsError, SlipwayError, UnavailableError
from contract.inbox import is_litter

# What S3, Azure and Google's store set, and nobody else can.
WRITTEN = ("LastModified", "last_modified", "updated")
TIMES = (*WRITTEN, "mtime", "modified", "created")  # the others are what somebody says, or say little


class Remote:
    """A `Folder` on another file system; there are no links.

    Args:
        root: URL of the folder, such as `s3://bucket/flowers`.

    Raises:
        SettingsError: If there is no such kind of file system, or what reads it is not installed.
    """

    def __init__(self, root: str) -> None:
        self._root = root if root.endswith("://") else f"{root.rstrip('/')}/"
        self._system, self._base = _file_system(root)

    @cached_property
    def _found(self) -> dict[str, dict[str, Any]]:
        """What is said of each file, by name, as it is when it is asked for first; nothing where there is no folder."""
        if self._said("").get("type") != "directory":
            return {}
        start = f"{self._base}/"
        try:
            with _asking(self.place("")):
                found = {said["name"].removeprefix(start): said for said in self._below(self._base)}
        except OSError as error:
            raise unreadable(self.place(""), error) from error
        return dict(sorted(found.items()))

    def _below(self, folder: str) -> Iterator[dict[str, Any]]:
        """Yields the files at any depth: fsspec's own `find` leaves out, without a word, what it may not list."""
        for said in self._system.ls(folder, detail=True):
            name = said["name"].rstrip("/")
            if said["type"] != "directory":
                yield said
            elif name != folder:  # stores have an empty object in the place of a folder
                yield from self._below(name)

    def _said(self, name: str) -> dict[str, Any]:
        try:
            with _asking(self.place(name)):
                self._system.invalidate_cache()
                return self._system.info(self._path(name))
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise unreadable(self.place(name), error) from error

    def is_there(self) -> bool:
        """Returns whether there is such a folder."""
        return bool(self._found)

    def place(self, name: str) -> str:
        """Returns the URL of a file; that of the folder, without a name."""
        return f"{self._root}{name}" if name else self._root.rstrip("/")

    def names(self) -> Iterator[str]:
        """Yields the files at any depth: see `Folder`."""
        return (name for name in self._found if not any(map(is_litter, name.split("/"))))

    def exists(self, name: str) -> bool:
        """Returns whether there is a file with a name."""
        return name in self._found

    def is_link(self, name: str) -> bool:
        """Returns that it is none."""
        return False

    def entries(self, names: Iterable[str]) -> Iterator[Entry]:
        """Yields the state of each file that is there."""
        wanted = list(names)
        for name in wanted:  # one file is asked for by its name: there may be a million beside it
            if said := self._found.get(name) if len(wanted) > 1 else self._said(name):
                yield _entry(name, said)

    def read(self, names: Iterable[str]) -> Iterator[File]:
        """Yields each file in turn: see `Folder`."""
        waiting = iter(names)
        while batch := list(islice(waiting, AT_ONCE)):
            with _asking(self.place("")):
                found = self._system.cat_ranges([self._path(name) for name in batch], None, None)
            for name, content in zip(batch, found, strict=True):
                yield File(name, self._content(name, content), "")

    def _content(self, name: str, found: bytes | Exception) -> bytes:
        if isinstance(found, FileNotFoundError):
            raise vanished(self.place(name)) from found
        if isinstance(found, OSError):
            raise unreadable(self.place(name), found) from found
        if isinstance(found, Exception):
            raise _unavailable(self.place(name), found) from found
        return found

    def open(self, name: str) -> IO[bytes]:
        """Opens a file for reading: see `Folder`."""
        with _asking(self.place(name)):
            return self._system.open(self._path(name), "rb")

    @contextmanager
    def fetched(self, name: str) -> Iterator[str]:
        """Copies a file to this machine, for as long as the block takes: see `Folder`."""
        with TemporaryDirectory(prefix="slipway-") as folder:
            copy = f"{folder}/{posixpath.basename(name)}"
            with _asking(self.place(name)):
                self._system.get_file(self._path(name), copy)
            yield copy

    def _path(self, name: str) -> str:
        return f"{self._base}/{name}".rstrip("/")


def _file_system(url: str) -> tuple[Any, str]:
    import fsspec  # local files do without

    try:
        system, base = fsspec.core.url_to_fs(url)
    except (ImportError, ValueError) as error:
        raise SettingsError(
            f"Expected a file system that reads {url}, got: {error}. Install what fsspec needs for it beside Slipway, "
            "such as s3fs for s3://, gcsfs for gs://, adlfs for abfs://; or set data.path to a folder of this machine."
        ) from error
    return system, base.rstrip("/")


@contextmanager
def _asking(place: str) -> Iterator[None]:
    try:
        yield
    except (OSError, SlipwayError):
        raise
    except Exception as error:  # each store has its own: no credentials, no such bucket, no answer
        raise _unavailable(place, error) from error


def _unavailable(place: str, error: Exception) -> UnavailableError:
    return UnavailableError(
        f"Expected an answer about {place}, got {type(error).__name__}: {error}. Check the address, the network and "
        "the credentials that the file system finds in its environment; then try again."
    )


def _entry(name: str, said: Mapping[str, Any]) -> Entry:
    etag = hashlib.sha256(json.dumps(said, sort_keys=True, default=str).encode()).hexdigest()
    return Entry(name, int(said.get("size") or 0), _time_ns(said, TIMES), _time_ns(said, WRITTEN), 0, etag)


def _time_ns(said: Mapping[str, Any], keys: Iterable[str]) -> int:
    """Returns the time that the first of the keys has, in Unix time; 0 where none has one."""
    told = next((said[key] for key in keys if said.get(key)), 0)
    if isinstance(told, str):
        try:
            told = datetime.fromisoformat(told.replace("Z", "+00:00"))
        except ValueError:
            return 0
    return int((told.timestamp() if isinstance(told, datetime) else told) * 1e9)
