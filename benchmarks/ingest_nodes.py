"""The nodes `prepare`, `ingest` and `statistics` of a pipeline, in one process.

    SLIPWAY_HOME=... SLIPWAY_CONFIGS=... python benchmarks/ingest_nodes.py PIPELINE RUN [FOLDER ...]

Prints the seconds of each, and how many files were opened below each of the folders.
"""

import os
import sys
import time
from collections import Counter

from contract.run_folder import REQUEST, RunFolder
from pipelines.execution.node import Attempt

opened: Counter[str] = Counter()


def count(event: str, arguments: tuple) -> None:
    """Takes note of each file that this process opens: an audit hook, see PEP 578."""
    if event == "open" and isinstance(arguments[0], str | os.PathLike):
        path = os.fspath(arguments[0])
        opened.update(each for each in sys.argv[3:] if str(path).startswith(f"{each}/"))


if __name__ == "__main__":
    if sys.argv[3:]:
        sys.addaudithook(count)
    folder = RunFolder.here(sys.argv[1], sys.argv[2])
    folder.write(REQUEST, {"values": {}, "run_id": folder.run_id, "done": []})
    for node in ("prepare", "ingest", "statistics"):
        started = time.perf_counter()
        if code := Attempt(folder, node).run():
            sys.exit(code)
        print(f"{node} {time.perf_counter() - started:.3f}", flush=True)
    for each in sys.argv[3:]:
        print(f"opened {each} {opened[each]}")
