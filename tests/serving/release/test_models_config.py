import pytest

from serving.errors import ReleaseError
from serving.release import models_config
from serving.release.models_config import ServedModel

THEIRS = 'model_config_list { config { name: "theirs" base_path: "/theirs" model_platform: "tensorflow" } }'


@pytest.fixture
def path(tmp_path):
    return tmp_path / "models.config"


def served(path):
    return models_config.served(models_config.read(path))


def put(path, model, wanted):
    config = models_config.read(path)
    models_config.put(config, model, wanted, path.parent)
    models_config.write(config, path)


def test_the_entry_of_one_model_is_replaced_and_taken_away_and_all_others_stay(path):
    path.write_text(THEIRS)
    put(path, "toy", ServedModel(frozenset({1, 2}), {"stable": 2}))
    put(path, "toy", ServedModel(frozenset({2}), {"stable": 2}))
    assert served(path)["toy"] == ServedModel(frozenset({2}), {"stable": 2})
    put(path, "toy", ServedModel())
    (entry,) = models_config.read(path).model_config_list.config
    assert (entry.name, entry.base_path) == ("theirs", "/theirs")


def test_an_entry_that_somebody_else_made_is_not_taken_over(path):
    path.write_text(THEIRS)
    with pytest.raises(ReleaseError, match="which Slipway did not make"):
        put(path, "theirs", ServedModel(frozenset({1}), {"stable": 1}))


def test_text_that_is_no_configuration_is_an_error_that_names_the_file_and_the_way_out(path):
    path.write_text("model_config_list: nonsense")
    with pytest.raises(ReleaseError, match=r"models.config, got text that does not parse.*slipway reconcile"):
        models_config.read(path)


def test_before_a_start_versions_that_are_not_on_disk_are_left_out_of_our_entries_alone(path):
    path.write_text(THEIRS)
    put(path, "toy", ServedModel(frozenset({1, 2}), {"stable": 2, "canary": 1}))
    put(path, "gone", ServedModel(frozenset({4}), {"stable": 4}))
    (path.parent / "toy/2").mkdir(parents=True)
    assert models_config.leave_out_missing(path, path.parent) == {"toy": [1], "gone": [4]}
    assert served(path) == {"theirs": ServedModel(), "toy": ServedModel(frozenset({2}), {"stable": 2})}
    assert models_config.leave_out_missing(path, path.parent) == {}
