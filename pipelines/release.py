"""What the DAG `release` runs: promote or roll back, then say what is served.

    python -m pipelines.release --model digits --action promote --version 3

The last line of output is JSON: model to its versions and labels. Exit codes as in `pipelines.node`.
"""

import argparse
import json
import logging
import os
import sys

os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["CUDA_VISIBLE_DEVICES"] = "-1"  # the model server needs the accelerator, this client does not

from pipelines import failures, node
from pipelines.addresses import grpc_target, tracking_uri
from pipelines.stack.settings import Stack

logger = logging.getLogger("pipelines.release")


def _release(model: str, action: str, version: int | None) -> dict[str, object]:
    from components.errors import SettingsError
    from serving.client import Client
    from serving.registry import Registry
    from serving.release import Release

    if action == "promote" and version is None:
        raise SettingsError(
            "Expected --version with --action promote, got none. Choose one of the model's versions."
        )
    stack = Stack.from_environment()
    with Client(grpc_target()) as client:
        release = Release(Registry(tracking_uri()), client, stack.models)
        if action == "promote" and version is not None:
            served = release.promote(model, version)
        else:
            served = release.rollback(model)
    return {
        name: {"versions": sorted(each.versions), "labels": dict(each.labels)}
        for name, each in served.items()
    }


def main() -> int:
    """Is the entry point of the command line."""
    parser = argparse.ArgumentParser(description="Promote a model version, or go back to the one before.")
    parser.add_argument("--model", required=True)
    parser.add_argument("--action", required=True, choices=["promote", "rollback"])
    parser.add_argument("--version", type=int)
    arguments = parser.parse_args()
    node.quiet()
    try:
        served = _release(arguments.model, arguments.action, arguments.version)
    except Exception as error:
        failure = failures.explain(error, tracking_uri())
        logger.error("%s", failure.message, exc_info=None if failure.explained else error)
        return failure.exit_code
    sys.stdout.write(json.dumps(served) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
