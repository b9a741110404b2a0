"""The figures that one compares classifiers by."""

from components.headline import Figure

PRIMARY = "accuracy"

FIGURES = (
    Figure("accuracy", "Accuracy on test, float", "evaluate", "accuracy", "{:.4f}"),
    Figure(
        "compressed_accuracy", "Accuracy on test, compressed", "evaluate_compressed", "accuracy", "{:.4f}"
    ),
    Figure("auc", "ROC AUC on test, float", "evaluate", "auc", "{:.4f}"),
    Figure("compressed_auc", "ROC AUC on test, compressed", "evaluate_compressed", "auc", "{:.4f}"),
)
