import numpy as np
from plugged.words.data import RecordSettings

__all__ = ["RecordSettings", "how_to_ask", "requests"]


def requests(examples, record):
    found = list(examples)
    words = [item.features.feature["word"].bytes_list.value[0] for item in found]
    serialized = [item.SerializeToString() for item in found]
    return {
        "serving_default": {"word": np.array(words, dtype=object)},
        "examples": {"examples": np.array(serialized, dtype=object)},
    }


def how_to_ask(model, label, rest_url, record):
    yield f"""curl -s {rest_url}/v1/models/{model}/labels/{label}:predict -d '{{"instances": ["word"]}}'"""
