from pathlib import Path

import pytest

from serving.server.lifecycle.states import State, VersionRecord, next_step


def record(version, state, aspired):
    return VersionRecord("m", version, Path("/m"), aspired=aspired, state=state)


START, AVAILABLE, LOADING, END = State.START, State.AVAILABLE, State.LOADING, State.END


@pytest.mark.parametrize(
    ("records", "expected"),
    [
        pytest.param([], None, id="nothing known, nothing to do"),
        pytest.param([(1, START, True), (2, START, True)], ("load", 2), id="the highest new one loads first"),
        pytest.param(
            [(1, AVAILABLE, False), (2, START, True)], ("load", 2), id="the old one serves meanwhile"
        ),
        pytest.param(
            [(1, AVAILABLE, False), (2, LOADING, True)], None, id="no unload before the new one is ready"
        ),
        pytest.param(
            [(1, AVAILABLE, False), (2, AVAILABLE, True)], ("unload", 1), id="then the old one goes"
        ),
        pytest.param([(1, AVAILABLE, False), (2, END, True)], None, id="a failed new one leaves the old one"),
        pytest.param([(1, AVAILABLE, False)], ("unload", 1), id="nothing wanted: unload"),
        pytest.param(
            [(1, AVAILABLE, False), (2, AVAILABLE, False), (3, START, True)],
            ("unload", 1),
            id="one old version is enough to bridge the gap",
        ),
        pytest.param(
            [(1, START, True), (2, AVAILABLE, False)], ("load", 1), id="a rollback loads before it unloads"
        ),
    ],
)
def test_next_step(records, expected):
    step = next_step(record(*fields) for fields in records)
    assert (step and (step.action, step.record.version)) == expected
