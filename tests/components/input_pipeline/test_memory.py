import pytest

from components.input_pipeline.memory import VERSION_1, VERSION_2, available_bytes

LITTLE = 1000


@pytest.fixture
def membership(tmp_path):
    path = tmp_path / "membership"

    def write(*lines):
        path.write_text("".join(f"{line}\n" for line in lines))
        return path

    return write


def group(folder, names, limit, used, reclaimable=0):
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in zip(names, (limit, used, f"{names[2]} {reclaimable}"), strict=True):
        (folder / ("memory.stat" if name == names[2] else name)).write_text(f"{content}\n")


def test_without_a_limit_it_is_what_the_machine_has(tmp_path, membership):
    group(tmp_path / "groups/ours", VERSION_2, "max", 5)
    assert available_bytes(tmp_path / "groups", membership("0::/ours")) > 2**20
    assert available_bytes(tmp_path / "groups", tmp_path / "none") > 2**20


@pytest.mark.parametrize(
    ("names", "folder", "line"),
    [
        pytest.param(VERSION_2, "groups/ours", "0::/ours", id="version 2"),
        pytest.param(VERSION_1, "groups/memory/ours", "4:memory:/ours", id="version 1"),
    ],
)
def test_a_limit_leaves_what_is_not_used_and_what_the_kernel_gives_up(
    tmp_path, membership, names, folder, line
):
    group(tmp_path / folder, names, limit=LITTLE, used=700, reclaimable=200)
    assert available_bytes(tmp_path / "groups", membership("3:cpu:/elsewhere", line)) == 500


def test_a_group_that_is_full_leaves_nothing(tmp_path, membership):
    group(tmp_path / "groups", VERSION_2, limit=LITTLE, used=LITTLE + 1)
    assert available_bytes(tmp_path / "groups", membership("0::/")) == 0


def test_the_least_that_a_group_or_one_above_it_leaves_counts(tmp_path, membership):
    group(tmp_path / "groups/above", VERSION_2, limit=LITTLE, used=800)
    group(tmp_path / "groups/above/ours", VERSION_2, limit=LITTLE, used=300)
    assert available_bytes(tmp_path / "groups", membership("0::/above/ours")) == 200


def test_inside_a_container_the_mounted_group_counts_whatever_its_path_is_called(tmp_path, membership):
    group(tmp_path / "groups", VERSION_2, limit=LITTLE, used=300)
    assert available_bytes(tmp_path / "groups", membership("0::/docker/4f1c")) == 700
