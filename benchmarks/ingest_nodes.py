"""Nodes of a run of a pipeline, one after the other in one process.

    SLIPWAY_HOME=... SLIPWAY_CONFIGS=... python benchmarks/ingest_nodes.py PIPELINE RUN [NODE...]

Without names `prepare`, `ingest` and `statistics`. Prints the seconds of each.
"""

import sys
import time

from contract.run_folder import REQUEST, RunFolder
from pipelines.execution.node import Attempt

if __name__ == "__main__":
    folder = RunFolder.here(sys.argv[1], sys.argv[2])
    nodes = sys.argv[3:] or ["prepare", "ingest", "statistics"]
    if "prepare" in nodes:
        folder.write(REQUEST, {"values": {}, "run_id": folder.run_id, "done": []})
    for node in nodes:
        started = time.perf_counter()
        if code := Attempt(folder, node).run():
            sys.exit(code)
        print(f"{node} {time.perf_counter() - started:.3f}", flush=True)
