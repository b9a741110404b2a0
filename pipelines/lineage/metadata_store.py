"""Opens ML Metadata, in whichever database it is; sessions are serialised by an advisory lock.

ML Metadata reads before it writes, in transactions that neither SQLite nor PostgreSQL makes serial for it. So a
session, which is what TFX does between opening the store and closing it, has the store to itself: the first one
makes the tables, and none meets a half-made type or a locked file. No component works inside a session.
docs/decisions/0007-metadata-sessions-are-serialised.md has the evidence.
"""

import fcntl
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import psycopg2
from google.protobuf.message import Message
from ml_metadata.metadata_store import MetadataStore
from ml_metadata.proto import metadata_store_pb2 as mlmd
from tfx.orchestration.metadata import Metadata

from contract.errors import UnavailableError
from pipelines.lineage import metadata_uri

CONNECT_TIMEOUT_S = 10
LOCK_KEY = 0x534C4950  # "SLIP"
NOTICE_A_LOST_CLIENT = "-c tcp_keepalives_idle=30 -c tcp_keepalives_interval=10 -c tcp_keepalives_count=3"
STAND_IN = "\ue05c"


class Store(Metadata):
    """What TFX calls a metadata handle, for one process at a time.

    Sessions of one `Store` may nest. One of another `Store` inside them would wait for ever.

    Args:
        connection: To ML Metadata.
    """

    def __init__(self, connection: mlmd.ConnectionConfig) -> None:
        super().__init__(connection)
        self._lock = ExitStack()

    def __enter__(self) -> "Store":
        if self._users == 0:
            with ExitStack() as lock:
                lock.enter_context(_lock(self._connection_config))
                self._store = _open(self._connection_config)
                self._lock = lock.pop_all()
        self._users += 1
        return self

    def __exit__(self, *error: Any) -> None:
        super().__exit__(*error)
        if self._users == 0:
            self._lock.close()


def _open(connection: mlmd.ConnectionConfig) -> MetadataStore:
    return _PostgreSQLStore(connection) if connection.HasField("postgresql") else _InOrder(connection)


def _lock(connection: mlmd.ConnectionConfig) -> AbstractContextManager[None]:
    if connection.HasField("postgresql"):
        return _lock_in_database(connection.postgresql)
    return _lock_on_file(Path(connection.sqlite.filename_uri + ".lock"))


@contextmanager
def _lock_on_file(path: Path) -> Iterator[None]:
    """Holds a lock file; the lock ends with the process, the file stays."""
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextmanager
def _lock_in_database(server: mlmd.PostgreSQLDatabaseConfig) -> Iterator[None]:
    """Holds a lock in the database, where every machine meets it; the lock ends with its connection."""
    login = f"host={server.host} port={server.port} dbname={server.dbname}"
    try:
        connection = psycopg2.connect(
            f"{login} user={server.user} password={server.password}",
            connect_timeout=CONNECT_TIMEOUT_S,
            options=NOTICE_A_LOST_CLIENT,
        )
    except psycopg2.OperationalError as error:
        raise UnavailableError(
            f"Expected the database for ML Metadata that {metadata_uri.VARIABLE} names ({login}), and it cannot "
            f"be opened: {str(error).strip()}. Start the server, make the database, or correct the variable."
        ) from error
    with closing(connection):
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_lock(%s)", (LOCK_KEY,))
        yield


class _InOrder(MetadataStore):
    """Answers in the order of the ids that it is asked for.

    ML Metadata promises none, and TFX's cache pairs the answers with the names of outputs by position: a cached node
    could hand its report on as its model. PostgreSQL returns rows as they lie, which updates change.
    """

    def get_artifacts_by_id(self, artifact_ids: Iterable[int], *options: Any, **named: Any) -> list[Any]:
        asked = list(artifact_ids)
        found = {each.id: each for each in super().get_artifacts_by_id(asked, *options, **named)}
        return [found[number] for number in asked if number in found]

    def get_artifact_types_by_id(self, type_ids: Iterable[int], *options: Any, **named: Any) -> list[Any]:
        asked = list(type_ids)
        found = {each.id: each for each in super().get_artifact_types_by_id(asked, *options, **named)}
        return [found[number] for number in asked if number in found]


class _PostgreSQLStore(_InOrder):
    """Carries backslashes past ML Metadata 1.16, which writes a text with one as broken SQL on PostgreSQL.

    It asks libpq for a quoted literal and cuts off the first and the last character. A literal with a backslash
    starts with two more, " E", which stay in the text. So a character of the private use area stands in.
    """

    def _call(self, method_name: str, request: Message, response: Message, extra_options: Any = None) -> Any:
        _replace(request, "\\", STAND_IN)
        answer = super()._call(method_name, request, response, extra_options)
        _replace(response, STAND_IN, "\\")
        return answer


def _replace(message: Message, old: str, new: str) -> None:
    """Replaces a character in every text of a message."""
    for field, value in message.ListFields():
        repeated = field.label == field.LABEL_REPEATED
        if field.type == field.TYPE_STRING:
            if repeated:
                value[:] = [text.replace(old, new) for text in value]
            else:
                setattr(message, field.name, value.replace(old, new))
        elif field.type == field.TYPE_MESSAGE:
            is_map = field.message_type.GetOptions().map_entry
            for part in value.values() if is_map else value if repeated else [value]:
                if isinstance(part, Message):
                    _replace(part, old, new)
