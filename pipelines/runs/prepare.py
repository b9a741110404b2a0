"""The first task of every run: resolves the configuration, compiles the run, opens its MLflow run.

Everything a later node needs lies in the run's folder afterwards; no later node resolves anything.
"""

import logging
from collections.abc import Collection, Mapping
from dataclasses import asdict, replace
from typing import Any

from components.ingestion.parts import Part
from contract.run_folder import PIPELINE_IR, REQUEST, RUN, SUCCEEDED, RunFolder
from pipelines.definition import arguments, form, manifest
from pipelines.definition import config as configuration
from pipelines.definition import pipeline as wiring
from pipelines.definition.config import PipelineConfig
from pipelines.definition.nodes import INGEST, JUDGES, TRAIN, VALIDATE
from pipelines.definition.pipeline import create_pipeline
from pipelines.definition.runtime_config import AcceptedData, RuntimeConfig
from pipelines.lineage import code_version, launch, metadata
from pipelines.lineage.code_digest import Code
from pipelines.runs import accepted_data, resume, runtime_config, spans
from pipelines.runs import baseline as comparison
from pipelines.runs.warm_start import champion, trained_by
from pipelines.tracking.opening import open_run
from pipelines.tracking.tracker import Tracker
from serving.registry.registry import Registry

logger = logging.getLogger(__name__)


def _request(folder: RunFolder) -> dict[str, Any]:
    return {"values": {}, "done": [], **folder.read(REQUEST)}


def _configured(folder: RunFolder, request: Mapping[str, Any]) -> PipelineConfig:
    """Resolves the configuration; the request keeps those of its values that differ from it as it is now."""
    said = configuration.load(folder.pipeline)
    if "dag_id" in request:
        manifest.check_compiled(said)
    changed = form.changes(said, request["values"])
    folder.write(REQUEST, {**request, "values": changed})
    logger.info("Values set: %s", ", ".join(f"{key}={value}" for key, value in changed.items()) or "none")
    return configuration.load(folder.pipeline, changed, f"the values set for {folder.run_id}")


def _takes_data(folder: RunFolder, done: Collection[str]) -> bool:
    """Returns whether a prepared run is about to read its data again."""
    return INGEST in resume.upstream(folder) and INGEST not in done


def _outdated(
    folder: RunFolder, prepared: Mapping[str, Any], digest: str, done: Collection[str]
) -> list[str]:
    """Returns what succeeded on data that the run no longer names, and is not going to run again."""
    if not prepared:
        return []
    same = prepared["data_digest"] == digest
    old = resume.outdated(folder) if same else resume.dependents(folder, INGEST)
    return [node for node in old if node in done]


def _forget_results(folder: RunFolder, kept: Collection[str]) -> None:
    for node in folder.results():
        if node not in kept:
            folder.forget_result(node)


def run(folder: RunFolder) -> str:
    """Prepares a run. Returns the page of its MLflow run.

    Repeated, as when a task is cleared, it opens the MLflow run again. Where `ingest` is going to run again, the
    run takes the data as it is now, and everything that follows from the data is resolved anew. Where all that judges
    its model is, the run is compared with what is live now. Else a run stays what it was prepared to be, as its
    configuration always does.

    Raises:
        SettingsError: If a value is unknown, malformed or out of range, the network cannot be compressed, Airflow shows
            a stale manifest, another version of Slipway prepared the run, or retention removed what it goes on with.
        DataError: If the data cannot be found, or changes while it is read.
        UnreachableError: If the files of what is live cannot be had for now.
        UntriedError: If it could not be found out this time whether what training begins with loads.
    """
    request, prepared = _request(folder), folder.require(RUN) if folder.is_prepared() else {}
    if request["done"]:
        folder.check_not_collected()
    if prepared:
        resume.check_stack(folder, prepared)
    if prepared and not _takes_data(folder, request["done"]):
        return _go_on(folder, prepared, request["done"])
    config = configuration.parse(prepared["config"], RUN) if prepared else _configured(folder, request)
    arguments.check_compression(config)
    runtime = runtime_config.on_data_of_now(folder, config, request)
    outdated = _outdated(folder, prepared, runtime.source_digest, request["done"])
    done = set(request["done"]) - set(outdated)
    code = resume.code_of(prepared, done, _code(folder, config, runtime))
    runtime = replace(runtime, warm_start=champion.find(folder, config, runtime, code, prepared))
    compared = _compile(folder, config, runtime, code)
    tags = {**_tags(config, runtime, request), **champion.tags(config, runtime, code), **compared.tags()}
    tracker = Tracker(runtime.tracking_uri, config.name)
    parent = open_run(tracker, folder.run_id, config, spans.where(config), tags)
    # Before run.json: killed in between, the data is still that of before, and all this is done again.
    _forget_results(folder, done)
    prepared = {
        "config": config.model_dump(),
        "data_digest": runtime.source_digest,
        "data": [part._asdict() for part in runtime.data],
        "accepted_data": asdict(runtime.accepted_data) if runtime.accepted_data else None,
        "schema": runtime.schema,
        "warm_start": asdict(runtime.warm_start) if runtime.warm_start else None,
        "code_version": tags["slipway.code_version"],
        "code": {node: asdict(each) for node, each in code.items()},
        "stack": code_version.stack(),
        "tracking_uri": tracker.uri,
        "experiment_id": tracker.experiment_id,
        "mlflow_run": parent,
        "tags": tags,
        "outdated": outdated,
    }
    _keep(folder, prepared, compared, tracker)
    logger.info("Data %s, code %s", runtime.source_digest[:12], tags["slipway.code_version"])
    return tracker.url(parent)


def _tags(config: PipelineConfig, runtime: RuntimeConfig, request: Mapping[str, Any]) -> dict[str, str]:
    return {
        "slipway.pipeline": config.name,
        "slipway.data_digest": runtime.source_digest,
        "slipway.code_version": code_version.current(),
        **spans.tags(runtime.data),
        **comparison.meaning(config),
        **{f"airflow.{key}": request[key] for key in ("dag_id", "run_id", "dag_run_url") if request.get(key)},
    }


def _go_on(folder: RunFolder, prepared: Mapping[str, Any], done: Collection[str]) -> str:
    """Prepares a run again whose data stays as it is. Returns the page of its MLflow run."""
    judges = set(JUDGES) & set(resume.upstream(folder))  # one comparison for all
    tracker = Tracker(prepared["tracking_uri"], folder.pipeline)
    parent = tracker.open(folder.run_id, "")
    # What was refused or failed stands until its node has run again; a success is one of what came before it then.
    stopped = {node for node, result in folder.results().items() if result.state != SUCCEEDED}
    _forget_results(folder, {*done, *stopped})
    if TRAIN in resume.upstream(folder) and TRAIN not in done:
        champion.fetch_again(folder, prepared)
        prepared = trained_by.that_of_now(folder, prepared, done, tracker)
    if judges and not judges & set(done):
        if VALIDATE not in done:
            prepared = _with_acceptance_of_now(folder, prepared)
        _compare_anew(folder, prepared, done, tracker)
    return tracker.url(parent)


def _with_acceptance_of_now(folder: RunFolder, prepared: Mapping[str, Any]) -> dict[str, Any]:
    """The data is going to be validated again: that a person has accepted it since counts."""
    if accepted_data.of(folder.pipeline_dir, prepared["data_digest"]) is None:
        return dict(prepared)
    span = prepared["data"][-1]["span"]
    compared = runtime_config.to_compare_with(folder, prepared["data_digest"], span)
    return {**prepared, "accepted_data": asdict(compared) if compared else None}


def _compare_anew(
    folder: RunFolder, prepared: Mapping[str, Any], done: Collection[str], tracker: Tracker
) -> None:
    """Compiles the run once more, with the same data and configuration, against what is live now."""
    config, accepted = configuration.parse(prepared["config"], RUN), prepared["accepted_data"]
    runtime = runtime_config.on_known_data(
        folder,
        data=[Part(**part) for part in prepared["data"]],
        accepted_data=AcceptedData(**accepted) if accepted else None,
        schema=prepared["schema"],
    )
    code = resume.code_of(prepared, done, _code(folder, config, runtime))
    runtime = replace(runtime, warm_start=champion.of_prepared(prepared))
    prepared = {**prepared, "code": {node: asdict(each) for node, each in code.items()}}
    _keep(folder, prepared, _compile(folder, config, runtime, code), tracker)


def _keep(
    folder: RunFolder, prepared: Mapping[str, Any], compared: comparison.Comparison, tracker: Tracker
) -> None:
    """Writes what the run was prepared to be, with what it is compared with; last, so that it means all is there."""
    promotion = compared.promotion(prepared["config"]["promotion"])
    tags = {**prepared["tags"], **compared.tags()}
    told = {"slipway.promotion": promotion["mode"], "slipway.promotion_reason": promotion["reason"]}
    tracker.tag(prepared["mlflow_run"], tags | told)
    of_comparison = {
        "live_version": compared.live,
        "compared_with": compared.version,
        "promotion": promotion,
        "tags": tags,
    }
    folder.write(RUN, {**prepared, **of_comparison})
    logger.info(
        "Live version %s, compared with version %s, promotion %s",
        compared.live or comparison.NOTHING,
        compared.version or comparison.NOTHING,
        promotion["mode"],
    )


def _code(folder: RunFolder, config: PipelineConfig, runtime: RuntimeConfig) -> Mapping[str, Code]:
    """Returns what each node runs; what the run begins and is compared with follows from it."""
    return launch.code_of(launch.compile_run(create_pipeline(config, runtime), folder.run_id))


def _compile(
    folder: RunFolder, config: PipelineConfig, runtime: RuntimeConfig, code: Mapping[str, Code]
) -> comparison.Comparison:
    """Compiles the run once it is known what its model is compared with."""
    digest = comparison.run_digest(runtime.source_digest, config, code)
    compared = comparison.choose(Registry(runtime.tracking_uri), config, digest, folder.pipeline_dir)
    complete = replace(runtime, judged_against=compared.judged_against, live_model=compared.model)
    pipeline_ir = launch.compile_run(create_pipeline(config, complete), folder.run_id)
    folder.write(PIPELINE_IR, launch.to_json(pipeline_ir))
    _import(pipeline_ir, folder)
    if compared.version != compared.live and not compared.reason:
        logger.info(
            "This run repeats the one that made version %s, and is compared with what that one was: version %s",
            compared.live,
            compared.version or comparison.NOTHING,
        )
    return compared


def _import(pipeline_ir: Any, folder: RunFolder) -> None:
    """Registers what the run is compared with as artifacts of this run; the newest import is the one that counts."""
    connection = metadata.connection(folder.pipeline_dir)
    for node in launch.node_ids(pipeline_ir):
        if node in wiring.IMPORTS:
            launch.launch(pipeline_ir, node, connection)
