"""Who can reach the stack, what it lets out, and where its links lead."""

import json
import os
import subprocess

import httpx
import pytest

IMAGES = ("slipway-airflow:local", "slipway-ml:local", "slipway-worker:local")
STAYING = {
    *("postgres", "redis", "airflow-api-server", "airflow-scheduler", "airflow-dag-processor"),
    *("airflow-triggerer", "airflow-worker", "mlflow", "ml-worker", "model-server"),
}
DAG = "train_digits"


@pytest.fixture(scope="module")
def secrets(stack):
    """What nobody may read anywhere: the content of each secret."""
    texts = [path.read_text() for path in (stack.folder / "secrets").iterdir() if path.name != ".gitignore"]
    users = [list(json.loads(text).values()) for text in texts if text.startswith("{")]
    return [text for text in texts if not text.startswith("{")] + [word for words in users for word in words]


def without(secrets, text, where):
    assert text, f"nothing to look through: {where}"
    assert not [secret for secret in secrets if secret in text], f"a secret shows in {where}"


def grep(secrets, *arguments):
    """Runs, in a container, a grep that reads its patterns from standard input; returns the files that have any."""
    command = ["docker", *arguments]
    done = subprocess.run(command, input="\n".join(secrets), capture_output=True, text=True, check=False)
    # Docker too ends with 1, where there is nothing to look in.
    assert done.returncode in (0, 1), done.stderr
    assert "Error" not in done.stderr, done.stderr
    return done.stdout.split()


def test_every_service_runs_and_says_that_it_works(stack):
    assert {
        service: stack.inspect(service)["State"]["Health"]["Status"] for service in STAYING
    } == dict.fromkeys(STAYING, "healthy")


def test_compose_has_nothing_to_say_about_the_file(stack):
    assert stack.compose("--file", "docker-compose.yaml", "config", "--quiet") == ""


def test_nothing_is_published_but_four_ports_on_loopback(stack):
    published = {
        (bound["HostIp"], bound["HostPort"])
        for service in STAYING
        for ports in stack.inspect(service)["NetworkSettings"]["Ports"].values()
        for bound in ports or []
    }

    numbers = {os.environ[f"SLIPWAY_{name}_PORT"] for name in ("AIRFLOW", "MLFLOW", "GRPC", "REST")}
    assert published == {("127.0.0.1", number) for number in numbers}


def test_the_images_and_what_runs_in_them_are_no_root(stack):
    for image in IMAGES:
        assert json.loads(stack.docker("inspect", image))[0]["Config"]["User"] == "10001"
    assert {service: stack.inspect(service)["Config"]["User"] for service in ("model-server", "redis")} == {
        "model-server": "10001:10001",
        "redis": "redis",
    }


def test_no_secret_shows_in_a_log(stack, digits_run, secrets):
    without(secrets, stack.compose("logs", "--no-color"), "docker compose logs")
    logs = "/var/lib/slipway/airflow/logs"
    worker = stack.container("airflow-worker")
    assert grep(secrets, "exec", "-i", worker, "grep", "-rlFf", "-", logs) == []


def test_no_secret_shows_in_what_docker_says_of_a_container_or_its_processes(stack, secrets):
    for service in STAYING:
        container = stack.container(service)
        without(secrets, stack.docker("inspect", container), f"docker inspect {service}")
        without(secrets, stack.docker("top", container), f"docker top {service}")


def test_no_secret_is_in_an_image(stack, secrets):
    for image in IMAGES:
        without(secrets, stack.docker("history", "--no-trunc", image), f"docker history {image}")
        where = ("/opt/slipway", "/etc", "/home", "/root", "/run", "/srv", "/usr/local", "/var")
        looking = ("run", "--rm", "-i", "--network=none", "--user=root", image, "grep", "-rsIlFf", "-")
        assert grep(secrets, *looking, "--exclude-dir=.venv", *where) == []


def test_no_secret_is_in_mlflow_in_the_runs_or_in_a_database(stack, digits_run, secrets):
    for service, folder in (
        ("mlflow", "/var/lib/slipway/mlflow"),
        ("ml-worker", "/var/lib/slipway/pipelines"),
    ):
        assert grep(secrets, "exec", "-i", stack.container(service), "grep", "-rlFf", "-", folder) == []
    dump = stack.docker("exec", "--user", "postgres", stack.container("postgres"), "pg_dumpall", "--inserts")
    assert "model_versions" in dump
    without(secrets, dump, "the databases")


def test_the_links_that_a_person_clicks_open_on_this_machine(stack, digits_run):
    path = f"/api/v2/dags/{DAG}/dagRuns/{digits_run}/taskInstances/train/links"
    link = stack.airflow("GET", path).json()["extra_links"]["MLflow run"]
    page, _, run_id = link.partition("/#/")
    assert page == stack.mlflow_url
    assert httpx.get(page, trust_env=False).raise_for_status().headers["content-type"].startswith("text/html")
    assert (
        stack.mlflow.get_run(run_id.partition("?")[0].rpartition("/")[2]).data.tags["slipway.node"] == "train"
    )

    request = json.loads(
        stack.compose(
            "exec",
            "-T",
            "ml-worker",
            "cat",
            f"/var/lib/slipway/pipelines/digits/runs/{digits_run}/request.json",
        )
    )
    assert request["dag_run_url"].startswith(f"{stack.airflow_url}/dags/{DAG}/runs/")
