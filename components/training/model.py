"""The convolutional network. A flat functional graph: what pruning and quantization can annotate."""

from components.keras import keras
from components.records import ImageShape
from components.training.settings import TrainingSettings


def build(shape: ImageShape, n_classes: int, settings: TrainingSettings) -> keras.Model:
    """Returns an uncompiled classifier.

    It takes float32 [n, height, width, channels] in [0, 1] and gives probabilities, float32 [n, n_classes].
    Scaling and augmentation layers stay outside: quantization refuses them.
    """
    layers = keras.layers
    image = keras.Input((shape.height, shape.width, shape.channels), name="image")
    x = layers.Conv2D(settings.filters, 3, padding="same", activation="relu")(image)
    x = layers.Conv2D(2 * settings.filters, 3, padding="same", activation="relu")(x)
    x = layers.MaxPooling2D(2)(x)
    x = layers.Flatten()(x)
    x = layers.Dropout(settings.dropout, seed=settings.seed)(x)
    x = layers.Dense(settings.dense_units, activation="relu")(x)
    probabilities = layers.Dense(n_classes, activation="softmax", name="probabilities")(x)
    return keras.Model(image, probabilities, name="classifier")
