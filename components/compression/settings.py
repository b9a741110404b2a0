"""How the trained model is made smaller."""

from pydantic import Field

from components.settings import Section


class CompressionSettings(Section):
    """Pruning, then quantization-aware training that keeps the pruned weights at zero (PQAT)."""

    final_sparsity: float = Field(0.65, ge=0, lt=1, title="Final sparsity")
    """Share of weights that pruning sets to zero in each convolution and dense layer."""

    prune_epochs: int = Field(5, ge=1, le=1000)
    """Epochs over which the sparsity rises from zero to `final_sparsity`."""

    quantize_epochs: int = Field(2, ge=1, le=1000)
    """Epochs of quantization-aware training after pruning."""

    learning_rate: float = Field(0.0005, gt=0, le=1)
    """Adam's learning rate in both stages."""
