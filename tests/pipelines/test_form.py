import jsonschema
import pytest

from pipelines import config, form


@pytest.fixture(scope="module")
def fields():
    return form.schema(config.load("digits"))


def test_the_form_has_what_people_set_with_help_and_ranges(fields):
    for key in (
        "train.epochs",
        "train.learning_rate",
        "train.batch_size",
        "augment.factor",
        "compress.final_sparsity",
        "promotion",
    ):
        assert fields[key]["title"]
        assert fields[key]["description"]
        assert fields[key]["section"]
    assert fields["train.epochs"]["minimum"] == 1
    assert fields["compress.final_sparsity"]["exclusiveMaximum"] == 1
    assert fields["promotion"]["enum"] == ["auto", "approval"]


def test_every_default_satisfies_its_own_schema(fields):
    for field in fields.values():
        jsonschema.validate(field["default"], field)


def test_every_field_is_a_key_that_the_configuration_takes(fields):
    values = {key: field["default"] for key, field in fields.items()}
    assert config.load("digits", values) == config.load("digits")
