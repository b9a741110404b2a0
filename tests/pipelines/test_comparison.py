import pytest

from pipelines import comparison, config
from pipelines.code_digest import Code
from serving.registry import Registry

CODE = {"train": Code("abc", "tensorflow 2.16.2")}


@pytest.fixture(scope="module")
def database(tmp_path_factory):
    return f"sqlite:///{tmp_path_factory.mktemp('mlflow')}/mlflow.db"


@pytest.fixture
def registry(database, request, tmp_path):
    """A real registry with one model, named after the test; each version's files are already fetched."""
    made, model = Registry(database), request.node.name
    made.client.create_registered_model(model)

    def champion(**tags):
        tags = {f"slipway.{name}": value for name, value in tags.items()}
        version = int(made.client.create_model_version(model, "file:///nowhere", tags=tags).version)
        (tmp_path / "live" / str(version)).mkdir(parents=True)
        made.set_champion(model, version)
        return version

    champion.choose = lambda fingerprint: comparison.choose(made, model, fingerprint, tmp_path)
    return champion


def test_with_nothing_live_a_run_is_compared_with_nothing(registry):
    assert registry.choose("mine") == comparison.Comparison("mine")


def test_a_run_is_compared_with_what_is_live(registry, tmp_path):
    registry(fingerprint="another", live_version="none")
    found = registry.choose("mine")
    assert (found.live, found.version, found.model) == (1, 1, str(tmp_path / "live" / "1"))
    assert found.tags() == {"slipway.fingerprint": "mine", "slipway.live_version": "1"}


def test_a_repetition_is_compared_with_what_the_live_version_was_compared_with(registry, tmp_path):
    registry(fingerprint="mine", live_version="none")
    found = registry.choose("mine")
    assert (found.live, found.version, found.model) == (1, None, None)
    registry(fingerprint="next", live_version="1")
    found = registry.choose("next")
    assert (found.live, found.version, found.model) == (2, 1, str(tmp_path / "live" / "1"))


def test_where_that_version_is_gone_a_repetition_is_compared_with_what_is_live(registry):
    registry(fingerprint="mine", live_version="17")
    assert registry.choose("mine").version == 1


def test_data_configuration_and_code_make_the_fingerprint():
    digits = config.load("digits")
    mine = comparison.fingerprint("data", digits, CODE)
    assert mine == comparison.fingerprint("data", config.load("digits"), dict(CODE))
    others = {
        comparison.fingerprint("other", digits, CODE),
        comparison.fingerprint("data", config.load("digits", {"train.epochs": 2}), CODE),
        comparison.fingerprint("data", digits, {"train": Code("def", "tensorflow 2.16.2")}),
        comparison.fingerprint("data", digits, {"train": Code("abc", "tensorflow 2.17.0")}),
    }
    assert len(others | {mine}) == 5
