"""What `make test` runs: lint, the tests of both environments side by side, then the runs through real servers.

Exits with the number of steps that failed; the last line counts tests over all of them.
"""

import re
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]
ML = str(PROJECT / ".venv/ml/bin/python")
AIRFLOW = str(PROJECT / ".venv/airflow/bin/python")
COUNT = re.compile(r"(\d+) (passed|failed|errors?|skipped)")


@dataclass(frozen=True)
class Step:
    """One command, and what it is called in the report."""

    name: str
    command: tuple[str, ...]


LINT = Step("lint", ("make", "--no-print-directory", "lint"))
BESIDE_EACH_OTHER = (
    Step("ML environment", (ML, "-m", "pytest", "-q", "-m", "not e2e", "--ignore=tests/dags")),
    Step("Airflow environment", (AIRFLOW, "-m", "pytest", "-q", "tests/dags")),
)
END_TO_END = Step("end to end", (ML, "-m", "pytest", "-v", "-m", "e2e", "--ignore=tests/dags"))


def say(text: str) -> None:
    """Prints a line at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def counts(output: str) -> dict[str, int]:
    """Returns how many tests passed, failed and were skipped, by pytest's closing line."""
    closing = [line for line in output.splitlines() if COUNT.search(line) and " in " in line]
    found: dict[str, int] = {}
    for number, what in COUNT.findall(closing[-1]) if closing else ():
        kind = "failed" if what.startswith("error") else what
        found[kind] = found.get(kind, 0) + int(number)
    return found


def run(steps: tuple[Step, ...]) -> list[tuple[Step, int, dict[str, int]]]:
    """Runs steps at the same time; prints the output of each, whole, when it has ended."""
    started = time.monotonic()
    running = []
    for step in steps:
        output = tempfile.TemporaryFile("w+")  # noqa: SIM115  closed below, after the process
        process = subprocess.Popen(step.command, cwd=PROJECT, stdout=output, stderr=subprocess.STDOUT)
        running.append((step, process, output))
    results = []
    for step, process, output in running:
        code = process.wait()
        output.seek(0)
        text = output.read()
        output.close()
        say(f"=== {step.name}: exit code {code} after {time.monotonic() - started:.0f} s\n{text}")
        results.append((step, code, counts(text)))
    return results


def main() -> int:
    """Runs every step; a failed lint does not keep the tests from running."""
    results = [result for steps in ((LINT,), BESIDE_EACH_OTHER, (END_TO_END,)) for result in run(steps)]
    for step, code, found in results:
        say(f"{step.name}: {'ok' if code == 0 else f'FAILED with exit code {code}'} {found or ''}")
    total = {
        kind: sum(found.get(kind, 0) for _, _, found in results) for kind in ("passed", "failed", "skipped")
    }
    say(f"{total['passed']} passed, {total['failed']} failed, {total['skipped']} skipped")
    return sum(code != 0 for _, code, _ in results)


if __name__ == "__main__":
    sys.exit(main())
