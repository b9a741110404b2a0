import hashlib
import json
import logging
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from components.export import KERAS_FILE, save_trunk
from components.families.image import sources
from components.ingestion import split
from components.model_definition import ModelDefinition
from components.source import RawRecord
from contract import errors, exit_codes, files
from contract.errors import SettingsError
from contract.run_folder import PIPELINE_IR, REQUEST, RUN, RunFolder
from pipelines.definition import config
from pipelines.definition import pipeline as wiring
from pipelines.execution.tracked_node import TrackedNode
from pipelines.lineage import launch
from pipelines.lineage.code_digest import Code
from pipelines.runs import baseline as comparison
from pipelines.runs import live_model, prepare
from pipelines.runs.baseline import RUN_DIGEST
from pipelines.runs.warm_start import champion, trained_by
from pipelines.tracking.tracker import Tracker
from serving import digest
from serving.errors import UnreachableError
from serving.registry import trunk
from serving.registry.registry import DIGEST_TAG, Registry

FACTS = {
    "problem": "",
    "inputs": {"image": ["float32", [None, 8, 8, 1]]},
    "outputs": {"probabilities": ["float32", [None, 10]], "label": ["string", [None]]},
}
WARM = {"train.warm_start": "champion"}


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    """A model of digits, as MLflow keeps the files of a version."""
    folder = tmp_path_factory.mktemp("stored")
    digits = config.load("digits")
    definition = ModelDefinition.of(
        digits.family_module("model"),
        digits.task_module("training"),
        record=digits.record.model_dump(),
        target=digits.target.model_dump(),
        weighing={},
    )
    model = definition.build({"filters": 4, "dense_units": 4}, seed=1)
    definition.save(model, folder / "data/model", learnt={})
    save_trunk(model, folder / "trained", {})
    (folder / "trained" / KERAS_FILE).rename(folder / trunk.FILE)
    return folder


class Digits:
    """Runs of digits with an MLflow of its own, whose registry holds what a test puts there."""

    def __init__(self, home, uri, stored):
        self.home, self.uri, self.stored, self.registry = home, uri, stored, Registry(uri)
        self.dir = RunFolder(home, "digits", "any").pipeline_dir
        self.registry.client.create_registered_model("digits")
        self.sha256 = digest.of_folder(stored / "data/model")
        facts = self.dir / "live" / f"{self.sha256}.signatures.tensorflow-{live_model._tensorflow()}.json"
        facts.parent.mkdir(parents=True)
        facts.write_text(json.dumps(FACTS))  # as after an earlier run

    def champion(self, mark=b"", address="", **tags):
        """Makes a new version live; `mark` makes its trunk another file, `address` is where MLflow looks for it."""
        source = self.home / f"kept-{len(self.registry.versions('digits')) + 1}"
        shutil.copytree(self.stored / "data", source / "data")
        content = (self.stored / trunk.FILE).read_bytes() + mark
        sha256 = hashlib.sha256(content).hexdigest()
        (source / trunk.folder(sha256)).mkdir(parents=True)
        (source / trunk.folder(sha256) / trunk.FILE).write_bytes(content)
        noted = {DIGEST_TAG: self.sha256, trunk.DIGEST_TAG: sha256}
        noted[champion.READ_AS] = champion.read_as(config.load("digits"))
        noted |= {f"slipway.{name}": value for name, value in tags.items()}
        noted = {name: value for name, value in noted.items() if value}
        made = self.registry.client.create_model_version("digits", address or source.as_uri(), tags=noted)
        self.registry.set_champion("digits", int(made.version))
        return int(made.version)

    def prepare(self, run_id, *done, **values):
        folder = RunFolder(self.home, "digits", run_id)
        folder.write(REQUEST, {"values": WARM | values, "done": list(done)})
        prepare.run(folder)
        return folder.require(RUN)

    def told(self, run_id):
        """Returns what Trainer of a run is told."""
        told = self._trainer(run_id).parameters.parameters["custom_config"]
        return json.loads(told.field_value.string_value)

    def trains_with(self, run_id):
        """Returns the digest that Trainer of a run is told, and which of the run's imports it takes a model from."""
        base = self._trainer(run_id).inputs.inputs.get("base_model")
        return self.told(run_id).get("warm_start_sha256"), base and base.channels[0].producer_node_query.id

    def _trainer(self, run_id):
        pipeline_ir = launch.from_json(RunFolder(self.home, "digits", run_id).require(PIPELINE_IR))
        return next(
            each.pipeline_node
            for each in pipeline_ir.nodes
            if each.pipeline_node.node_info.id == wiring.TRAIN
        )


@pytest.fixture
def digits(tmp_path, monkeypatch, new_mlflow, stored):
    monkeypatch.chdir(tmp_path)  # where MLflow keeps files when there is no server
    uri = new_mlflow(tmp_path)
    monkeypatch.setenv("SLIPWAY_HOME", str(tmp_path))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    return Digits(tmp_path, uri, stored)


def test_where_nothing_is_live_yet_training_begins_from_scratch_and_everybody_is_told(digits, caplog):
    with caplog.at_level(logging.INFO, "pipelines"):
        prepared = digits.prepare("first")
    assert prepared["warm_start"] is None
    assert prepared["tags"]["slipway.warm_start"] == "none"
    assert "Training begins from scratch: nothing is live yet" in caplog.text
    assert digits.trains_with("first") == (None, None)


def test_training_begins_with_the_champion_whose_digest_is_told_to_it_and_to_mlflow(digits):
    version = digits.champion()
    prepared = digits.prepare("first")
    found = champion.of_prepared(prepared)
    assert found.version == version
    assert files.sha256(Path(found.model) / KERAS_FILE) == found.sha256
    assert Path(found.model) == digits.dir / "live" / found.sha256
    assert digits.trains_with("first") == (found.sha256, wiring.INITIAL_MODEL)
    told = Tracker(digits.uri, "digits").client.get_run(prepared["mlflow_run"]).data.tags
    assert (told["slipway.warm_start"], told["slipway.warm_start_sha256"]) == (str(version), found.sha256)


def test_from_scratch_is_what_is_not_asked_otherwise(digits):
    digits.champion()
    prepared = digits.prepare("first", **{"train.warm_start": "none"})
    assert prepared["warm_start"] is None
    assert "slipway.warm_start" not in prepared["tags"]
    assert digits.trains_with("first") == (None, None)


def test_a_run_that_is_prepared_again_begins_with_what_it_began_with(digits):
    digits.prepare("cold")
    digits.champion()
    warm, told = digits.prepare("warm")["warm_start"], digits.trains_with("warm")
    newer = digits.champion(b"newer")
    for done in ((), ("ingest",), ("ingest", "train")):
        assert digits.prepare("warm", *done)["warm_start"] == warm
        assert digits.trains_with("warm") == told
    for done in ((), ("ingest",)):
        assert digits.prepare("cold", *done)["warm_start"] is None
        assert digits.trains_with("cold") == (None, None)
    another = digits.prepare("another", **{"train.epochs": 2})
    assert another["warm_start"]["version"] == newer
    assert another["warm_start"]["sha256"] != told[0]


def test_the_same_trunk_under_another_number_is_the_same_training_and_the_run_names_the_number(digits):
    """As where the same training was compressed in another way."""
    digits.champion()
    of_first = digits.prepare("first")["warm_start"]
    digits.champion()
    of_second = digits.prepare("second")["warm_start"]
    assert (of_first["version"], of_second["version"]) == (1, 2)
    assert digits.told("first") == digits.told("second")
    assert digits.told("first")["warm_start_sha256"] == of_second["sha256"]


def test_a_repetition_begins_with_what_its_original_began_with_whatever_is_live(digits):
    of_first, of_second = (
        digits.prepare(f"of-{epochs}-epochs", **{"train.epochs": epochs})["tags"][champion.TRAINED_AS]
        for epochs in (2, 3)
    )
    first = digits.champion(b"1", training_fingerprint=of_first, warm_start="none")
    digits.champion(b"2", training_fingerprint=of_second, warm_start=str(first))
    digits.champion(b"3")
    assert digits.prepare("again", **{"train.epochs": 3})["warm_start"]["version"] == first
    from_scratch = digits.prepare("from-scratch", **{"train.epochs": 2})
    assert (from_scratch["warm_start"], from_scratch["tags"]["slipway.warm_start"]) == (None, "none")


def test_where_that_version_was_deleted_a_repetition_begins_with_what_is_live_and_says_so(digits, caplog):
    same = digits.prepare("probe", **{"train.epochs": 2})["tags"][champion.TRAINED_AS]
    live = digits.champion(training_fingerprint=same, warm_start="17")
    assert digits.prepare("again", **{"train.epochs": 2})["warm_start"]["version"] == live
    assert f"made version {live}, which began with version 17. That is gone from MLflow" in caplog.text


def test_training_begins_from_scratch_after_the_live_version_was_deleted_only_where_it_is_told_to(digits):
    live = digits.champion()
    digits.registry.set_live("digits", live)
    digits.registry.client.delete_model_version("digits", str(live))
    with pytest.raises(
        SettingsError, match=r"with the weights of digits version 1, .* was deleted in MLflow"
    ):
        digits.prepare("night")
    told = digits.prepare("told", **{"train.warm_start": "none"})
    assert told["warm_start"] is None
    assert told["promotion"]["mode"] == "approval"


def test_a_copy_that_was_altered_or_removed_is_fetched_anew(digits):
    digits.champion()
    before = digits.prepare("first")["warm_start"]
    path = Path(before["model"]) / KERAS_FILE
    path.write_bytes(b"yesterday's")
    assert digits.prepare("second")["warm_start"] == before
    assert files.sha256(path) == before["sha256"]
    for done in ((), ("ingest",)):
        path.unlink()
        digits.prepare("second", *done)
        assert files.sha256(path) == before["sha256"]
    path.unlink()
    assert digits.prepare("second", "ingest", "train")["warm_start"] == before, "nothing reads it any more"


def test_what_changes_no_training_begins_with_what_the_live_version_began_with(digits):
    first = digits.champion(b"1")
    before = digits.prepare("before")
    trained_as = before["tags"][champion.TRAINED_AS]
    assert before["warm_start"]["version"] == first
    digits.champion(b"2", training_fingerprint=trained_as, warm_start=str(first))
    asked = digits.prepare("asked", promotion="approval")
    assert asked["tags"][RUN_DIGEST] != before["tags"][RUN_DIGEST]
    assert asked["tags"][champion.TRAINED_AS] == trained_as
    assert asked["warm_start"] == before["warm_start"]


def test_after_a_training_from_scratch_that_was_asked_for_the_same_one_begins_from_scratch_again(digits):
    digits.champion(b"1")
    cold = digits.prepare("cold", **{"train.warm_start": "none"})["tags"]
    live = digits.champion(b"2", training_fingerprint=cold[champion.TRAINED_AS])
    assert digits.prepare("night")["warm_start"] is None
    assert digits.prepare("longer", **{"train.epochs": 3})["warm_start"]["version"] == live


def test_of_several_versions_that_were_trained_alike_the_live_one_counts(digits):
    first = digits.champion(b"1")
    trained_as = digits.prepare("before")["tags"][champion.TRAINED_AS]
    live = digits.champion(b"2", training_fingerprint=trained_as, warm_start=str(first))
    digits.champion(b"3", training_fingerprint=trained_as)
    digits.registry.set_champion("digits", live)
    assert digits.prepare("night")["warm_start"]["version"] == first


def test_a_model_that_is_trained_again_names_the_code_that_made_it_and_of_what_is_done_that_of_then(
    digits, monkeypatch
):
    before = digits.prepare("first")
    then = launch.code_of(launch.from_json(RunFolder(digits.home, "digits", "first").require(PIPELINE_IR)))
    now = {**then, "ingest": Code("newer", "tensorflow"), "train": Code("repaired", "tensorflow")}
    monkeypatch.setattr(prepare.launch, "code_of", lambda pipeline_ir: now)
    kept = digits.prepare("first", "ingest", "train")
    again = digits.prepare("first", "ingest")
    made_by, found = {**now, "ingest": then["ingest"]}, config.parse(again["config"], RUN)
    for tag, digest_of in (
        (champion.TRAINED_AS, champion.training_digest),
        (RUN_DIGEST, comparison.run_digest),
    ):
        assert kept["tags"][tag] == before["tags"][tag]
        assert again["tags"][tag] == digest_of(again["data_digest"], found, made_by)


def test_a_training_that_was_tried_again_after_an_upgrade_is_known_by_the_code_that_ran(digits):
    before, folder = digits.prepare("night"), RunFolder(digits.home, "digits", "night")
    tracker, repaired = Tracker(digits.uri, "digits"), Code("repaired", "tensorflow")
    as_prepared = Code(**before["code"]["train"])
    for node, ran in (("train", as_prepared), ("evaluate", repaired)):
        assert trained_by.what_ran(folder, before, node, ran, tracker) == before
    trained_by.what_ran(folder, before, "train", repaired, tracker)

    named = folder.require(RUN)
    code = {node: Code(**each) for node, each in before["code"].items()} | {"train": repaired}
    expected = champion.training_digest(before["data_digest"], config.parse(before["config"], RUN), code)
    told = tracker.client.get_run(before["mlflow_run"]).data.tags
    assert named["tags"][champion.TRAINED_AS] == told[champion.TRAINED_AS] == expected
    assert named["tags"][RUN_DIGEST] == told[RUN_DIGEST] != before["tags"][RUN_DIGEST]


def test_data_is_not_read_in_another_way_than_when_the_run_chose_what_it_begins_with(digits, monkeypatch):
    prepared, folder = digits.prepare("night"), RunFolder(digits.home, "digits", "night")
    trained_by.check_reading(folder, prepared)
    monkeypatch.setattr(champion, "read_as", lambda config: "of another version of Slipway")
    with pytest.raises(SettingsError, match="Clear `prepare` too: slipway run digits --from ingest"):
        TrackedNode(folder, "ingest")
    digits.prepare("night")
    TrackedNode(folder, "ingest")


@pytest.mark.parametrize("node", ["compress", "infra_validate"])
def test_what_was_made_of_a_trained_model_after_an_upgrade_is_known_by_the_code_that_ran(digits, node):
    before, folder = digits.prepare("night"), RunFolder(digits.home, "digits", "night")
    repaired = Code("repaired", "tensorflow")
    trained_by.what_ran(folder, before, node, repaired, Tracker(digits.uri, "digits"))

    named = folder.require(RUN)
    code = {name: Code(**each) for name, each in before["code"].items()} | {node: repaired}
    expected = comparison.run_digest(before["data_digest"], config.parse(before["config"], RUN), code)
    assert named["tags"][RUN_DIGEST] == expected
    assert named["tags"][champion.TRAINED_AS] == before["tags"][champion.TRAINED_AS]


@pytest.mark.parametrize("at_hand", [True, False], ids=["trunk", "SavedModel"])
def test_a_store_that_does_not_answer_is_no_fault_of_the_version_and_may_be_asked_again(
    digits, monkeypatch, at_hand
):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    if at_hand:
        digits.champion()
        digits.prepare("before")
    digits.champion(b"newer", address="http://127.0.0.1:9/api/2.0/mlflow-artifacts/artifacts/gone")
    with pytest.raises(UnreachableError) as lost:
        digits.prepare("first")
    said = errors.explain(lost.value, digits.uri)
    assert said.exit_code == exit_codes.TEMPORARY
    assert "or have MLflow's store answer; then try again" in said.message
    assert "train.warm_start" not in said.message


def test_a_load_that_takes_too_long_now_may_be_tried_again_and_one_that_fails_may_not(digits, monkeypatch):
    version = digits.champion()
    (facts,) = (digits.dir / "live").glob("*.json")
    facts.unlink()
    with monkeypatch.context() as busy:
        busy.setattr(live_model, "LOAD_TIMEOUT_S", 0.01)
        with pytest.raises(live_model.UntriedError, match=r"took longer than .* Try again when") as late:
            digits.prepare("first")
    assert errors.explain(late.value, digits.uri).exit_code == exit_codes.TEMPORARY
    assert f"Expected to load digits version {version}" in str(late.value)
    facts.write_text(json.dumps({"problem": "OpError: no such op"}))
    with pytest.raises(SettingsError, match="does not load it: OpError") as broken:
        digits.prepare("first")
    assert errors.explain(broken.value, digits.uri).exit_code == exit_codes.BAD_SETTINGS


@pytest.mark.parametrize(
    ("tags", "reason"),
    [
        pytest.param({"trunk_sha256": "0" * 64}, f"{'0' * 64}/model.keras cannot be read", id="lost trunk"),
        pytest.param({"trunk_sha256": ""}, "without the weights from before compression", id="no trunk"),
        pytest.param({"saved_model_sha256": "1" * 64}, "its files are not those that were", id="other files"),
        pytest.param({"data_settings_sha256": "2" * 64}, "may be test records now", id="other splits"),
        pytest.param({"data_settings_sha256": ""}, "may be test records now", id="unknown splits"),
        pytest.param({"newest_span": "2026-03-10"}, "learned from data up to 2026-03-10", id="newer data"),
        pytest.param({"classes": '["cat", "dog"]'}, "its classes are others (0: 'cat', here", id="classes"),
    ],
)
def test_a_champion_that_cannot_be_begun_with_fails_the_run_before_anything_is_made(digits, tags, reason):
    version = digits.champion(**tags)
    with pytest.raises(SettingsError) as refused:
        digits.prepare("first")
    said = str(refused.value)
    assert f"to begin with the weights of digits version {version}, as train.warm_start says" in said
    assert reason in said
    assert "set train.warm_start to none, which trains from scratch; then start a new run" in said
    assert not RunFolder(digits.home, "digits", "first").is_prepared()


def test_a_training_is_told_by_its_data_settings_and_code_and_not_by_what_judges_or_releases_its_model():
    found, code = config.load("digits"), {"train": Code("a", "b"), "evaluate": Code("c", "d")}
    same = champion.training_digest("data", found, code)

    def told(section="", **changed):
        of_section = getattr(found, section).model_copy(update=changed) if section else None
        return champion.training_digest(
            "data", found.model_copy(update={section: of_section} if section else changed), code
        )

    assert {
        told(schedule="0 3 * * *"),
        told("evaluate", min_accuracy=0.1),
        told("compress", method="prune"),
        told("train", warm_start="champion"),
        told("data", path="/elsewhere"),
        champion.training_digest("data", found, {**code, "evaluate": Code("e", "d")}),
    } == {same}
    others = [
        told("train", epochs=3),
        told("augment", factor=7),
        told("data", test_fraction=0.3),
        told("data", classes=found.data.classes[::-1]),
        champion.training_digest("other data", found, code),
        champion.training_digest("data", found, {**code, "train": Code("e", "d")}),
    ]
    assert len({same, *others}) == 1 + len(others)


def test_a_version_of_slipway_that_deals_records_otherwise_begins_with_nothing_that_was_dealt_before(
    digits, monkeypatch
):
    digits.champion()
    split_of = split.split_of
    monkeypatch.setattr(
        split, "split_of", lambda content_hash, settings: split_of(content_hash[8:], settings)
    )
    with pytest.raises(SettingsError, match=r"or another version of Slipway: .* may be test records now"):
        digits.prepare("first")


def test_another_hash_and_another_edition_of_the_source_are_another_way_to_deal(monkeypatch):
    found = config.load("digits")
    before = champion.read_as(found)
    with monkeypatch.context() as changed:
        changed.setattr(RawRecord, "content_hash", property(lambda self: bytes(32)))
        hashed = champion.read_as(found)
    newer = {**sources.SOURCES, "digits": replace(sources.SOURCES["digits"], edition=2)}
    monkeypatch.setattr(sources, "SOURCES", newer)
    assert len({before, hashed, champion.read_as(found)}) == 3


def test_shares_of_splits_and_the_order_of_columns_tell_what_a_version_may_have_learned_from():
    def told(name, **data):
        found = config.load(name)
        found = found.model_copy(update={"data": found.data.model_copy(update=data)})
        return champion.read_as(found)

    assert told("digits") == told("digits", path="/elsewhere", max_quarantined_fraction=0.5)
    assert told("digits") != told("digits", test_fraction=0.3)
    columns = config.load("breast_cancer").source.columns
    assert told("breast_cancer") != told("breast_cancer", columns=list(reversed(columns)))
