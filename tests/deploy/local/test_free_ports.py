import socket

import pytest

from contract.addresses import HOST
from contract.errors import SettingsError
from deploy.local.free_ports import check_ports


def listen(address, port):
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((address, port))
    listener.listen()
    return listener


def test_free_ports_pass(stack):
    check_ports(stack)


@pytest.mark.parametrize("address", [HOST, "0.0.0.0"])  # noqa: S104 - somebody else's server may do that
def test_a_taken_port_is_named_with_its_service_and_its_variable(stack, address):
    expected = rf"port {stack.airflow_port} \(Airflow\) is in use; .* set SLIPWAY_AIRFLOW_PORT"
    with listen(address, stack.airflow_port), pytest.raises(SettingsError, match=expected):
        check_ports(stack)


def test_every_taken_port_is_named_at_once(stack):
    with (
        listen(HOST, stack.mlflow_port),
        listen(HOST, stack.grpc_port),
        pytest.raises(SettingsError, match=r"(?s)SLIPWAY_MLFLOW_PORT.*SLIPWAY_GRPC_PORT"),
    ):
        check_ports(stack)


def test_a_connection_that_has_just_ended_does_not_take_a_port(stack):
    with listen(HOST, stack.rest_port) as listener:
        client = socket.create_connection((HOST, stack.rest_port))
        served, _ = listener.accept()
        served.close()
        client.close()

    check_ports(stack)
