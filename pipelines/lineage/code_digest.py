"""Which code and which libraries a node runs: the part of the cache's key that TFX does not know.

Follows imports by reading the sources; imports nothing and knows nothing of TFX.
"""

import ast
import hashlib
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from importlib.util import find_spec, resolve_name
from pathlib import Path

from contract.errors import SlipwayError

# Distributions whose name is not that of the package. TensorFlow runs Keras 2 beside itself.
DISTRIBUTIONS = {
    "PIL": ("pillow",),
    "google": ("protobuf",),
    "sklearn": ("scikit-learn",),
    "tensorflow": ("tensorflow", "tf-keras"),
    "tensorflow_serving": ("tensorflow-serving-api",),
}

# What TFX's own components run.
TFX = frozenset({"tfx_bsl", "tensorflow", "tensorflow_data_validation", "tensorflow_model_analysis"})

INSTALLED = frozenset(Path(path).resolve() for path in sysconfig.get_paths().values())

# They check, draw and carry; what a node computes is the same with another version.
NEUTRAL = frozenset({"fsspec", "grpc", "httpx", "matplotlib", "mlflow", "psutil", "pydantic"})


@dataclass(frozen=True)
class Code:
    """What a node runs.

    Attributes:
        sources: SHA-256 over the node's own modules and everything of ours that they import.
        libraries: Names and versions of what those modules import from elsewhere.
    """

    sources: str
    libraries: str


@cache
def source(path: Path) -> bytes:
    """Reads a source file once per process: what runs is what was there when the process began."""
    return path.read_bytes()


@cache
def _roots(package: str) -> tuple[Path, ...]:
    """Returns the folders that a package of ours lies in; none for what is installed, and for what is not there.

    One without `__init__.py` may lie in several: two teams share its name.
    """
    spec = None if package in sys.builtin_module_names else find_spec(package)
    places = (spec.submodule_search_locations or [spec.origin or ""]) if spec else []
    roots = (Path(place).resolve().parent for place in places if place)
    return tuple(root for root in roots if root not in INSTALLED)


def _modules(name: str) -> Iterator[tuple[str, Path]]:
    """Yields the modules of ours that importing `name` runs; the last parts of it may name no module."""
    package, *_ = parts = name.split(".")
    for length in range(1, len(parts) + 1):
        for root in _roots(package):
            path = root.joinpath(*parts[:length])
            for file in (path / "__init__.py", path.with_name(f"{path.name}.py")):
                if file.is_file():
                    yield ".".join(parts[:length]), file


def _running(node: ast.AST) -> Iterator[ast.AST]:
    """Yields a piece of code and all in it, but for what only type checkers read."""
    yield node
    for child in ast.iter_child_nodes(node):
        if (
            isinstance(child, ast.If)
            and isinstance(child.test, ast.Name)
            and child.test.id == "TYPE_CHECKING"
        ):
            for other in child.orelse:
                yield from _running(other)
        else:
            yield from _running(child)


@cache
def _imports(package: str, text: bytes) -> tuple[str, ...]:
    """Returns what a source in a package imports, inside its functions too."""
    found: list[str] = []
    for node in _running(ast.parse(text)):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            origin = resolve_name("." * node.level + (node.module or ""), package)
            found += [f"{origin}.{alias.name}" for alias in node.names]
    return tuple(found)


def _distributions(package: str) -> Iterable[str]:
    """Returns the distribution that is called as a package is; else those that say they bring it."""
    name = package.replace("_", "-")
    try:
        metadata.distribution(name)
    except metadata.PackageNotFoundError:
        return sorted(set(metadata.packages_distributions().get(package, [name])))
    return [name]


def _versions(packages: Iterable[str]) -> Iterator[str]:
    """Yields `name version` of the distributions behind installed packages."""
    for package in packages:
        if package in NEUTRAL or package in sys.stdlib_module_names:
            continue
        for name in DISTRIBUTIONS.get(package) or _distributions(package):
            try:
                yield f"{name} {metadata.version(name)}"
            except metadata.PackageNotFoundError as error:
                raise SlipwayError(
                    f"Expected an installed distribution {name!r} behind the import of {package!r}, and there is "
                    f"none. Name the right one in DISTRIBUTIONS of {__file__}."
                ) from error


def of(entry_points: Iterable[str]) -> Code:
    """Returns what runs when `entry_points` are called.

    Args:
        entry_points: Dotted names of classes or functions.
    """
    waiting, seen = list(entry_points), set[str]()
    of_tfx = any(name.startswith("tfx.") for name in waiting)
    files: dict[str, Path] = {}
    while waiting:
        name = waiting.pop()
        if name not in seen:
            seen.add(name)
            for module, file in _modules(name):
                if module not in files:
                    files[module] = file
                    package = module if file.name == "__init__.py" else module.rpartition(".")[0]
                    waiting.extend(_imports(package, source(file)))
    total = hashlib.sha256()
    for module, file in sorted(files.items()):
        total.update(f"{module}\0{hashlib.sha256(source(file)).hexdigest()}\n".encode())
    foreign = {name.partition(".")[0] for name in seen} - {name.partition(".")[0] for name in files}
    libraries = set(_versions(foreign | TFX if of_tfx else foreign))
    return Code(total.hexdigest(), ", ".join(sorted(libraries)))
