import traceback

import pytest

from contract.errors import SettingsError
from pipelines.lineage.metadata_uri import VARIABLE, Database, from_environment


def test_no_variable_or_an_empty_one_names_no_database():
    assert from_environment({}) is None
    assert from_environment({VARIABLE: ""}) is None


def test_a_uri_names_host_port_user_password_and_database():
    read = from_environment({VARIABLE: "postgresql://me:p%40ss%20%27%5C@db.example.org:6000/meta"})

    assert read == Database("db.example.org", 6000, "me", "p@ss '\\", "meta")


def test_a_password_may_have_what_separates_other_parts_of_a_uri():
    read = from_environment({VARIABLE: "postgresql://me:a/b?c:d@host/meta"})

    assert read == Database("host", 5432, "me", "a/b?c:d", "meta")


def test_the_port_and_the_password_may_be_left_out():
    assert from_environment({VARIABLE: "postgresql://me@[::1]/meta"}) == Database(
        "::1", 5432, "me", "", "meta"
    )


def test_a_database_does_not_show_its_password():
    assert "word" not in repr(Database("host", 5432, "me", "word", "meta"))


@pytest.mark.parametrize(
    ("uri", "received", "problem"),
    [
        ("mysql://me:hidden@host/meta", "mysql://***@host/meta", "only PostgreSQL"),
        ("postgresql://me:hidden@host:port/meta", "postgresql://***@host:port/meta", "the port must be"),
        ("postgresql://me:hidden@host:70000/meta", "postgresql://***@host:70000/meta", "the port must be"),
        ("postgresql://me:hidden@host", "postgresql://***", "the database must be"),
        ("postgresql://me:hidden@host/meta data", "postgresql://***@host/meta data", "percent-encode"),
        ("postgresql://me:hidden@host/meta?password=hidden", "postgresql://***", "options"),
        ("postgresql://:hidden@host/meta", "postgresql://***@host/meta", "no user"),
        ("postgresql://me:hidden@/meta", "postgresql://***@/meta", "no host"),
        ("postgresql://me:hid'den@host/meta", "postgresql://***@host/meta", "percent-encode"),
        ("postgresql://me:hid@den@host/meta", "postgresql://***@host/meta", "percent-encode an @"),
        ("postgresql://me:hid@den:hidden@host/meta", "postgresql://***@host/meta", "the port must be"),
        ("postgresql://me:hid%00den@host/meta", "postgresql://***@host/meta", "NUL"),
        ("postgresql://me:hidden@[host/meta", "postgresql://***@[host/meta", "the host must be"),
        ("me:hidden", "***", "cannot be read"),
    ],
)
def test_a_malformed_uri_is_named_with_its_form_and_its_fault_but_without_the_password(
    uri, received, problem
):
    with pytest.raises(SettingsError) as refused:
        from_environment({VARIABLE: uri})

    message = str(refused.value)
    assert message.startswith(f"{VARIABLE} must be of the form postgresql://user:password@host:port/database")
    assert f"got {received!r}: " in message
    assert problem in message
    logged = "".join(traceback.format_exception(type(refused.value), refused.value, None))
    assert "hid" not in logged
