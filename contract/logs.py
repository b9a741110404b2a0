"""What a program of the ML side logs: our own lines, and of the libraries only what matters."""

import logging
import sys
import warnings

PACKAGES = ("components", "contract", "pipelines", "serving")


def configure() -> None:
    """Sends our own lines to stdout and keeps TFX's protocol buffers and others' deprecations out of the log."""
    logging.basicConfig(
        stream=sys.stdout, format="%(asctime)s %(levelname)s %(message)s", datefmt="%H:%M:%S", force=True
    )
    for package in PACKAGES:
        logging.getLogger(package).setLevel(logging.INFO)
    logging.getLogger("absl").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", category=FutureWarning)
    warnings.filterwarnings("ignore", category=DeprecationWarning)
