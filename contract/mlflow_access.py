"""How MLflow is asked over HTTP, as its own environment variables say: who asks, and which certificates are trusted.

Both environments ask its REST API beside its client. https://mlflow.org/docs/latest/ml/auth/ names the variables.
"""

import os
import ssl
from collections.abc import Mapping


def password(environment: Mapping[str, str] = os.environ) -> tuple[str, str] | None:
    """Returns MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD; `None` unless both are set."""
    user, secret = (environment.get(f"MLFLOW_TRACKING_{name}") for name in ("USERNAME", "PASSWORD"))
    return (user, secret) if user and secret else None


def authorization(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Returns the header that carries MLFLOW_TRACKING_TOKEN; none where MLflow's client prefers the password."""
    token = environment.get("MLFLOW_TRACKING_TOKEN")
    return {"Authorization": f"Bearer {token}"} if token and not password(environment) else {}


def trusted(environment: Mapping[str, str] = os.environ) -> ssl.SSLContext:
    """Returns whom to trust, and with which certificate of our own.

    Raises:
        OSError: If a certificate that is named cannot be read, or is none.
    """
    named = (
        environment.get(name)
        for name in ("MLFLOW_TRACKING_SERVER_CERT_PATH", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE")
    )
    context = ssl.create_default_context(cafile=_readable(next(filter(None, named), None)))
    if client := _readable(environment.get("MLFLOW_TRACKING_CLIENT_CERT_PATH")):
        context.load_cert_chain(client)
    if environment.get("MLFLOW_TRACKING_INSECURE_TLS", "").lower() in ("true", "1"):
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _readable(path: str | None) -> str | None:
    if path and not os.access(path, os.R_OK):
        raise OSError(f"no certificate can be read at {path}")
    return path
