import os
import stat
from pathlib import Path

import pytest

from contract.errors import SettingsError
from contract.state import StateFolder
from deploy.folders import make_folders


def test_the_model_server_starts_with_an_empty_list_of_models(tmp_path):
    state = StateFolder(tmp_path)

    make_folders(state)

    assert "model_config_list" in state.models_config.read_text()


def test_a_list_of_models_that_is_there_stays(tmp_path):
    state = StateFolder(tmp_path)
    make_folders(state)
    state.models_config.write_text("model_config_list { config { name: 'digits' } }")

    make_folders(state)

    assert "digits" in state.models_config.read_text()


def test_no_program_sees_half_a_list_of_models(tmp_path, monkeypatch):
    state, seen = StateFolder(tmp_path), []
    replace = Path.replace

    def watched(draft, target):
        seen.append((target.exists(), draft.read_text()))
        return replace(draft, target)

    monkeypatch.setattr(Path, "replace", watched)
    make_folders(state)

    assert seen == [(False, state.models_config.read_text())]


def test_the_folder_of_sockets_is_private(tmp_path):
    for state in (StateFolder(tmp_path), StateFolder(tmp_path / ("deep" * 30))):
        make_folders(state)
        assert stat.S_IMODE(state.sockets.stat().st_mode) == 0o700
    state.sockets.rmdir()


def test_a_folder_for_sockets_that_others_can_write_is_refused(tmp_path):
    state = StateFolder(tmp_path / ("deep" * 30))
    make_folders(state)
    state.sockets.chmod(0o777)

    with pytest.raises(SettingsError, match=r"must be yours alone \(mode 0700\), got .* with mode 0777"):
        make_folders(state)
    state.sockets.rmdir()


def test_a_link_in_place_of_the_folder_for_sockets_is_refused(tmp_path):
    state = StateFolder(tmp_path / ("deep" * 30))
    state.sockets.symlink_to(tmp_path)

    with pytest.raises(SettingsError, match="must be yours alone"):
        make_folders(state)
    state.sockets.unlink()


def test_a_home_that_is_a_file_is_refused_by_the_name_of_its_variable(tmp_path):
    (tmp_path / "state").write_text("")

    with pytest.raises(SettingsError, match=f"SLIPWAY_HOME must be a folder you can write to.*{os.sep}state"):
        make_folders(StateFolder(tmp_path / "state"))
