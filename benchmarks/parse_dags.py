"""Parses 200 manifests 100 times with Airflow's DagBag, in Airflow's environment; prints JSON."""

import json
import os
import sys
import tempfile
import time
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]
MANIFESTS = 200
PARSES = 100


def resident_mib() -> float:
    """Returns this process's resident memory, in MiB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def main() -> None:
    """Writes the manifests, parses them, prints the figures."""
    with tempfile.TemporaryDirectory() as folder:
        digits = json.loads((PROJECT / "pipelines/manifests/digits.json").read_text())
        for number in range(MANIFESTS):
            name = f"pipeline_{number:03d}"
            Path(folder, f"{name}.json").write_text(json.dumps({**digits, "pipeline": name}))
        os.environ |= {
            "SLIPWAY_MANIFESTS": folder,
            "AIRFLOW_HOME": folder,
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__DAGBAG_IMPORT_TIMEOUT": "300",
        }
        sys.path.insert(0, str(PROJECT))  # as the stack's PYTHONPATH does
        from airflow.dag_processing.dagbag import DagBag

        seconds, memory = [], []
        for _ in range(PARSES):
            started = time.perf_counter()
            bag = DagBag(dag_folder=str(PROJECT / "dags"))
            seconds.append(time.perf_counter() - started)
            memory.append(resident_mib())
            if len(bag.dags) < MANIFESTS or bag.import_errors:
                raise SystemExit(f"Expected {MANIFESTS} DAGs, got {len(bag.dags)}: {bag.import_errors}")
        print(
            json.dumps(
                {"parse_200_manifests_s": seconds, "parse_memory_growth_mib": [memory[-1] - memory[9]]}
            )
        )


if __name__ == "__main__":
    main()
