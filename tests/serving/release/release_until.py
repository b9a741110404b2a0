"""Promotes versions and kills itself, without a word, after a step: what a crash or a KILL does to a release.

Each line of standard input is `URI TARGET MODELS_DIR VERSION STEP` with tabs between. A child does it, forked after
the imports and before any connection; how it ended is answered on standard output.
"""

import os
import signal
import sys
from pathlib import Path

from serving.client import Client
from serving.registry.registry import Registry
from serving.release import promotion
from serving.release.target import ReleaseTarget


def promote_until(uri, target, models_dir, version, last_step):
    def step(name):
        if name == last_step:
            os.kill(os.getpid(), signal.SIGKILL)

    with Client(target) as client:
        target = ReleaseTarget(Registry(uri), client, Path(models_dir), step=step)
        promotion.promote(target, "toy", int(version), "anna")


for line in sys.stdin:
    child = os.fork()
    if child == 0:
        promote_until(*line.rstrip("\n").split("\t"))
        os._exit(0)
    _, status = os.waitpid(child, 0)
    sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
    sys.stdout.flush()
