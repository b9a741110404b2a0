import pytest
import requests

from contract import errors, exit_codes
from contract.errors import DataError, SettingsError, UnavailableError
from serving.errors import RegistryError, ServerUnavailableError


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (SettingsError("no"), exit_codes.BAD_SETTINGS),
        (RegistryError("no"), exit_codes.BAD_SETTINGS),
        (DataError("no"), exit_codes.BAD_DATA),
        (UnavailableError("no"), exit_codes.TEMPORARY),
        (ServerUnavailableError("no"), exit_codes.TEMPORARY),
    ],
)
def test_an_expected_error_is_its_own_message_and_has_its_exit_code(error, code):
    assert errors.explain(error, "http://mlflow") == errors.Failure("no", code, explained=True)


def test_an_expected_error_is_found_under_what_a_library_wrapped_it_in():
    with pytest.raises(RuntimeError) as wrapped:
        _wrap(DataError("bad records"))
    found = errors.explain(wrapped.value, "http://mlflow")
    assert (found.message, found.exit_code) == ("bad records", exit_codes.BAD_DATA)


def _wrap(error):
    try:
        raise error
    except DataError as cause:
        raise RuntimeError("Beam says no") from cause


def test_a_lost_mlflow_is_named_and_may_be_tried_again():
    found = errors.explain(requests.exceptions.ConnectionError("refused"), "http://127.0.0.1:5999")
    assert found.exit_code == exit_codes.TEMPORARY
    assert "Expected MLflow at http://127.0.0.1:5999" in found.message
    assert "make up" in found.message


def test_a_bug_keeps_its_traceback():
    assert not errors.explain(KeyError("x"), "").explained
