import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import mlflow
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_log_pb2

from serving import digest, models_config, release
from serving.client import Client
from serving.errors import RegistryError, ReleaseError, ServerUnavailableError
from serving.registry import Registry
from serving.release import Release
from serving.smoke import WARMUP_FILE

MODEL = "toy"


def export(folder, answer):
    """A SavedModel whose probabilities tell which one answered, with its warm-up request."""

    class Toy(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None, 1], tf.float32, name="image")])
        def serve(self, image):
            probabilities = tf.zeros_like(image) + answer
            return {"probabilities": probabilities, "label": tf.as_string(probabilities[:, 0])}

    toy = Toy()
    tf.saved_model.save(toy, str(folder), signatures={"serving_default": toy.serve})
    request = predict_pb2.PredictRequest()
    request.model_spec.signature_name = "serving_default"
    request.inputs["image"].CopyFrom(tf.make_tensor_proto(np.zeros((1, 1), np.float32)))
    log = prediction_log_pb2.PredictionLog(predict_log=prediction_log_pb2.PredictLog(request=request))
    path = Path(folder) / WARMUP_FILE
    path.parent.mkdir(parents=True)
    with tf.io.TFRecordWriter(str(path)) as writer:
        writer.write(log.SerializeToString())
    return folder


@pytest.fixture(scope="module")
def saved_models(tmp_path_factory):
    root = tmp_path_factory.mktemp("saved_models")
    return {
        "one": export(root / "one", 1.0),
        "two": export(root / "two", 2.0),
        "three": export(root / "three", 3.0),
        "broken": export(root / "broken", float("nan")),
    }


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """The embedded server, as the stack starts it; each test gives it a configuration of its own."""
    folder = tmp_path_factory.mktemp("server")
    config = folder / "models.config"
    config.write_text("model_config_list {}\n")
    with socket.socket() as probe, socket.socket() as other:
        probe.bind(("127.0.0.1", 0))
        other.bind(("127.0.0.1", 0))
        port, rest_port = probe.getsockname()[1], other.getsockname()[1]
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "serving.server", f"--port={port}", f"--rest_api_port={rest_port}"),
            *(f"--model_config_file={config}", "--max_num_load_retries=0"),
        ],
        start_new_session=True,
        stderr=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )
    target = f"127.0.0.1:{port}"

    def answers():
        try:
            with Client(target, timeout_s=2) as client:
                return client.versions("nothing") == {}
        except ServerUnavailableError:
            return False

    release.wait_until(answers, 120, "the model server")
    yield target
    os.killpg(process.pid, signal.SIGTERM)
    process.wait(20)


@pytest.fixture(scope="module")
def empty_database(tmp_path_factory):
    """MLflow's tables, made once: each test gets a copy."""
    path = tmp_path_factory.mktemp("mlflow") / "mlflow.db"
    Registry(f"sqlite:///{path}").models()
    return path


@pytest.fixture
def registry(empty_database, tmp_path):
    shutil.copy(empty_database, tmp_path / "mlflow.db")
    registry = Registry(f"sqlite:///{tmp_path}/mlflow.db")
    experiment = mlflow.create_experiment("toy", artifact_location=(tmp_path / "artifacts").as_uri())
    registry.run_id = registry.client.create_run(experiment).info.run_id
    return registry


@pytest.fixture
def site(registry, server, tmp_path):
    with Client(server, timeout_s=20) as client:
        yield Release(registry, client, tmp_path / "models", load_timeout_s=30)
        client.reload(models_config.to_proto({}, tmp_path))


def register(registry, folder, **tags):
    return registry.register(MODEL, folder, run_id=registry.run_id, tags=tags)


def answer(site, label="stable"):
    return float(
        site.client.predict(MODEL, {"image": np.zeros((1, 1), np.float32)}, label=label).probabilities[0, 0]
    )


def state_of(site):
    """Everything that a failed release must leave as it was."""
    return (
        site.registry.wanted(MODEL),
        site.config_path.read_text(),
        sorted(path.name for path in (site.models_dir / MODEL).iterdir()),
    )


def test_a_promoted_version_answers_behind_stable_and_is_what_was_registered(site, saved_models):
    version = register(site.registry, saved_models["one"])
    served = site.promote(MODEL, version)
    assert served[MODEL].labels == {"stable": version}
    assert answer(site) == 1.0
    assert digest.of_folder(site.models_dir / MODEL / str(version)) == digest.of_folder(saved_models["one"])


def test_a_registered_version_becomes_the_challenger_behind_canary(site, saved_models):
    site.promote(MODEL, register(site.registry, saved_models["one"]))
    challenger = register(site.registry, saved_models["two"])
    assert site.reconcile()[MODEL].labels == {"stable": 1, "canary": challenger}
    assert (answer(site), answer(site, "canary")) == (1.0, 2.0)


def test_registering_the_same_files_and_tags_again_makes_no_second_version(registry, saved_models):
    first = register(registry, saved_models["one"], run="a")
    assert register(registry, saved_models["one"], run="a") == first
    assert register(registry, saved_models["one"], run="b") == first + 1


def test_a_rollback_brings_the_version_before_back_and_can_be_rolled_back_itself(site, saved_models):
    for name in ("one", "two"):
        site.promote(MODEL, register(site.registry, saved_models[name]))
    assert answer(site) == 2.0
    site.rollback(MODEL)
    assert answer(site) == 1.0
    site.rollback(MODEL)
    assert answer(site) == 2.0


def test_an_alias_moved_by_hand_is_followed_and_what_it_replaced_is_remembered(site, saved_models):
    for name in ("one", "two"):
        site.promote(MODEL, register(site.registry, saved_models[name]))
    site.registry.set_champion(MODEL, 1)
    site.reconcile()
    assert answer(site) == 1.0
    assert site.registry.wanted(MODEL).previous_champion == 2


def test_versions_without_a_role_leave_the_disk_and_the_previous_champion_stays(site, saved_models):
    for name in ("one", "two", "three"):
        site.promote(MODEL, register(site.registry, saved_models[name]))
    assert sorted(path.name for path in (site.models_dir / MODEL).iterdir()) == ["2", "3"]


def test_reconciling_twice_changes_nothing(site, saved_models):
    site.promote(MODEL, register(site.registry, saved_models["one"]))
    before = state_of(site)
    site.reconcile()
    assert state_of(site) == before


def test_two_reconciles_at_once_both_succeed(site, saved_models):
    register(site.registry, saved_models["one"])
    site.registry.set_champion(MODEL, 1)
    results = []
    threads = [threading.Thread(target=lambda: results.append(site.reconcile())) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert [result[MODEL].labels["stable"] for result in results] == [1, 1]


def test_a_version_that_answers_nonsense_is_not_promoted_and_everything_is_as_before(site, saved_models):
    site.promote(MODEL, register(site.registry, saved_models["one"]))
    broken = register(site.registry, saved_models["broken"])
    before = state_of(site)
    with pytest.raises(ReleaseError, match="Expected finite numbers from toy version 2"):
        site.promote(MODEL, broken)
    assert state_of(site) == before
    assert answer(site) == 1.0


def test_a_version_that_cannot_be_loaded_is_not_promoted_and_everything_is_as_before(
    site, saved_models, tmp_path
):
    site.promote(MODEL, register(site.registry, saved_models["one"]))
    torn = tmp_path / "torn"
    torn.mkdir()
    (torn / "saved_model.pb").write_bytes(b"no model at all")
    version = register(site.registry, torn)
    before = state_of(site)
    with pytest.raises(ReleaseError, match=f"cannot load toy version {version}"):
        site.promote(MODEL, version)
    assert state_of(site) == before
    assert answer(site) == 1.0


def test_files_that_changed_in_the_registry_are_never_served(site, saved_models, tmp_path):
    register(site.registry, saved_models["one"])
    (stored,) = (tmp_path / "artifacts").rglob("saved_model.pb")
    stored.write_bytes(stored.read_bytes() + b"\0")
    with pytest.raises(RegistryError, match="are not those that were registered"):
        site.promote(MODEL, 1)
    assert site.registry.wanted(MODEL).champion is None
    assert not list((site.models_dir / MODEL).iterdir())


def test_with_no_server_a_promotion_leaves_the_alias_where_it_was(registry, saved_models, tmp_path):
    register(registry, saved_models["one"])
    with (
        Client("127.0.0.1:1", timeout_s=2) as client,
        pytest.raises(ServerUnavailableError, match=r"Expected a model server at 127.0.0.1:1 .*make up"),
    ):
        Release(registry, client, tmp_path / "models").promote(MODEL, 1)
    assert registry.wanted(MODEL) == release.Wanted(None, 1, None)
    assert models_config.read(tmp_path / "models/models.config") == {}


def test_what_does_not_exist_is_answered_with_what_does(site, saved_models):
    register(site.registry, saved_models["one"])
    with pytest.raises(RegistryError, match=r"Expected a version of toy, got 7. It has: 1"):
        site.promote(MODEL, 7)
    with pytest.raises(RegistryError, match=r"Expected a registered model, got 'tox'. Registered: toy"):
        site.promote("tox", 1)
    with pytest.raises(RegistryError, match="Expected a previous champion of toy"):
        site.rollback(MODEL)


def test_the_registered_model_loads_as_an_mlflow_pyfunc(registry, saved_models):
    version = register(registry, saved_models["two"])
    loaded = mlflow.pyfunc.load_model(f"models:/{MODEL}/{version}")
    assert loaded.predict(np.zeros((3, 1), np.float32))["probabilities"].tolist() == [[2.0]] * 3
