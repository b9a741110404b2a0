import pytest

from components.errors import SettingsError
from pipelines import config


@pytest.fixture
def configs(tmp_path, monkeypatch):
    monkeypatch.setattr(config, "CONFIGS_DIR", tmp_path)
    return tmp_path


GOOD = "data: {classes: [a, b], image: {height: 8, width: 8, channels: 1}}\n"


def test_values_by_dotted_key_win_over_the_file():
    found = config.load("digits", {"train.epochs": 2, "promotion": "approval"})
    assert found.train.epochs == 2
    assert found.promotion == "approval"
    assert found.train.batch_size == config.load("digits").train.batch_size


def test_an_unknown_pipeline_is_answered_with_the_known_ones():
    with pytest.raises(
        SettingsError, match=r"Expected one of the pipelines .*digits.*got 'digit'. Did you mean digits"
    ):
        config.load("digit")


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        pytest.param(
            "train.epoch", 2, "Unknown key 'train.epoch' in --set. Did you mean train.epochs?", id="a typo"
        ),
        pytest.param(
            "train.epochs", 0, "train.epochs: expected greater than or equal to 1, got 0", id="too small"
        ),
        pytest.param("train.epochs", "many", "train.epochs: expected a valid integer", id="no number"),
        pytest.param(
            "promotion", "maybe", "promotion: expected 'auto' or 'approval', got \"maybe\"", id="no choice"
        ),
        pytest.param("name", "other", "Unknown key 'name'", id="the name cannot be set"),
    ],
)
def test_a_bad_value_is_named_with_what_was_expected_and_where(key, value, message):
    with pytest.raises(SettingsError) as error:
        config.load("digits", {key: value}, "--set")
    assert message in str(error.value)
    assert "--set" in str(error.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param(
            GOOD + "trian: {epochs: 2}\n", "trian: unknown key. Did you mean train?", id="a section"
        ),
        pytest.param(
            GOOD + "train: {epcohs: 2}\n", "train.epcohs: unknown key. Did you mean epochs?", id="a key"
        ),
        pytest.param(
            "data: {classes: [a, b]}\n", "data.image: is required and missing", id="something missing"
        ),
        pytest.param("data: [unclosed\n", "is not YAML", id="not YAML"),
        pytest.param("just words\n", "expected keys and values, got str", id="not a mapping"),
        pytest.param(GOOD.replace("a, b", "a, a"), "got a more than once", id="a class twice"),
    ],
)
def test_a_mistake_in_the_file_names_the_file(configs, text, message):
    (configs / "toy.yaml").write_text(text)
    with pytest.raises(SettingsError) as error:
        config.load("toy")
    assert message in str(error.value)
    assert str(configs / "toy.yaml") in str(error.value)
