"""Loads a registered SavedModel for `mlflow.pyfunc`. Travels with every model version; imports nothing of ours."""

from typing import Any


class _SavedModel:
    """Answers with the outputs of `serving_default` as a dict of arrays."""

    def __init__(self, loaded: Any) -> None:
        self.loaded = loaded  # keeps the variables alive
        self.signature = loaded.signatures["serving_default"]

    def predict(self, data: Any, params: dict[str, Any] | None = None) -> dict[str, Any]:
        """Takes float32 [n, height, width, channels], raw intensities, or a dict with it under `image`."""
        import numpy as np
        import tensorflow as tf

        images = data["image"] if isinstance(data, dict) else data
        answers = self.signature(image=tf.constant(np.asarray(images, dtype=np.float32)))
        return {name: value.numpy() for name, value in answers.items()}


def _load_pyfunc(path: str) -> _SavedModel:
    """Is the entry point that MLflow calls with the folder of the SavedModel."""
    import tensorflow as tf

    return _SavedModel(tf.saved_model.load(path))
