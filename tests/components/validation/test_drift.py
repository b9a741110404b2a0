import numpy as np
import pandas as pd
import pytest

from components.families.image import facts as of_images
from components.families.image.settings import ValidationSettings as ImageValidation
from components.families.tabular import facts as of_tables
from components.families.tabular.data import RecordSettings as Table
from components.families.tabular.settings import ValidationSettings as TableValidation
from components.validation import drift

COLUMNS = of_tables.drifting(Table(columns=["mean radius", "area"]))
STEP = 2 / drift.POINTS  # as exactly as quantiles tell


def data(count=1000, moved=0.0, **other):
    """Two columns of a table; a share of the first one's values has moved far away."""
    values = np.random.default_rng(3).normal(size=count)
    values[: round(moved * count)] += 1000
    facts = pd.DataFrame({"mean_radius": values, "area": np.arange(count) % 7, **other})
    return drift.of(facts, list(facts))


def beyond(made, accepted, **settings):
    return list(drift.beyond(made, accepted, COLUMNS, TableValidation(**settings)))


def test_the_distance_is_0_between_equal_data_1_between_disjoint_and_the_share_that_has_moved():
    accepted = data()
    assert drift.distances(data(), accepted) == {"mean_radius": 0, "area": 0}
    assert drift.distances(data(moved=1), accepted)["mean_radius"] == 1
    assert drift.distances(data(moved=0.3), accepted)["mean_radius"] == pytest.approx(0.3, abs=STEP)


@pytest.mark.parametrize(
    ("fact", "setting"),
    [
        ("source_height", "max_source_side_drift"),
        ("source_width", "max_source_side_drift"),
        ("mean", "max_intensity_drift"),
        ("std", "max_intensity_drift"),
        ("sharpness", "max_sharpness_drift"),
    ],
)
def test_each_fact_of_images_has_its_own_limit(fact, setting):
    drifting = of_images.drifting(None)

    def of(moved):
        facts = pd.DataFrame({name: np.arange(1000.0) for name in drifting})
        facts.loc[: moved * 1000 - 1, fact] += 5000
        return drift.of(facts, list(drifting))

    def sentences(limit):
        settings = ImageValidation(**{setting: limit})
        return list(drift.beyond(of(0.15), of(0), drifting, settings))

    assert sentences(0.15 + STEP) == []
    (sentence,) = sentences(0.15 - STEP)
    assert sentence.startswith(f"drift from the last accepted data, {fact}: expected a Kolmogorov-Smirnov")
    assert f"(validation.{setting}), got 0.15" in sentence
    assert sentences(None) == []


def test_a_column_of_a_table_may_drift_up_to_its_limit_and_no_further():
    accepted, made = data(), data(moved=0.4)
    assert beyond(made, accepted, max_feature_drift=0.4 + STEP) == []
    (sentence,) = beyond(made, accepted, max_feature_drift=0.4 - STEP)
    assert "mean_radius" in sentence
    assert beyond(made, accepted, max_feature_drift=None) == []


def test_a_distance_that_is_just_the_limit_is_no_drift():
    accepted, made = data(), data(moved=0.4)
    limit = drift.distances(made, accepted)["mean_radius"]
    assert beyond(made, accepted, max_feature_drift=limit) == []
    assert len(beyond(made, accepted, max_feature_drift=np.nextafter(limit, 0))) == 1


def test_one_outlier_is_no_drift():
    assert beyond(data(moved=0.001), data()) == []


@pytest.mark.parametrize(
    ("count", "settings", "named"),
    [
        (500, {"min_records_ratio": 0.5}, ""),
        (499, {"min_records_ratio": 0.5}, "validation.min_records_ratio), got 499 records"),
        (499, {"min_records_ratio": None}, ""),
        (2000, {"max_records_ratio": 2}, ""),
        (2001, {"max_records_ratio": 2}, "validation.max_records_ratio), got 2001 records"),
        (9000, {}, ""),
    ],
)
def test_the_number_of_records_is_held_against_that_of_the_accepted_data(count, settings, named):
    sentences = beyond(data(count), data(1000), max_feature_drift=None, **settings)
    assert len(sentences) == bool(named)
    assert named in "".join(sentences)


def test_distributions_survive_their_file_byte_for_byte(tmp_path):
    made = data(moved=0.1)
    for folder in ("a", "b"):
        drift.write(tmp_path / folder, made)
    assert (tmp_path / "a" / drift.FILE).read_bytes() == (tmp_path / "b" / drift.FILE).read_bytes()
    found = drift.read(tmp_path / "a")
    assert found.records == made.records
    assert drift.distances(found, made) == {"mean_radius": 0, "area": 0}
    drift.write(tmp_path / "none", drift.Distributions(3, {}))
    assert drift.read(tmp_path / "none").quantiles == {}


def test_a_fact_that_was_not_kept_then_is_not_compared():
    made, accepted = data(moved=1), data(moved=1)
    without = drift.Distributions(accepted.records, {"area": accepted.quantiles["area"]})
    assert beyond(made, without) == []


def test_a_fact_that_is_no_number_any_more_is_drift():
    made = data(area=np.full(1000, np.nan))
    assert drift.distances(made, data())["area"] == 1
