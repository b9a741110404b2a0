"""A PostgreSQL server of the tests' own: on the loopback interface, in a folder that goes with it."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import quote

import psycopg2
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

USER = "slipway"
PASSWORD = "pass word's \\ @ / % one"  # noqa: S105  of a server that lives as long as the tests
DEADLINE_S = 30.0


def binaries():
    """The folder of the newest installed server's programs; `None` where there is none."""
    if found := shutil.which("initdb"):
        return Path(found).parent
    installed = Path("/usr/lib/postgresql").glob("*/bin/initdb")
    return max((path.parent for path in installed), key=lambda folder: int(folder.parent.name), default=None)


class Server:
    def __init__(self, port):
        self.port, self.made = port, 0

    def login(self, database="postgres"):
        return closing(
            psycopg2.connect(host="127.0.0.1", port=self.port, user=USER, password=PASSWORD, dbname=database)
        )

    def new_database(self):
        """Makes an empty database; returns its URI."""
        self.made += 1
        with self.login() as connection:
            connection.autocommit = True
            connection.cursor().execute(f"CREATE DATABASE metadata_{self.made}")
        return self.uri(f"metadata_{self.made}")

    def uri(self, database, password=PASSWORD):
        return f"postgresql://{USER}:{quote(password, safe='')}@127.0.0.1:{self.port}/{database}"


@contextmanager
def running():
    """Makes, starts, and finally stops and removes a server. It refuses to run as root: then it is nobody's."""
    programs, who = binaries(), "nobody" if os.geteuid() == 0 else None
    with tempfile.TemporaryDirectory(prefix="slipway-postgresql-") as home:
        folder = Path(home)
        password = folder / "password"
        password.write_text(PASSWORD)
        if who:
            for path in (folder, password):
                shutil.chown(path, who)
        data = str(folder / "data")
        make = ("--username", USER, "--pwfile", str(password), "--auth", "scram-sha-256")
        subprocess.run(
            [programs / "initdb", "-D", data, *make, "--no-sync", "--no-locale", "--encoding=UTF8"],
            user=who,
            cwd=folder,
            check=True,
            capture_output=True,
        )
        port = _free_port()
        with (folder / "log").open("wb") as log:
            options = ("-k", home, "-h", "127.0.0.1", "-p", str(port), "-F")
            server = subprocess.Popen(
                [programs / "postgres", "-D", data, *options],
                user=who,
                cwd=folder,
                stdout=log,
                stderr=log,
            )
        try:
            yield _answering(Server(port), server)
        finally:
            server.send_signal(signal.SIGINT)  # its fast way to stop
            server.wait(DEADLINE_S)


def _free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _answering(server, process):
    def log_in():
        assert process.poll() is None, f"PostgreSQL ended with exit code {process.returncode}"
        with server.login():
            return server

    refused = retry_if_exception_type(psycopg2.OperationalError)
    waiting = Retrying(retry=refused, wait=wait_fixed(0.05), stop=stop_after_delay(DEADLINE_S), reraise=True)
    return waiting(log_in)
