import os
import signal
import socket
import subprocess
import sys

import pytest
from click.testing import CliRunner

from cli.main import main
from contract import exit_codes

CONFIG = 'config {{ name: "{name}" base_path: "{path}" model_platform: "tensorflow" }}'


def export_images(folder):
    """A classifier of files: the label is a file's first letter, and its probability 0.75."""
    import tensorflow as tf

    class Letters(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="image_bytes")])
        def encoded(self, image_bytes):
            probabilities = tf.tile([[0.25, 0.75]], [tf.size(image_bytes), 1])
            return {"label": tf.strings.substr(image_bytes, 0, 1), "probabilities": probabilities}

        @tf.function(input_signature=[tf.TensorSpec([None, 2, 2, 1], tf.float32, name="image")])
        def pixels(self, image):
            return {"mean": tf.reduce_mean(image)}

    model = Letters()
    signatures = {"encoded": model.encoded, "serving_default": model.pixels}
    tf.saved_model.save(model, str(folder), signatures=signatures)


def export_rows(folder):
    """A regression on two columns, with an output for the whole batch."""
    import tensorflow as tf

    class Sum(tf.Module):
        @tf.function(
            input_signature=[
                tf.TensorSpec([None, 1], tf.float32, name="mean_radius"),
                tf.TensorSpec([None], tf.string, name="town"),
            ]
        )
        def serve(self, mean_radius, town):
            pair = tf.concat([mean_radius, -mean_radius], axis=1)
            return {"pair": pair, "town": town, "total": tf.reduce_sum(mean_radius)}

    model = Sum()
    tf.saved_model.save(model, str(folder), signatures=model.serve)


@pytest.fixture(scope="module")
def target(tmp_path_factory):
    """A model server with the models `letters` and `sum`."""
    root = tmp_path_factory.mktemp("models")
    export_images(root / "letters" / "1")
    export_rows(root / "sum" / "3")
    entries = " ".join(CONFIG.format(name=name, path=root / name) for name in ("letters", "sum"))
    (root / "models.config").write_text(f"model_config_list {{ {entries} }}")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "serving.server", f"--port={port}"]
    with subprocess.Popen(
        [*command, f"--model_config_file={root / 'models.config'}", "--max_num_load_retries=0"],
        stderr=subprocess.PIPE,
        start_new_session=True,
        text=True,
    ) as process:
        try:
            assert any("Running gRPC" in line for line in process.stderr), "the model server did not start"
            yield f"127.0.0.1:{port}"
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            process.communicate(timeout=30)


@pytest.fixture
def predict(target, tmp_path, monkeypatch):
    """Asks with files that lie in a folder of the test's own; returns what came out."""
    monkeypatch.setenv("SLIPWAY_GRPC_TARGET", target)
    monkeypatch.chdir(tmp_path)

    def predict(*arguments, **files):
        for name, content in files.items():
            (tmp_path / name).write_text(content)
        arguments = arguments if "--version" in arguments else (*arguments, "--version", "1")
        return CliRunner().invoke(main, ["predict", *arguments])

    return predict


def cells(done):
    assert done.exit_code == 0, done.output
    lines = [line.strip("│┃ ") for line in done.stdout.splitlines() if line[:1] in ("│", "┃")]
    return [[cell.strip("│┃ ") for cell in line.replace("┃", "│").split("│")] for line in lines]


def test_files_get_a_label_and_its_probability_each(predict):
    done = predict("letters", "one", "two", one="abc", two="xyz")
    assert cells(done) == [["file", "label", "probability"], ["one", "a", "0.75"], ["two", "x", "0.75"]]
    assert "letters version 1" in done.stdout


def test_the_rows_of_a_csv_get_the_outputs_as_they_are_and_what_is_not_taken_is_said(predict):
    done = predict(
        "sum", "--csv", "rows", "--version", "3", rows="town,note,mean radius\nOslo,x,1.5\nRoma,y,2\n"
    )
    assert cells(done) == [["row", "pair", "town"], ["1", "[1.5, -1.5]", "Oslo"], ["2", "[2, -2]", "Roma"]]
    assert done.stdout.endswith("total: 3.5\n")
    assert done.stderr == "sum does not take, and was not given: note\n"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        pytest.param(("sum", "file", "--version", "3"), "`slipway predict sum --csv FILE`", id="files"),
        pytest.param(("letters", "--csv", "file"), "`slipway predict letters FILE...`", id="rows"),
        pytest.param(
            ("sum", "--csv", "file", "--version", "3"), "mean_radius (is it 'mean radiu'?)", id="a column"
        ),
    ],
)
def test_what_a_model_does_not_take_ends_with_how_to_ask_it(predict, arguments, words):
    done = predict(*arguments, file="mean radiu,town\n1,2\n")
    assert done.exit_code == exit_codes.BAD_DATA
    assert words in done.stderr


def test_a_version_that_is_not_served_is_named(predict):
    done = predict("letters", "file", "--version", "7", file="a")
    assert done.exit_code == exit_codes.UNKNOWN
    assert "asking what letters takes: Servable not found for request: Specific(letters, 7)" in done.stderr


@pytest.mark.parametrize("arguments", [("letters",), ("letters", "file", "--csv", "file")])
def test_files_and_rows_exclude_each_other(predict, arguments):
    done = predict(*arguments, file="a")
    assert done.exit_code == 2
    assert "Expected FILES or --csv" in done.stderr
