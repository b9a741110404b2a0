"""Loads a registered SavedModel for `mlflow.pyfunc`. Travels with every model version; imports nothing of ours."""

from typing import Any


class _SavedModel:
    """Answers with the outputs of `serving_default` as a dict of arrays."""

    def __init__(self, loaded: Any) -> None:
        self.loaded = loaded  # keeps the variables alive
        self.signature = loaded.signatures["serving_default"]

    def predict(self, data: Any, params: dict[str, Any] | None = None) -> dict[str, Any]:
        """Takes a dict of arrays or a DataFrame, by the names of the inputs; a single input also as it is.

        Raises:
            TypeError: If the signature has several inputs, and `data` does not name them.
        """
        import tensorflow as tf

        specs = self.signature.structured_input_signature[1]
        if not hasattr(data, "keys"):
            if len(specs) != 1:
                names = ", ".join(sorted(specs))
                raise TypeError(f"Expected a dict or a DataFrame with {names}, got {type(data).__name__}.")
            data = dict.fromkeys(specs, data)
        inputs = {name: tf.constant(_array(data[name], spec), spec.dtype) for name, spec in specs.items()}
        return {name: value.numpy() for name, value in self.signature(**inputs).items()}


def _array(values: Any, spec: Any) -> Any:
    """Returns an array; a column of a DataFrame, `[n]`, becomes `[n, 1]` where that is what the input takes."""
    import numpy as np

    array = np.asarray(values)
    return array[:, np.newaxis] if array.ndim == 1 and spec.shape.rank == 2 else array


def _load_pyfunc(path: str) -> _SavedModel:
    """Is the entry point that MLflow calls with the folder of the SavedModel."""
    import tensorflow as tf

    return _SavedModel(tf.saved_model.load(path))
