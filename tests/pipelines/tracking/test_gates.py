"""Each gate on a model refuses by itself: real models, judged by TFX's Evaluator with the settings of a pipeline."""

import io
from dataclasses import replace

import numpy as np
import pytest
from google.protobuf import json_format
from PIL import Image
from tfx.components.evaluator.executor import Executor
from tfx.dsl.components.base.base_beam_executor import BaseBeamExecutor
from tfx.types import standard_artifacts

from components import records
from components.evaluation import eval_config
from components.evaluation.settings import EvaluationSettings
from components.export import SERVING_DIR, save_served_model
from components.keras import keras
from contract.run_folder import FAILED, SUCCEEDED, NodeResult
from pipelines.definition import config, manifest
from pipelines.definition import pipeline as image_pipeline
from pipelines.tracking import evaluation_report
from pipelines.tracking.evaluation_report import Evaluation, Parent

SHAPE = records.ImageShape(8, 8, 1)
CLASSES = ["dark", "light"]
DARK, LIGHT = range(10, 110, 10), range(150, 250, 10)  # one flat picture of each brightness
N_EXAMPLES = len(DARK) + len(LIGHT)

LENIENT = EvaluationSettings(
    min_accuracy=0, min_slice_accuracy=0, max_drop_from_live=1, max_slice_drop_from_live=1
)


def picture(brightness):
    file = io.BytesIO()
    Image.fromarray(np.full((8, 8), brightness, np.uint8)).save(file, format="PNG")
    return file.getvalue()


@pytest.fixture(scope="module")
def examples(tmp_path_factory):
    artifact = standard_artifacts.Examples()
    artifact.uri = str(tmp_path_factory.mktemp("examples"))
    artifact.split_names = '["test"]'
    shades = [(brightness, label) for label, of_class in enumerate((DARK, LIGHT)) for brightness in of_class]
    written = (records.example(picture(shade), label, str(shade)) for shade, label in shades)
    assert records.write_split(artifact.uri, "test", written) == N_EXAMPLES
    return artifact


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """Makes a model that takes every picture brighter than `limit` for a light one."""

    def make(limit, steepness=100.0):
        image = keras.Input((8, 8, 1))
        brightness = keras.layers.GlobalAveragePooling2D()(image)
        dense = keras.layers.Dense(2, activation="softmax")
        trunk = keras.Model(image, dense(brightness))
        bias = -steepness * limit / records.MAX_INTENSITY
        dense.set_weights([np.array([[0, steepness]]), np.array([0, bias])])
        artifact = standard_artifacts.Model()
        artifact.uri = str(tmp_path_factory.mktemp("model"))
        save_served_model(trunk, f"{artifact.uri}/{SERVING_DIR}", classes=CLASSES, shape=SHAPE)
        return artifact

    return make


@pytest.fixture(scope="module")
def right(model):
    return model(limit=125)


@pytest.fixture(scope="module")
def wrong_twice(model):
    """Takes two dark pictures for light ones: 0.9 over all, 0.8 on the dark ones."""
    return model(limit=85)


@pytest.fixture
def evaluate(examples, tmp_path):
    def judge(candidate, settings=LENIENT, live=None):
        evaluation, blessing = standard_artifacts.ModelEvaluation(), standard_artifacts.ModelBlessing()
        evaluation.uri, blessing.uri = str(tmp_path / "evaluation"), str(tmp_path / "blessing")
        gates = eval_config.of_candidate(settings, len(CLASSES), has_baseline=live is not None)
        Executor(BaseBeamExecutor.Context(beam_pipeline_args=image_pipeline.BEAM_ARGS)).Do(
            {"model": [candidate], "examples": [examples]} | ({"baseline_model": [live]} if live else {}),
            {"evaluation": [evaluation], "blessing": [blessing]},
            {"eval_config": json_format.MessageToJson(gates), "example_splits": '["test"]'},
        )
        return Evaluation(evaluation.uri, N_EXAMPLES)

    return judge


def verdict(evaluation):
    return evaluation_report.verdict(evaluation, *evaluation_report.metrics(evaluation.folder))


@pytest.mark.parametrize(
    ("gate", "reason"),
    [
        pytest.param(
            {"min_accuracy": 0.95}, "accuracy is 0.9000, below the least acceptable 0.9500", id="minimum"
        ),
        pytest.param(
            {"min_slice_accuracy": 0.85},
            "accuracy on label 0 is 0.8000, below the least acceptable 0.8500",
            id="class minimum",
        ),
        pytest.param(
            {"max_drop_from_live": 0.05},
            "accuracy lies 0.1000 behind the live model's 1.0000, more than 0.0500 allowed",
            id="change from live",
        ),
        pytest.param(
            {"max_slice_drop_from_live": 0.15},
            "accuracy on label 0 lies 0.2000 behind the live model's 1.0000, more than 0.1500 allowed",
            id="change from live on a class",
        ),
    ],
)
def test_each_gate_refuses_by_itself_and_says_why(evaluate, wrong_twice, right, gate, reason):
    found = verdict(evaluate(wrong_twice, LENIENT.model_copy(update=gate), live=right))
    assert not found.blessed
    assert reason in found.reason
    assert ";" not in found.reason.replace(reason, ""), "one gate, one sentence"


def test_a_model_exactly_at_its_bounds_is_accepted_and_one_that_lost_too_much_to_compression_is_not(
    evaluate, wrong_twice, right, tmp_path
):
    bounds = EvaluationSettings(
        min_accuracy=0.9, min_slice_accuracy=0.8, max_drop_from_live=0.1, max_slice_drop_from_live=0.2
    )
    evaluation = evaluate(wrong_twice, bounds, live=right)
    assert verdict(evaluation) == evaluation_report.Verdict(True, "")
    assert verdict(replace(evaluation, parent=Parent(0.91, max_drop=0.01))).blessed

    lost = verdict(replace(evaluation, parent=Parent(0.92, max_drop=0.01)))
    assert lost.reason == (
        "accuracy lies 0.0200 behind the float model's 0.9200, more than compress.max_accuracy_drop 0.0100 allows"
    )
    unknown = verdict(replace(evaluation, parent=Parent(None, max_drop=1.0)))
    assert not unknown.blessed
    assert "expected the float model's accuracy in the result of `evaluate`" in unknown.reason
    unanswered = verdict(replace(evaluation, n_examples=N_EXAMPLES + 1))
    assert unanswered.reason == "expected an answer to each of the 21 test examples, got 20"

    written = evaluation_report.write(evaluation, tmp_path / "report", CLASSES)
    assert written.blessed
    metrics, _ = evaluation_report.report.read(tmp_path / "report")
    assert metrics["accuracy_label_0"] == pytest.approx(0.8)
    assert metrics["baseline_accuracy_label_0"] == 1.0


def test_what_the_parent_reached_is_known_only_from_an_evaluation_that_accepted_it():
    reached = {"accuracy": 0.97}
    assert Parent.judged_by(NodeResult(SUCCEEDED, metrics=reached), 0.01) == Parent(0.97, 0.01)
    for unknown in (None, NodeResult(FAILED, metrics=reached), NodeResult(SUCCEEDED)):
        assert Parent.judged_by(unknown, 0.01).accuracy is None


def test_a_model_that_answers_with_what_is_no_number_is_refused_although_each_answer_has_a_class(
    evaluate, model, tmp_path
):
    evaluation = evaluate(model(limit=125, steepness=np.nan))
    found = evaluation_report.write(evaluation, tmp_path / "report", CLASSES)
    assert not found.blessed
    assert "expected finite metrics, got" in found.reason
    assert "cross_entropy nan" in found.reason


def test_a_class_without_test_examples_is_refused_by_name(evaluate, right, examples, tmp_path):
    only_dark = records.read_split(examples.uri, "test")
    half = (item for item in only_dark if item.features.feature[records.LABEL].int64_list.value[0] == 0)
    examples_before, examples.uri = examples.uri, str(tmp_path / "half")
    try:
        n_examples = records.write_split(examples.uri, "test", half)
        found = verdict(replace(evaluate(right), n_examples=n_examples))
    finally:
        examples.uri = examples_before
    assert "no test examples for {'label': '1'}" in found.reason


def test_the_released_candidate_meets_every_gate_that_the_float_model_meets():
    placement = replace(manifest.NOWHERE, live_model="/nowhere/live")
    pipeline = image_pipeline.create_pipeline(config.load("digits"), placement)
    nodes = {node.id: node for node in pipeline.components}
    judges = nodes["evaluate"], nodes["evaluate_compressed"]
    gates = [node.exec_properties["eval_config"] for node in judges]
    assert gates[0] == gates[1]
    for node in judges:
        assert node.inputs["baseline_model"] is nodes[image_pipeline.LIVE_MODEL].outputs["result"]
