"""Loads a registered SavedModel for `mlflow.pyfunc`. Travels with every model version; imports nothing of ours."""

from typing import Any


class _SavedModel:
    """Answers with the outputs of `serving_default` as a dict of arrays."""

    def __init__(self, loaded: Any) -> None:
        self.loaded = loaded  # keeps the variables alive
        self.signature = loaded.signatures["serving_default"]

    def predict(self, data: Any, params: dict[str, Any] | None = None) -> dict[str, Any]:
        """Takes the inputs by name, as a dict or the columns of a table; the only one there is, also on its own.

        Raises:
            ValueError: If an input is missing.
        """
        import numpy as np
        import tensorflow as tf

        specs = self.signature.structured_input_signature[1]
        if not hasattr(data, "keys"):
            data = dict.fromkeys(specs, data) if len(specs) == 1 else {}
        if missing := sorted(set(specs) - set(data.keys())):
            raise ValueError(f"Expected the inputs {', '.join(specs)}, and {', '.join(missing)} is missing.")
        inputs = {
            name: tf.constant(np.asarray(data[name], dtype=spec.dtype.as_numpy_dtype))
            for name, spec in specs.items()
        }
        return {name: value.numpy() for name, value in self.signature(**inputs).items()}


def _load_pyfunc(path: str) -> _SavedModel:
    """Is the entry point that MLflow calls with the folder of the SavedModel."""
    import tensorflow as tf

    return _SavedModel(tf.saved_model.load(path))
