"""`slipway status`: services, and the newest run of each pipeline."""

from pipelines import config
from pipelines.cli.console import table
from pipelines.cli.runs import newest_summary
from pipelines.stack.health import health
from pipelines.stack.settings import Stack


def show() -> int:
    """Prints two tables; returns 1 when a service is down."""
    stack = Stack.from_environment()
    states = health(stack)
    table(
        "Services",
        ("service", "state"),
        [(state.service, "up" if state.healthy else f"down: {state.detail}") for state in states],
    )
    rows = []
    for name in config.names():
        newest = newest_summary(stack, name)
        rows.append((name, newest.get("run_id", "-"), newest.get("state", "-"), newest.get("reason", "")))
    table("Newest run of each pipeline", ("pipeline", "run", "state", "reason"), rows)
    return 0 if all(state.healthy for state in states) else 1
