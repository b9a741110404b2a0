import ssl

import certifi
import pytest

from contract import addresses


def test_a_password_counts_more_than_a_token_as_with_mlflow_s_client():
    token = {"MLFLOW_TRACKING_USERNAME": "anna", "MLFLOW_TRACKING_TOKEN": "t"}
    assert addresses.mlflow_authorization(token) == {"Authorization": "Bearer t"}
    assert addresses.mlflow_password(token) is None
    both = token | {"MLFLOW_TRACKING_PASSWORD": "s"}
    assert (addresses.mlflow_password(both), addresses.mlflow_authorization(both)) == (("anna", "s"), {})
    assert (addresses.mlflow_password({}), addresses.mlflow_authorization({})) == (None, {})


def test_certificates_are_checked_unless_mlflow_s_own_variable_says_otherwise():
    assert addresses.mlflow_trusted({}).verify_mode == ssl.CERT_REQUIRED
    insecure = addresses.mlflow_trusted({"MLFLOW_TRACKING_INSECURE_TLS": "true"})
    assert (insecure.verify_mode, insecure.check_hostname) == (ssl.CERT_NONE, False)


@pytest.mark.parametrize(
    "variable", ["MLFLOW_TRACKING_SERVER_CERT_PATH", "REQUESTS_CA_BUNDLE", "MLFLOW_TRACKING_CLIENT_CERT_PATH"]
)
def test_a_certificate_that_is_not_there_is_named(variable):
    with pytest.raises(OSError, match=r"no certificate can be read at /nowhere/ca\.pem"):
        addresses.mlflow_trusted({variable: "/nowhere/ca.pem"})


def test_only_the_authority_that_is_named_is_trusted(tmp_path):
    authority = ssl.create_default_context(cafile=certifi.where()).get_ca_certs(binary_form=True)[0]
    (tmp_path / "ca.pem").write_text(ssl.DER_cert_to_PEM_cert(authority))
    trusted = addresses.mlflow_trusted({"MLFLOW_TRACKING_SERVER_CERT_PATH": str(tmp_path / "ca.pem")})
    assert trusted.get_ca_certs(binary_form=True) == [authority]
