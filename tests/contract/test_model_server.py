from contract import model_server


def test_an_installed_tensorflow_serving_is_preferred(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert model_server.program("/ml/python") == ("/ml/python", "-m", "serving.server")

    installed = tmp_path / "tensorflow_model_server"
    installed.write_text("#!/bin/sh\n")
    installed.chmod(0o755)

    assert model_server.program("/ml/python") == (str(installed),)


def test_the_embedded_server_knows_every_flag(tmp_path):
    from serving.server.start import flags

    told = [*model_server.flags(8500, 8501), *model_server.release_flags(tmp_path / "models.config")]
    parsed = flags.parse(told)

    assert (parsed.port, parsed.rest_api_port, parsed.max_num_load_retries) == (8500, 8501, 0)
    assert parsed.model_config_file == str(tmp_path / "models.config")
    assert parsed.allow_version_labels_for_unavailable_models
