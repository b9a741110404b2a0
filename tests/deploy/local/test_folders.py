import os
import stat

import pytest

from contract.errors import SettingsError
from deploy.local.folders import make_folders
from deploy.local.settings import Stack


def test_the_model_server_starts_with_an_empty_list_of_models(stack):
    make_folders(stack)

    assert "model_config_list" in stack.models_config.read_text()


def test_a_list_of_models_that_is_there_stays(prepared):
    prepared.models_config.write_text("model_config_list { config { name: 'digits' } }")

    make_folders(prepared)

    assert "digits" in prepared.models_config.read_text()


def test_the_folder_of_sockets_is_private(tmp_path):
    for stack in (Stack(tmp_path), Stack(tmp_path / ("deep" * 30))):
        make_folders(stack)
        assert stat.S_IMODE(stack.sockets.stat().st_mode) == 0o700
    stack.sockets.rmdir()


def test_a_folder_for_sockets_that_others_can_write_is_refused(tmp_path):
    stack = Stack(tmp_path / ("deep" * 30))
    make_folders(stack)
    stack.sockets.chmod(0o777)

    with pytest.raises(SettingsError, match=r"must be yours alone \(mode 0700\), got .* with mode 0777"):
        make_folders(stack)
    stack.sockets.rmdir()


def test_a_link_in_place_of_the_folder_for_sockets_is_refused(tmp_path):
    stack = Stack(tmp_path / ("deep" * 30))
    stack.sockets.symlink_to(tmp_path)

    with pytest.raises(SettingsError, match="must be yours alone"):
        make_folders(stack)
    stack.sockets.unlink()


def test_a_home_that_is_a_file_is_refused_by_the_name_of_its_variable(tmp_path):
    (tmp_path / "state").write_text("")

    with pytest.raises(SettingsError, match=f"SLIPWAY_HOME must be a folder you can write to.*{os.sep}state"):
        make_folders(Stack(tmp_path / "state"))
