from plugged.words.data import RecordSettings
from plugged.words.settings import NetworkSettings

from components import records
from components.input_pipeline.batches import batches
from components.keras import keras, tf

__all__ = ["NetworkSettings", "RecordSettings", "build", "dataset", "inputs", "learn", "signatures"]

PARSED = {"word": tf.io.FixedLenFeature([], tf.string)}


def counts(words, record, learnt):
    vowels = tf.strings.regex_replace(words, f"[^{record.vowels}]", "")
    lengths = tf.stack([tf.strings.length(words), tf.strings.length(vowels)], axis=1)
    return tf.cast(lengths, tf.float32) / learnt["longest"]


def learn(examples_dir, record):
    words = (
        item.features.feature["word"].bytes_list.value[0]
        for item in records.read_split(examples_dir, "train")
    )
    return {"longest": max(map(len, words))}


def dataset(examples_dir, split, record, learnt, *, label, **how):
    def parse(serialized):
        parsed = tf.io.parse_example(serialized, {**PARSED, records.LABEL: label})
        return counts(parsed["word"], record, learnt), parsed[records.LABEL]

    return batches(examples_dir, split, parse, **how)


def build(record, head, settings, *, seed):
    taken = keras.Input((2,), name="counts")
    return keras.Model(taken, head(keras.layers.Dense(settings.units, activation="relu")(taken)))


def inputs(record):
    return {"word": tf.TensorSpec([None], tf.string, name="word")}


def signatures(answer, record, learnt):
    @tf.function(input_signature=list(inputs(record).values()))
    def serving_default(word):
        return answer(counts(word, record, learnt))

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="examples")])
    def examples(examples):
        return answer(counts(tf.io.parse_example(examples, PARSED)["word"], record, learnt))

    return {"serving_default": serving_default, "examples": examples}
