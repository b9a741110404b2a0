"""MLflow's guard against other web pages, set as docker-compose.yaml sets it: whom does it let in?"""

import asyncio
import re
from pathlib import Path

import httpx
import pytest
import yaml
from fastapi import FastAPI
from mlflow.server.fastapi_security import init_fastapi_security

PROJECT = Path(__file__).resolve().parents[3]
ENVIRONMENT = yaml.safe_load((PROJECT / "docker-compose.yaml").read_text())["services"]["mlflow"][
    "environment"
]


SEARCH = "/ajax-api/2.0/mlflow/runs/search"


async def post(app, page, headers):
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=page) as client:
        return (await client.post(SEARCH, headers=headers)).status_code


@pytest.fixture
def ask(monkeypatch):
    """Asks MLflow for runs, as the page at an address does; returns the status."""

    def ask(page, origin=None, **machine):
        for name in ("MLFLOW_SERVER_ALLOWED_HOSTS", "MLFLOW_SERVER_CORS_ALLOWED_ORIGINS"):
            monkeypatch.setenv(name, substituted(ENVIRONMENT[name], machine))
        app = FastAPI()
        app.post(SEARCH)(lambda: {})
        init_fastapi_security(app)
        return asyncio.run(post(app, page, {"Origin": origin or page}))

    return ask


def substituted(text, variables):
    """What Compose makes of ${NAME:-default}."""
    return re.sub(r"\$\{(\w+):-([^}]*)\}", lambda found: variables.get(found[1]) or found[2], text)


@pytest.mark.parametrize("page", ["http://127.0.0.1:5000", "http://localhost:5001", "http://mlflow:5000"])
def test_mlflows_own_page_may_ask_under_every_name_that_it_has_from_the_start(ask, page):
    assert ask(page) == 200


@pytest.mark.parametrize("page", ["https://models.example.org", "http://models.example.org:8443"])
def test_mlflows_own_page_may_ask_under_the_name_that_people_see(ask, page):
    assert ask(page) == 403
    assert ask(page, MLFLOW_PUBLIC_HOST=page.partition("//")[2]) == 200
    assert ask("http://mlflow:5000", MLFLOW_PUBLIC_HOST="models.example.org") == 200  # as services do


def test_another_page_may_not(ask):
    assert ask("http://mlflow:5000", origin="http://elsewhere.example.org") == 403
    assert ask("http://elsewhere.example.org") == 403
