import shutil

import numpy as np
import pytest

from serving.server.errors import Code, ServingError


@pytest.fixture
def load(saved_models, tmp_path):
    """Loads a copy of version 1, changed by the test."""
    from serving.server.execution import servable

    def load(change=lambda directory: None):
        directory = tmp_path / "1"
        shutil.copytree(saved_models[1], directory)
        change(directory)
        return servable.load(directory)

    return load


def test_the_private_session_call_still_takes_any_shape_and_says_what_the_op_says(load):
    model = load()
    with pytest.raises(ServingError) as caught:
        model.run("serving_default", {"x": np.ones([3], np.float32)}, ["y"], None)
    assert caught.value.code is Code.INVALID_ARGUMENT
    assert "ndims must be >= 2" in caught.value.message


def test_a_string_without_a_dimension_is_an_output_like_any_other(tmp_path):
    import tensorflow as tf

    from serving.server import encoding
    from serving.server.execution import servable

    class Named(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, name="x")])
        def serve(self, x):
            return {"name": tf.strings.join(["v", tf.strings.as_string(tf.size(x))])}

    named = Named()
    tf.saved_model.save(named, str(tmp_path), signatures={"serving_default": named.serve})
    found = servable.load(tmp_path).run("serving_default", {"x": np.ones(2, np.float32)}, ["name"], None)
    assert (found["name"].shape, found["name"].item()) == ((), b"v2")
    proto = tf.make_tensor_proto(0.0)
    proto.ParseFromString(encoding.tensor(found["name"]))
    assert proto.string_val == [b"v2"]


def test_a_run_is_given_up_at_its_timeout(load):
    with pytest.raises(ServingError) as caught:
        load().run("slow", {"rounds": np.int32(2**31 - 1)}, ["version"], 0.2)
    assert caught.value.code is Code.DEADLINE_EXCEEDED


def test_a_run_that_loops_is_given_up_at_its_timeout_however_quick_the_last_one_was(load):
    model = load()
    for _ in range(3):
        model.run("slow", {"rounds": np.int32(1)}, ["version"], 10)
    with pytest.raises(ServingError) as caught:
        model.run("slow", {"rounds": np.int32(2**31 - 1)}, ["version"], 0.2)
    assert caught.value.code is Code.DEADLINE_EXCEEDED


def test_what_may_take_any_time_is_known(saved_models):
    from tensorflow.core.protobuf import saved_model_pb2

    from serving.server.execution.bounds import bounded

    saved = saved_model_pb2.SavedModel.FromString((saved_models[1] / "saved_model.pb").read_bytes())
    (meta_graph,) = saved.meta_graphs
    found = {name for name, is_bounded in bounded(meta_graph).items() if not is_bounded}
    assert found == {"slow"}


def numbers(tf):
    return tf.TensorSpec([], tf.int32), lambda count: tf.reduce_sum(
        tf.sin(tf.cast(tf.range(count), tf.float32))
    )


def copies(tf):
    return tf.TensorSpec([], tf.int32), lambda count: tf.reduce_sum(tf.fill([count, 1000], 1.0))


def picture(tf):
    return tf.TensorSpec([], tf.string), lambda png: tf.reduce_sum(tf.io.decode_png(png))


@pytest.mark.parametrize("much", [numbers, copies, picture])
def test_a_model_that_makes_much_of_a_few_bytes_is_never_called_quick(tmp_path, much):
    import tensorflow as tf

    from serving.server.execution import servable

    spec, work = much(tf)

    class Much(tf.Module):
        @tf.function(input_signature=[spec])
        def serve(self, x):
            return {"y": work(x)}

    module = Much()
    tf.saved_model.save(module, str(tmp_path), signatures={"serving_default": module.serve})
    model = servable.load(tmp_path)
    small = np.asarray(tf.io.encode_png(tf.zeros([1, 1, 1], tf.uint8)).numpy(), object)
    inputs = {"x": small if spec.dtype == tf.string else np.int32(1)}
    for _ in range(3):
        model.run("serving_default", inputs, ["y"], 10)
        assert not model.is_quick("serving_default", inputs)


def test_a_model_is_quick_for_as_much_as_it_was_quick_with(load, monkeypatch):
    from serving.server.execution import servable

    monkeypatch.setattr(servable, "_QUICK_S", 10)
    model, few, many = load(), {"a": np.ones(2, np.float32)}, {"a": np.ones(3, np.float32)}
    assert not model.is_quick("total", few)
    model.run("total", few, ["total"], 10)
    assert model.is_quick("total", few)
    assert not model.is_quick("total", many)


def test_strings_are_as_much_as_they_are_long(load, monkeypatch):
    from serving.server.execution import servable

    monkeypatch.setattr(servable, "_QUICK_S", 10)
    short, alike, long = ({"image_bytes": np.array([b"x" * size], object)} for size in (9, 10, 1000))
    model = load()
    model.run("encoded", short, ["length"], 10)
    assert model.is_quick("encoded", alike)
    assert not model.is_quick("encoded", long)


def test_a_quick_model_answers_the_same_on_the_calling_thread(load):
    model = load()
    answers = [
        model.run("add", {"a": np.float32([n]), "b": np.float32([1])}, ["sum"], 10)["sum"] for n in range(9)
    ]
    assert np.concatenate(answers).tolist() == list(range(1, 10))
    with pytest.raises(ServingError, match="Incompatible shapes"):
        model.run("add", {"a": np.zeros(2, np.float32), "b": np.zeros(3, np.float32)}, ["sum"], 10)


@pytest.mark.parametrize(
    ("change", "code", "words"),
    [
        pytest.param(
            lambda d: (d / "saved_model.pb").unlink(), Code.NOT_FOUND, "saved_model.pb", id="no graph"
        ),
        pytest.param(
            lambda d: (d / "saved_model.pb").write_bytes(b"\xff" * 99),
            Code.DATA_LOSS,
            "Cannot parse file",
            id="graph unreadable",
        ),
        pytest.param(
            lambda d: (d / "variables" / "variables.index").unlink(),
            Code.DATA_LOSS,
            "not a valid checkpoint",
            id="no variables",
        ),
        pytest.param(
            lambda d: (d / "variables" / "variables.data-00000-of-00001").write_bytes(b""),
            Code.OUT_OF_RANGE,
            "",
            id="variables cut short",
        ),
    ],
)
def test_a_damaged_model_is_refused_when_it_is_loaded(load, change, code, words):
    with pytest.raises(ServingError) as caught:
        load(change)
    assert caught.value.code is code
    assert words in caught.value.message


@pytest.mark.parametrize("share", [0.0, 0.5, 0.99])
@pytest.mark.parametrize(
    "name", ["saved_model.pb", "variables/variables.index", "variables/variables.data-00000-of-00001"]
)
def test_a_version_with_a_file_cut_short_never_loads(load, name, share):
    def cut(directory):
        content = (directory / name).read_bytes()
        (directory / name).write_bytes(content[: int(len(content) * share)])

    with pytest.raises(ServingError) as caught:
        load(cut)
    assert caught.value.code in (Code.DATA_LOSS, Code.NOT_FOUND, Code.OUT_OF_RANGE, Code.INVALID_ARGUMENT)


def test_a_signature_without_tensors_says_so(load):
    model = load()
    with pytest.raises(ServingError, match="The signature does not fit the graph"):
        model.run("__saved_model_init_op", {}, ["__saved_model_init_op"], None)


def _export_table(directory, words):
    """A graph of TensorFlow 1: numbers to the words of a file that lies with it, whose table is filled by `main_op`."""
    import tensorflow as tf

    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        table = tf.lookup.StaticHashTable(
            tf.lookup.TextFileInitializer(
                str(words),
                tf.int64,
                tf.lookup.TextFileIndex.LINE_NUMBER,
                tf.string,
                tf.lookup.TextFileIndex.WHOLE_LINE,
            ),
            "unknown",
        )
        number = v1.placeholder(tf.int64, [None], name="number")
        found = table.lookup(number)
        session.run(v1.tables_initializer())
        signature = v1.saved_model.predict_signature_def({"number": number}, {"word": found})
        builder = v1.saved_model.Builder(str(directory))
        builder.add_meta_graph_and_variables(
            session,
            [tf.saved_model.SERVING],
            {"serving_default": signature},
            assets_collection=v1.get_collection(v1.GraphKeys.ASSET_FILEPATHS),
            main_op=v1.tables_initializer(),
        )
        builder.save()


def _save_table(directory, words):
    """The same by TensorFlow 2, whose table is filled by the signature `__saved_model_init_op`."""
    import tensorflow as tf

    class Table(tf.Module):
        def __init__(self):
            super().__init__()
            self.words = tf.saved_model.Asset(str(words))
            initializer = tf.lookup.TextFileInitializer(
                self.words,
                tf.int64,
                tf.lookup.TextFileIndex.LINE_NUMBER,
                tf.string,
                tf.lookup.TextFileIndex.WHOLE_LINE,
            )
            self.table = tf.lookup.StaticHashTable(initializer, "unknown")

        @tf.function(input_signature=[tf.TensorSpec([None], tf.int64, name="number")])
        def serve(self, number):
            return {"word": self.table.lookup(number)}

    table = Table()
    tf.saved_model.save(table, str(directory), signatures={"serving_default": table.serve})


@pytest.mark.parametrize("export", [_export_table, _save_table])
def test_a_table_is_filled_from_the_file_that_lies_with_the_model(tmp_path, export):
    from serving.server.execution import servable

    (tmp_path / "words").write_text("zero\none\n")
    export(tmp_path / "1", tmp_path / "words")
    (tmp_path / "words").unlink()  # what is read is the copy in the model
    model = servable.load((tmp_path / "1").rename(tmp_path / "moved"))
    found = model.run("serving_default", {"number": np.int64([1, 0, 7])}, ["word"], None)
    assert found["word"].tolist() == [b"one", b"zero", b"unknown"]


def test_by_name_nothing_runs_that_no_signature_runs(saved_models, load, tmp_path):
    from tensorflow.core.protobuf import saved_model_pb2

    content = (saved_models[1] / "saved_model.pb").read_bytes()
    saver = saved_model_pb2.SavedModel.FromString(content).meta_graphs[0].saver_def
    model, x = load(), np.ones([1, 2], np.float32)

    def run(path, fetches, targets):
        with pytest.raises(ServingError, match="Expected what a signature computes") as caught:
            model.run_tensors({saver.filename_tensor_name: np.array(str(path), object)}, fetches, targets, 10)
        assert caught.value.code is Code.PERMISSION_DENIED

    run(tmp_path / "written", [saver.save_tensor_name], [])
    run(saved_models[2] / "variables" / "variables", [], [saver.restore_op_name])
    assert not list(tmp_path.glob("written*"))
    signature = model.signatures["serving_default"]
    source, target = signature.inputs["x"].name, signature.outputs["y"].name
    (found,) = model.run_tensors({source: x}, [target], [target.partition(":")[0]], 10)
    assert found.tolist() == model.run("serving_default", {"x": x}, ["y"], 10)["y"].tolist()
