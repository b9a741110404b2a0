import pytest

from components.input_pipeline.place import MIB, chosen


@pytest.mark.parametrize(
    ("size", "where"),
    [
        pytest.param(25, "memory", id="a tenth of the memory"),
        pytest.param(26, "disk", id="more than that"),
        pytest.param(100, "disk", id="half of the disk"),
        pytest.param(101, "nowhere", id="more than that, too"),
    ],
)
def test_examples_are_kept_where_they_fit_and_the_rest_of_the_room_stays_free(size, where):
    assert chosen(size * MIB, memory=250 * MIB, disk=200 * MIB).where == where


def test_the_log_says_how_large_it_is_what_there_was_and_what_follows():
    assert chosen(26 * MIB, memory=250 * MIB, disk=2000 * MIB).reason == (
        "26.0 MiB decoded, over 10% of the 250 MiB of memory available: kept on the disk, 50% of 2,000 MiB at most"
    )
