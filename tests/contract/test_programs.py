import pytest

from contract import programs
from contract.programs import PROMOTE, RECONCILE, ROLLBACK, ReleaseRequest
from contract.worker_protocol import Request


def test_a_program_reads_the_node_that_it_was_asked_for():
    request = Request("digits", "manual__2026-11-21T00:00:00+00:00", "train")

    assert programs.node_request(programs.node_arguments(request)) == request


@pytest.mark.parametrize(
    "request_",
    [
        ReleaseRequest(PROMOTE, ("digits",), 3, "anna"),
        ReleaseRequest(ROLLBACK, ("digits",), by="anna's --by"),
        ReleaseRequest(RECONCILE, ("a", "b")),
        ReleaseRequest(RECONCILE),
    ],
)
def test_a_program_reads_the_release_that_it_was_asked_for(request_):
    assert ReleaseRequest.parse(request_.arguments()) == request_
