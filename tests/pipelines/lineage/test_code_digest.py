import pytest

from pipelines.lineage import code_digest


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Returns a function that writes modules of a package and tells the code of its entry point."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def code(**modules):
        for name, text in modules.items():
            path = tmp_path / "parcel" / f"{name}.py"
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
        for each in (code_digest.source, code_digest._roots):
            each.cache_clear()
        return code_digest.of(["parcel.entry.run"])

    yield code
    code_digest._roots.cache_clear()


def test_the_code_is_what_the_entry_point_imports_directly_or_not(package):
    before = package(
        __init__="",
        entry="from parcel import near\n",
        near="def f():\n    import parcel.far\n",
        far="",
        other="",
    )
    assert package(far="X = 1\n") != before
    assert package(far="") == before
    assert package(other="X = 1\n") == before, "nobody imports it"


def test_a_package_that_is_run_on_the_way_counts(package):
    before = package(__init__="", entry="")
    assert package(__init__="X = 1\n") != before


def test_what_only_type_checkers_read_is_no_code(package):
    entry = "if TYPE_CHECKING:\n    import parcel.far\nelse:\n    import parcel.near\n"
    before = package(__init__="", entry=entry, near="", far="")
    assert package(far="X = 1\n") == before
    assert package(near="X = 1\n") != before


def test_relative_imports_are_followed(package):
    before = package(__init__="", entry="from . import near\nfrom .far import x\n", near="", far="x = 1\n")
    assert package(near="y = 1\n") != before
    assert package(near="", far="x = 2\n") != before


def test_a_package_in_several_folders_is_followed_in_each(tmp_path, monkeypatch):
    for folder, module, text in (("one", "entry", "from parcel import near\n"), ("two", "near", "")):
        monkeypatch.syspath_prepend(str(tmp_path / folder))
        (tmp_path / folder / "parcel").mkdir(parents=True)
        (tmp_path / folder / "parcel" / f"{module}.py").write_text(text)
    before = code_digest.of(["parcel.entry.run"])
    (tmp_path / "two/parcel/near.py").write_text("X = 1\n")
    code_digest.source.cache_clear()
    assert code_digest.of(["parcel.entry.run"]) != before
    code_digest._roots.cache_clear()


def test_libraries_count_by_version_and_those_that_compute_nothing_do_not(package):
    code = package(__init__="", entry="import os\nimport numpy as np\nimport matplotlib\nimport tensorflow\n")
    named = [each.split(" ")[0] for each in code.libraries.split(", ")]
    assert named == ["numpy", "tensorflow", "tf-keras"]


def test_an_installed_package_counts_by_the_version_of_whatever_distribution_brings_it(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(code_digest, "INSTALLED", frozenset({tmp_path.resolve()}))
    (tmp_path / "parcel/words").mkdir(parents=True)
    (tmp_path / "parcel/words/model.py").touch()
    info = tmp_path / "acme_words-1.5.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-words\nVersion: 1.5\n")
    (info / "RECORD").write_text("parcel/words/model.py,,\n")
    (info / "top_level.txt").write_text("parcel\n")
    code_digest._roots.cache_clear()
    assert code_digest.of(["parcel.words.model"]).libraries == "acme-words 1.5"
    code_digest._roots.cache_clear()


@pytest.mark.parametrize(
    ("entry_point", "libraries"),
    [
        ("components.compression.component.Compressor", {"tensorflow-model-optimization", "tf-keras", "tfx"}),
        ("components.validation.component.DataValidator", {"great-expectations", "pandas", "tfx"}),
        ("tfx.components.evaluator.executor.Executor", {"tensorflow-model-analysis", "tensorflow", "tfx"}),
    ],
)
def test_the_projects_components_name_their_libraries(entry_point, libraries):
    named = {each.split(" ")[0] for each in code_digest.of([entry_point]).libraries.split(", ")}
    assert libraries <= named
