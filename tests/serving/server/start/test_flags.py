import logging

import pytest

from serving.server.start import flags


def test_defaults_are_those_of_tensorflow_serving_except_the_interface():
    parsed = flags.parse([])
    assert (parsed.port, parsed.rest_api_port, parsed.max_num_load_retries) == (8500, 0, 5)
    assert parsed.file_system_poll_wait_seconds == 1
    assert parsed.bind_address == "127.0.0.1"


def test_values_follow_an_equals_sign():
    parsed = flags.parse(["--port=1", "--model_base_path=/models/a=b", "--load_retry_interval_micros=7"])
    assert (parsed.port, parsed.model_base_path, parsed.load_retry_interval_micros) == (1, "/models/a=b", 7)


@pytest.mark.parametrize(
    ("argument", "expected"),
    [
        ("--enable_model_warmup", True),
        ("--enable_model_warmup=true", True),
        ("--enable_model_warmup=false", False),
    ],
)
def test_a_boolean_may_stand_bare(argument, expected):
    assert flags.parse([argument]).enable_model_warmup is expected


@pytest.mark.parametrize(
    "argument", ["--enable_batching=true", "stray", "--no_such_flag", "--por=1", "-p", "--", "--help"]
)
def test_an_unknown_argument_is_warned_about_and_skipped(argument, caplog):
    with caplog.at_level(logging.WARNING):
        assert flags.parse([argument, "--port=1234"]).port == 1234
    assert f"unknown argument: {argument}" in caplog.text


def test_what_follows_a_flag_is_not_its_value(caplog):
    with caplog.at_level(logging.WARNING):
        assert flags.parse(["--enable_model_warmup", "false"]).enable_model_warmup is True
    assert "unknown argument: false" in caplog.text
    with pytest.raises(
        flags.FlagError, match=r"--port expected one argument\. A flag is spelled --name=value"
    ):
        flags.parse(["--port", "8500"])


@pytest.mark.parametrize("argument", ["--port=high", "--port", "--enable_model_warmup=perhaps"])
def test_a_bad_value_names_the_flag_and_what_it_got(argument):
    with pytest.raises(flags.FlagError, match=argument.split("=")[0]):
        flags.parse([argument])


def test_a_server_without_config_and_without_base_path_is_refused():
    with pytest.raises(flags.FlagError, match="model_config_file are empty"):
        flags.check(flags.parse([]))


@pytest.mark.parametrize("argument", ["--port=0", "--port=65536", "--rest_api_port=-1"])
def test_a_port_out_of_range_is_refused(argument):
    with pytest.raises(flags.FlagError, match="must be between"):
        flags.check(flags.parse(["--model_base_path=/m", argument]))
