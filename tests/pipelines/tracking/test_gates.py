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
from components.evaluation import report as evaluation_report
from components.evaluation import verdict as judged
from components.evaluation.verdict import Evaluation, Parent, Verdict
from components.export import SERVING_DIR
from components.families.image import pixels
from components.keras import keras
from components.model_definition import ModelDefinition
from components.tasks.classification import evaluation as gates_of
from components.tasks.classification import labels
from components.tasks.classification import report as task
from components.tasks.classification.auc import area
from components.tasks.classification.settings import EvaluationSettings
from components.tasks.classification.target import TargetSettings
from contract.errors import SettingsError
from contract.run_folder import FAILED, SUCCEEDED, NodeResult
from pipelines.definition import config, manifest
from pipelines.definition import pipeline as wiring
from pipelines.definition.beam.arguments import of_beam
from pipelines.definition.beam.settings import BeamSettings
from pipelines.execution.tracked_node import parent_judged_by

TARGET = TargetSettings(classes=["dark", "light"])
DEFINITION = ModelDefinition.of(
    "components.families.image.model",
    "components.tasks.classification.training",
    record={"image": {"height": 8, "width": 8, "channels": 1}},
    target=TARGET.model_dump(),
    weighing={},
)
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
    shades = [(shade, label) for label, shades in (("dark", DARK), ("light", LIGHT)) for shade in shades]
    written = (
        records.example(
            {pixels.IMAGE: records.of_bytes(picture(shade))}, labels.encode(label, TARGET), str(shade)
        )
        for shade, label in shades
    )
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
        bias = -steepness * limit / pixels.MAX_INTENSITY
        dense.set_weights([np.array([[0, steepness]]), np.array([0, bias])])
        artifact = standard_artifacts.Model()
        artifact.uri = str(tmp_path_factory.mktemp("model"))
        DEFINITION.save(trunk, f"{artifact.uri}/{SERVING_DIR}", learnt={})
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
        gates = gates_of.of_candidate(settings, TARGET, has_baseline=live is not None)
        Executor(BaseBeamExecutor.Context(beam_pipeline_args=of_beam(BeamSettings()))).Do(
            {"model": [candidate], "examples": [examples]} | ({"baseline_model": [live]} if live else {}),
            {"evaluation": [evaluation], "blessing": [blessing]},
            {"eval_config": json_format.MessageToJson(gates), "example_splits": '["test"]'},
        )
        return Evaluation(evaluation.uri, N_EXAMPLES)

    return judge


def verdict(evaluation):
    return judged.verdict(evaluation, *judged.metrics(evaluation.folder, task), task, TARGET)


@pytest.mark.parametrize(
    ("gate", "reason"),
    [
        pytest.param(
            {"min_accuracy": 0.95}, "accuracy is 0.9000, below the least acceptable 0.9500", id="minimum"
        ),
        pytest.param(
            {"min_slice_accuracy": 0.85},
            "accuracy on label dark is 0.8000, below the least acceptable 0.8500",
            id="class minimum",
        ),
        pytest.param(
            {"max_drop_from_live": 0.05},
            "accuracy lies 0.1000 behind the live model's 1.0000, more than 0.0500 allowed",
            id="change from live",
        ),
        pytest.param(
            {"max_slice_drop_from_live": 0.15},
            "accuracy on label dark lies 0.2000 behind the live model's 1.0000, more than 0.1500 allowed",
            id="change from live on a class",
        ),
    ],
)
def test_each_gate_refuses_by_itself_and_says_why(evaluate, wrong_twice, right, gate, reason):
    found = verdict(evaluate(wrong_twice, LENIENT.model_copy(update=gate), live=right))
    assert not found.blessed
    assert reason in found.reason
    assert ";" not in found.reason.replace(reason, ""), "one gate, one sentence"


def test_a_model_that_takes_the_one_class_for_the_other_is_refused_by_its_area_under_the_curve(
    evaluate, model
):
    evaluation = evaluate(model(limit=125, steepness=-100.0), LENIENT.model_copy(update={"min_auc": 0.5}))
    assert verdict(evaluation).reason == "auc is 0.0000, below the least acceptable 0.5000"


def test_the_area_under_the_curve_is_asked_of_two_classes_only():
    three = TargetSettings(classes=["dark", "grey", "light"])
    with pytest.raises(SettingsError, match=r"evaluate.min_auc: expected null, or two classes .* got 3"):
        gates_of.of_candidate(EvaluationSettings(min_auc=0.9), three, has_baseline=False)


@pytest.mark.parametrize(
    ("pairs", "share"),
    [
        pytest.param([(0, 0.1), (0, 0.4), (1, 0.35), (1, 0.8)], 0.75, id="one pair of four the wrong way"),
        pytest.param([(0, 0.5), (1, 0.5)], 0.5, id="a tie counts half"),
        pytest.param([(1, 0.5)], np.nan, id="nothing to compare with"),
        pytest.param([(0, np.nan), (1, 0.5)], np.nan, id="no number"),
    ],
)
def test_the_area_is_the_share_of_pairs_in_the_right_order(pairs, share):
    assert area(pairs) == pytest.approx(share, nan_ok=True)


def test_a_model_exactly_at_its_bounds_is_accepted_and_one_that_lost_too_much_to_compression_is_not(
    evaluate, wrong_twice, right, tmp_path
):
    bounds = EvaluationSettings(
        min_accuracy=0.9, min_slice_accuracy=0.8, max_drop_from_live=0.1, max_slice_drop_from_live=0.2
    )
    evaluation = evaluate(wrong_twice, bounds, live=right)
    assert verdict(evaluation) == Verdict(True, "")
    assert verdict(replace(evaluation, parent=Parent("accuracy", 0.91, max_drop=0.01))).blessed

    lost = verdict(replace(evaluation, parent=Parent("accuracy", 0.92, max_drop=0.01)))
    assert lost.reason == (
        "accuracy lies 0.0200 behind the float model's 0.9200, more than compress.max_accuracy_drop 0.0100 allows"
    )
    unknown = verdict(replace(evaluation, parent=Parent("accuracy", None, max_drop=1.0)))
    assert not unknown.blessed
    assert "expected the float model's accuracy in the result of `evaluate`" in unknown.reason
    unanswered = verdict(replace(evaluation, n_examples=N_EXAMPLES + 1))
    assert unanswered.reason == "expected an answer to each of the 21 test examples, got 20"

    written = evaluation_report.write(evaluation, tmp_path / "report", task, TARGET)
    assert written.blessed
    metrics, _ = evaluation_report.report.read(tmp_path / "report")
    assert metrics["accuracy_label_0"] == pytest.approx(0.8)
    assert metrics["baseline_accuracy_label_0"] == 1.0


def test_what_the_parent_reached_is_known_only_from_an_evaluation_that_accepted_it():
    reached = {"accuracy": 0.97}
    accepted = NodeResult(SUCCEEDED, metrics=reached)
    assert parent_judged_by(accepted, "accuracy", 0.01) == Parent("accuracy", 0.97, 0.01)
    for unknown in (None, NodeResult(FAILED, metrics=reached), NodeResult(SUCCEEDED)):
        assert parent_judged_by(unknown, "accuracy", 0.01).value is None


def test_a_model_that_answers_with_what_is_no_number_is_refused_although_each_answer_has_a_class(
    evaluate, model, tmp_path
):
    evaluation = evaluate(model(limit=125, steepness=np.nan))
    found = evaluation_report.write(evaluation, tmp_path / "report", task, TARGET)
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
    assert "no test examples for label light" in found.reason


def test_the_released_candidate_meets_every_gate_that_the_float_model_meets():
    runtime = replace(manifest.NOWHERE, live_model="/nowhere/live")
    pipeline = wiring.create_pipeline(config.load("digits"), runtime)
    nodes = {node.id: node for node in pipeline.components}
    judges = nodes["evaluate"], nodes["evaluate_compressed"]
    gates = [node.exec_properties["eval_config"] for node in judges]
    assert gates[0] == gates[1]
    for node in judges:
        assert node.inputs["baseline_model"] is nodes[wiring.LIVE_MODEL].outputs["result"]
