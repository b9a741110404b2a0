"""The pools of tasks that Airflow needs, on one machine and in the Compose stack."""

from typing import NamedTuple


class Pool(NamedTuple):
    """A pool of Airflow.

    Attributes:
        name: As the manifests have it.
        slots: How many of its tasks run at once, until a person changes it.
        description: For the person who looks at the pools.
    """

    name: str
    slots: int
    description: str


GPU = Pool("gpu", 1, "One training at a time")
