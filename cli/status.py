"""`slipway status`: services, what is served of each model, and the newest run of each pipeline."""

import click

from cli.console import table
from cli.runs import newest_summary
from deploy.local.health import health
from deploy.local.served import states as served_states
from deploy.local.settings import Stack
from pipelines.definition import config


def show() -> int:
    """Prints three tables; returns 1 when a service is down, or a model is not served as the registry wants it."""
    stack = Stack.from_environment()
    states = health(stack)
    table(
        "Services",
        ("service", "state"),
        [(state.service, "up" if state.healthy else f"down: {state.detail}") for state in states],
    )
    models = served_states(stack)
    table(
        "Models",
        ("model", "champion", "answers"),
        [(each.model, each.champion or "-", each.answers or "-") for each in models],
    )
    for each in models:
        if each.problem:
            click.secho(f"{each.model}: {each.problem}", fg="red")
    rows = []
    for name in config.names():
        newest = newest_summary(stack, name)
        rows.append((name, newest.get("run_id", "-"), newest.get("state", "-"), newest.get("reason", "")))
    table("Newest run of each pipeline", ("pipeline", "run", "state", "reason"), rows)
    well = all(state.healthy for state in states) and not any(each.problem for each in models)
    return 0 if well else 1
