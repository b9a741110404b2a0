import base64
import json
import stat
from concurrent.futures import ThreadPoolExecutor

from deploy.local.credentials import admin_password, load_or_create


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_credentials_are_readable_by_their_owner_alone(tmp_path):
    load_or_create(tmp_path / "secrets")

    assert mode(tmp_path / "secrets") == 0o700
    assert {mode(path) for path in (tmp_path / "secrets").iterdir()} == {0o600}


def test_permissions_that_were_loosened_are_tightened_again(tmp_path):
    load_or_create(tmp_path)
    tmp_path.chmod(0o755)
    (tmp_path / "jwt_secret").chmod(0o644)

    load_or_create(tmp_path)

    assert mode(tmp_path) == 0o700
    assert mode(tmp_path / "jwt_secret") == 0o600


def test_keys_have_the_lengths_that_airflow_asks_for(tmp_path):
    credentials = load_or_create(tmp_path)

    assert len(credentials.jwt_secret) >= 64
    assert len(credentials.api_secret_key) >= 64
    assert len(base64.urlsafe_b64decode(credentials.fernet_key)) == 32


def test_a_second_start_uses_the_credentials_of_the_first(tmp_path):
    assert load_or_create(tmp_path) == load_or_create(tmp_path)


def test_starts_that_race_agree_on_the_credentials_and_leave_no_other_file(tmp_path):
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(load_or_create, [tmp_path / "secrets"] * 32))

    assert all(credentials == made[0] for credentials in made)
    assert sorted(path.name for path in (tmp_path / "secrets").iterdir()) == [
        "airflow-passwords.json",
        "api_secret_key",
        "fernet_key",
        "jwt_secret",
    ]


def test_two_state_folders_share_no_secret(tmp_path):
    one, other = load_or_create(tmp_path / "one"), load_or_create(tmp_path / "other")

    assert one.jwt_secret != other.jwt_secret
    assert one.fernet_key != other.fernet_key
    assert admin_password(tmp_path / "one") != admin_password(tmp_path / "other")


def test_a_password_that_a_person_changed_stays(tmp_path):
    password_file = load_or_create(tmp_path).password_file
    password_file.write_text(json.dumps({"admin": "chosen by a person"}))

    load_or_create(tmp_path)

    assert admin_password(tmp_path) == "chosen by a person"


def test_no_secret_shows_when_credentials_are_printed(tmp_path):
    credentials = load_or_create(tmp_path)

    assert credentials.jwt_secret not in repr(credentials)
    assert credentials.fernet_key not in repr(credentials)
