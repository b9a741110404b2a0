"""What makes a manifest well formed: the type of each field, and the shape of the graph."""

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from graphlib import CycleError, TopologicalSorter
from typing import Any, Protocol

KINDS = ("component", "prepare", "approval", "close")


class ManifestError(ValueError):
    """A manifest cannot be drawn."""


class GraphNode(Protocol):
    """What the shape of the graph depends on."""

    @property
    def id(self) -> str:
        """Unique in the manifest."""

    @property
    def kind(self) -> str:
        """One of `KINDS`."""

    @property
    def group(self) -> str | None:
        """Id of the group that it is drawn in."""

    @property
    def upstream(self) -> tuple[str, ...]:
        """Ids of the nodes that it waits for."""


class Record:
    """A JSON object and where it stands; each field is taken with the type that it must have."""

    def __init__(self, name: str, value: Any) -> None:
        self.name = name
        if not isinstance(value, dict):
            raise ManifestError(f"{name or 'the file'} must be a JSON object, got {shown(value)}.")
        self.value = value

    def take(self, field: str, *types: type) -> Any:
        """The value of a field, which must be there and of one of the types."""
        where = self._where(field)
        if field not in self.value:
            raise ManifestError(f"{where} is missing.")
        value = self.value[field]
        # To Python true is an int, to JSON it is not.
        if not isinstance(value, types) or (isinstance(value, bool) and object not in types):
            expected = " or ".join(JSON_NAMES[kind] for kind in types)
            raise ManifestError(f"{where} must be {expected}, got {shown(value)}.")
        return value

    def take_exactly(self, field: str, expected: Any) -> None:
        """Checks that a field has the one value that it may have."""
        if (value := self.take(field, object)) != expected:
            raise ManifestError(f"{self._where(field)} must be {shown(expected)}, got {shown(value)}.")

    def take_number(self, field: str, *types: type, at_least: int) -> Any:
        """The value of a field that has a smallest value."""
        if (value := self.take(field, *types)) < at_least:
            raise ManifestError(f"{self._where(field)} must be at least {at_least}, got {shown(value)}.")
        return value

    def items(self, field: str) -> Iterator["Record"]:
        """The objects of a list."""
        for index, value in enumerate(self.take(field, list)):
            yield Record(f"{self._where(field)}[{index}]", value)

    def fields(self, field: str) -> Iterator[tuple[str, "Record"]]:
        """The objects of an object of objects, each with its key."""
        for name, value in self.take(field, dict).items():
            yield name, Record(f"{self._where(field)}[{name!r}]", value)

    def _where(self, field: str) -> str:
        return f"{self.name}.{field}" if self.name else field


JSON_NAMES = {
    str: "a string",
    int: "a whole number",
    float: "a number",
    list: "a list",
    dict: "an object",
    type(None): "null",
    object: "a value",
}


def shown(value: Any) -> str:
    """A value for a message, cut where it is long."""
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def check_graph(nodes: Sequence[GraphNode], *, groups: Collection[str]) -> None:
    """Checks what each node names, and that a run has a beginning and an end.

    Raises:
        ManifestError: If Airflow could not draw the graph, or would run it in the wrong order.
    """
    kinds = {node.id: node.kind for node in nodes}
    for kind in ("prepare", "close"):
        if (count := Counter(kinds.values())[kind]) != 1:
            raise ManifestError(f"nodes must hold one of kind {kind!r}, got {count}.")
    _expect_unique([node.id for node in nodes])
    for node in nodes:
        _check_node(node, kinds, groups)
    try:
        TopologicalSorter({node.id: node.upstream for node in nodes}).prepare()
    except CycleError as error:
        raise ManifestError(f"nodes must not wait for each other: {' -> '.join(error.args[1])}.") from error


def _check_node(node: GraphNode, kinds: dict[str, str], groups: Collection[str]) -> None:
    where = f"node {node.id!r}"
    _expect_one_of(f"{where}: kind", node.kind, KINDS)
    if node.group is not None:
        _expect_one_of(f"{where}: group", node.group, groups)
    for upstream in node.upstream:
        _expect_one_of(f"{where}: upstream", upstream, kinds)
    if node.upstream and all(kinds[upstream] == "approval" for upstream in node.upstream):
        raise ManifestError(
            f"{where}: upstream must also name what the approval waits for, got only {shown(node.upstream)}. "
            "A skipped approval would skip it too."
        )
    if (node.kind == "prepare") == bool(node.upstream):
        raise ManifestError(f"{where}: upstream must be empty for kind 'prepare' and for no other.")


def _expect_unique(ids: Sequence[str]) -> None:
    if repeated := [name for name, count in Counter(ids).items() if count > 1]:
        raise ManifestError(f"nodes must have different ids, got {shown(repeated[0])} more than once.")


def _expect_one_of(where: str, value: Any, allowed: Collection[str]) -> None:
    if not isinstance(value, str) or value not in allowed:
        raise ManifestError(f"{where} must be one of {', '.join(sorted(allowed))}, got {shown(value)}.")
