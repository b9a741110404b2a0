"""The code that made a run's model, where it is not what the run was prepared with: Slipway was upgraded in between.

Reads and writes the run's folder and its MLflow run; what later runs know a training by follows from the code.
"""

from collections.abc import Collection, Mapping
from dataclasses import asdict
from typing import Any

from contract.errors import SettingsError
from contract.run_folder import PIPELINE_IR, RUN, RunFolder
from pipelines.definition import config as configuration
from pipelines.definition.nodes import COMPRESS, INFRA_VALIDATE, INGEST
from pipelines.lineage import code_version, launch
from pipelines.lineage.code_digest import Code
from pipelines.runs import baseline, resume
from pipelines.runs.warm_start import champion
from pipelines.tracking.tracker import Tracker

FINISHING = (COMPRESS, INFRA_VALIDATE)  # the nodes that make of a trained model what is registered


def that_of_now(
    folder: RunFolder, prepared: Mapping[str, Any], done: Collection[str], tracker: Tracker
) -> dict[str, Any]:
    """Has a run that goes on name the code of now for what runs again; what is done was made by that of then.

    Args:
        folder: Of the run.
        prepared: What it was prepared to be.
        done: Nodes that have succeeded, and are not going to run again.
        tracker: Of its MLflow runs.

    Returns:
        What it is prepared to be now.
    """
    now = launch.code_of(launch.from_json(folder.require(PIPELINE_IR)))
    return _naming(resume.code_of(prepared, done, now), folder, prepared, tracker)


def check_reading(folder: RunFolder, prepared: Mapping[str, Any]) -> None:
    """Makes sure that records are made and dealt into splits as when the run chose what its training begins with.

    Raises:
        SettingsError: If this version of Slipway does that in another way.
    """
    noted = prepared["tags"].get(champion.READ_AS)
    if noted and noted != champion.read_as(configuration.parse(prepared["config"], RUN)):
        raise SettingsError(
            f"Expected `{INGEST}` to make records of the data and deal them into splits as when run {folder.run_id} "
            "was prepared, and this version of Slipway does it in another way: what training begins with may have "
            "learned what is a test record now. Clear `prepare` too: "
            f"{resume.command(folder.pipeline, INGEST, folder.run_id)}"
        )


def what_ran(
    folder: RunFolder, prepared: Mapping[str, Any], node: str, ran: Code, tracker: Tracker
) -> dict[str, Any]:
    """Has a run name what a node ran, where an orchestrator tried it again after an upgrade and `prepare` did not run.

    Only of what makes the version, node by node: these wait for each other, so that none overwrites another's note.

    Args:
        folder: Of the run.
        prepared: What it was prepared to be.
        node: Which has just run.
        ran: Its code.
        tracker: Of its MLflow runs.

    Returns:
        What it is prepared to be now.
    """
    noted = {name: Code(**code) for name, code in prepared.get("code", {}).items()}
    if node not in (*champion.LEARNING, *FINISHING) or noted.get(node, ran) == ran:
        return dict(prepared)
    return _naming({**noted, node: ran}, folder, prepared, tracker)


def _naming(
    code: Mapping[str, Code], folder: RunFolder, prepared: Mapping[str, Any], tracker: Tracker
) -> dict[str, Any]:
    version, config = code_version.current(), configuration.parse(prepared["config"], RUN)
    tags = {
        **prepared["tags"],
        "slipway.code_version": version,
        champion.TRAINED_AS: champion.training_digest(prepared["data_digest"], config, code),
        baseline.RUN_DIGEST: baseline.run_digest(prepared["data_digest"], config, code),
    }
    tracker.tag(prepared["mlflow_run"], tags)
    noted = {node: asdict(each) for node, each in code.items()}
    renewed = {**prepared, "code_version": version, "code": noted, "tags": tags}
    folder.write(RUN, renewed)
    return renewed
