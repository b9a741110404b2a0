"""The programs of the ML side that Airflow starts: their modules and their command lines. Standard library only."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass

from contract.worker_protocol import Request

NODE = "pipelines.execution.node"
RELEASE = "serving.release"

PROMOTE, ROLLBACK, RECONCILE = "promote", "rollback", "reconcile"
ACTIONS = (PROMOTE, ROLLBACK, RECONCILE)


def node_arguments(request: Request) -> list[str]:
    """Returns the command line of `NODE`: the same request that the worker takes."""
    return ["--pipeline", request.pipeline, "--run-id", request.run_id, "--node", request.node]


def node_request(arguments: Sequence[str] | None = None) -> Request:
    """Reads a command line of `NODE`; of this process where none is given."""
    parser = argparse.ArgumentParser(description="Run one node of a pipeline run.")
    for name in ("--pipeline", "--run-id", "--node"):
        parser.add_argument(name, required=True)
    return Request(**vars(parser.parse_args(arguments)))


@dataclass(frozen=True)
class ReleaseRequest:
    """What `RELEASE` is asked to do.

    Attributes:
        action: One of `ACTIONS`.
        models: To act on; empty reconciles all.
        version: To promote.
        by: Who wants it; empty where nobody knows.
    """

    action: str
    models: tuple[str, ...] = ()
    version: int | None = None
    by: str = ""

    def arguments(self) -> list[str]:
        """Returns the command line that asks for it."""
        chosen = [argument for model in self.models for argument in ("--model", model)]
        version = [] if self.version is None else ["--version", str(self.version)]
        return ["--action", self.action, *chosen, *version, *(["--by", self.by] if self.by else [])]

    @classmethod
    def parse(cls, arguments: Sequence[str] | None = None) -> ReleaseRequest:
        """Reads a command line; of this process where none is given."""
        parser = argparse.ArgumentParser(
            description="Promote a version, go back, or reconcile with the registry."
        )
        parser.add_argument("--action", required=True, choices=ACTIONS)
        parser.add_argument(
            "--model", action="append", default=[], help="May be repeated with reconcile; all without."
        )
        parser.add_argument("--version", type=int)
        parser.add_argument("--by", default="", help="Who wants it; shown in the registry.")
        found = parser.parse_args(arguments)
        return cls(found.action, tuple(found.model), found.version, found.by)
