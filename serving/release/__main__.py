"""The program of the DAG `release`: promotes, rolls back or reconciles, then says what is served.

    python -m serving.release --action promote --model digits --version 3 --by anna
    python -m serving.release --action reconcile

The last line of output is JSON: model to its versions and labels. Exit codes: `contract/exit_codes.py`.
"""

import argparse
import json
import logging
import signal
import sys
from collections.abc import Mapping

from contract import environment, failures
from contract.addresses import grpc_target, tracking_uri
from contract.errors import SettingsError
from contract.failures import Cancelled, cancel
from contract.state import StateFolder
from serving.release.models_config import ServedModel

logger = logging.getLogger("serving.release")  # `__name__` is `__main__` here, which nobody configures


def _act(arguments: argparse.Namespace) -> Mapping[str, ServedModel]:
    from serving.client import Client
    from serving.registry.registry import Registry
    from serving.release import promotion, reconciliation
    from serving.release.target import ReleaseTarget

    models, action = arguments.model, arguments.action
    if action != "reconcile" and len(models) != 1:
        raise SettingsError(f"Expected one --model with --action {action}, got {len(models)}.")
    if action == "promote" and arguments.version is None:
        raise SettingsError(
            "Expected --version with --action promote, got none. Choose one of the model's versions."
        )
    with Client(grpc_target()) as client:
        target = ReleaseTarget(Registry(tracking_uri()), client, StateFolder.from_environment().models)
        if action == "reconcile":
            return reconciliation.reconcile_all(target, models, arguments.by)
        (model,) = models
        if action == "promote":
            return {model: promotion.promote(target, model, arguments.version, arguments.by)}
        return {model: promotion.rollback(target, model, arguments.by)}


def main() -> int:
    """Is the entry point of the command line."""
    parser = argparse.ArgumentParser(
        description="Promote a version, go back, or reconcile with the registry."
    )
    parser.add_argument(
        "--model", action="append", default=[], help="May be repeated with reconcile; all without."
    )
    parser.add_argument("--action", required=True, choices=["promote", "rollback", "reconcile"])
    parser.add_argument("--version", type=int)
    parser.add_argument("--by", default="somebody", help="Who wants it; shown in the registry.")
    arguments = parser.parse_args()
    environment.configure_logs()
    signal.signal(signal.SIGTERM, cancel)
    try:
        served = _act(arguments)
    except (Exception, Cancelled) as error:
        failure = failures.explain(error, tracking_uri())
        logger.error("%s", failure.message, exc_info=None if failure.explained else error)
        return failure.exit_code
    shown = {
        name: {"versions": sorted(each.versions), "labels": dict(each.labels)}
        for name, each in served.items()
    }
    sys.stdout.write(json.dumps(shown) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
