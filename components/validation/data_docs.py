"""Data Docs that can be read without a network: Great Expectations' pages, in a frame of ours that loads nothing.

Its own pages take their styles, scripts and icons from other servers, and the tables of its index are drawn by them.
"""

import os
import shutil
from pathlib import Path
from typing import Any

os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")

import great_expectations as gx
from great_expectations.data_context.types.base import ProgressBarsConfig
from great_expectations.render.view import DefaultJinjaPageView
from jinja2 import ChoiceLoader, FileSystemLoader

SITE = "data_docs"
TEMPLATES = Path(__file__).parent / "templates"  # they come before those of the same name


class OfflinePageView(DefaultJinjaPageView):
    """Draws any page."""

    def __init__(self, **places: Any) -> None:
        super().__init__(**places)
        self.env.loader = ChoiceLoader([FileSystemLoader(TEMPLATES), self.env.loader])


def context(folder: Path) -> Any:
    """Returns a data context whose site of Data Docs lies in `folder`."""
    made = gx.get_context(mode="ephemeral")
    made.variables.progress_bars = ProgressBarsConfig(globally=False)
    view = {"module_name": __name__, "class_name": OfflinePageView.__name__}
    site = {
        "class_name": "SiteBuilder",
        "show_how_to_buttons": False,
        "site_index_builder": {"class_name": "DefaultSiteIndexBuilder", "view": view},
        "site_section_builders": {
            name: {"view": view} for name in ("expectations", "validations", "profiling")
        },
        "store_backend": {"class_name": "TupleFilesystemStoreBackend", "base_directory": str(folder)},
    }
    add_site = made.update_data_docs_site if SITE in made.get_site_names() else made.add_data_docs_site
    add_site(SITE, site)
    return made


def build(made: Any, folder: Path) -> None:
    """Writes the pages."""
    made.build_data_docs(site_names=[SITE])
    shutil.rmtree(
        folder / "static", ignore_errors=True
    )  # 4 MB of fonts and pictures that these pages do not use
