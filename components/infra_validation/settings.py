"""What a model server must show before a candidate is registered."""

from pydantic import Field

from components.settings import Section


class InfraValidationSettings(Section):
    """Gates on loading, answers and latency of the candidate on a real model server."""

    load_timeout_s: float = Field(120.0, gt=0)
    """How long the server may take to start and load the candidate, in seconds."""

    requests: int = Field(100, ge=10, le=100_000)
    """Requests about a single example that the latency is measured with."""

    max_p99_latency_ms: float = Field(250.0, gt=0)
    """Slowest acceptable 99th percentile of a gRPC request about a single example, in milliseconds."""

    tolerance: float = Field(1e-4, gt=0)
    """Largest acceptable difference between a served number and the same computed in process."""
