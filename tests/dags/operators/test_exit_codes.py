import pytest
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowSkipException

from dags.operators.exit_codes import raise_unless_succeeded


def test_zero_is_a_success():
    raise_unless_succeeded(0, what="train", reason="")


@pytest.mark.parametrize(
    ("code", "error", "message"),
    [
        (99, AirflowSkipException, "train refused: accuracy 0.5 is below 0.8"),
        (
            65,
            AirflowFailException,
            "exit code 65: accuracy 0.5 is below 0.8 The data must change: trying again",
        ),
        (
            78,
            AirflowFailException,
            "exit code 78: .* The configuration must change: trying again cannot help",
        ),
        (1, AirflowException, "train failed with exit code 1: accuracy"),
        (75, AirflowException, "train failed with exit code 75: accuracy"),
        (-9, AirflowException, r"was ended by signal 9 \(SIGKILL\): .* Often the machine had no memory left"),
        (-15, AirflowException, r"was ended by signal 15 \(SIGTERM\): .* Somebody or something stopped it"),
        (-60, AirflowException, "train was ended by signal 60: accuracy"),
    ],
)
def test_an_exit_code_becomes_what_airflow_understands(code, error, message):
    with pytest.raises(AirflowException, match=message) as raised:
        raise_unless_succeeded(code, what="train", reason="accuracy 0.5 is below 0.8")

    assert type(raised.value) is error
