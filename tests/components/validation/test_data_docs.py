import re
from html.parser import HTMLParser
from urllib.parse import unquote

import pandas as pd
import pytest

from components.families.sections import ValidationSettings
from components.validation import expectations

RUN = "a-run"


class Page(HTMLParser):
    """What a page loads, where its links lead, and what it says."""

    def __init__(self, path):
        super().__init__()
        self.loads, self.links, self.said = [], [], []
        self.open = []
        self.feed(path.read_text())

    def handle_starttag(self, tag, attributes):
        self.open.append(tag)
        for name, value in attributes:
            if (tag, name) == ("a", "href"):
                self.links.append(value)
            elif name in ("src", "href", "srcset", "data", "action", "poster"):
                self.loads.append(value)
            elif name == "style":
                self.loads += re.findall(r"url\((.*?)\)", value)

    def handle_data(self, data):
        if self.open[-1:] in (["style"], ["script"]):
            self.loads += re.findall(r"url\((.*?)\)|@import (.*?);|(https?://\S+)", data)
        else:
            self.said.append(data)

    def handle_endtag(self, tag):
        while self.open and self.open.pop() != tag:
            pass

    @property
    def text(self):
        return " ".join(" ".join(self.said).split())


class Family:
    """Facts of one column."""

    def columns(self, record):
        return ("mean",)

    def expectations(self, settings, record):
        return []


class Task:
    def expectations(self, target, settings):
        return []


@pytest.fixture(scope="module")
def docs(tmp_path_factory):
    """Data Docs of facts that break two expectations, one of which Great Expectations shows as a chart."""
    folder = tmp_path_factory.mktemp("docs")
    facts = pd.DataFrame(
        {
            "id": [f"record <b>{number}</b>" for number in range(60)],
            "split": ["train", "eval", "test"] * 20,
            "label": 0,
            "share_of_label": 1.0,
            "mean": [float(number % 2) for number in range(60)],
            "digest": [str(number) for number in range(60)],
            "splits_of_digest": 1,
        }
    )
    even = {"values": [0.0, 1.0], "weights": [0.9, 0.1]}
    settings = ValidationSettings(
        expectations=[
            {"type": "expect_column_values_to_be_between", "kwargs": {"column": "mean", "min_value": 0.5}},
            {
                "type": "expect_column_kl_divergence_to_be_less_than",
                "kwargs": {"column": "mean", "partition_object": even, "threshold": 0.01},
            },
        ]
    )
    suite = expectations.suite(settings, Family(), None, expectations.Labels(Task(), None, None))
    assert len(expectations.run(facts, suite, docs_dir=folder, run_name=RUN)) == 2
    return folder


def test_no_page_loads_anything_from_anywhere(docs):
    pages = list(docs.rglob("*.html"))
    assert len(pages) == 3
    for path in pages:
        assert set(Page(path).loads) <= {"data:,"}, path
        assert "<script" not in path.read_text()
    assert {path.suffix for path in docs.rglob("*") if path.is_file()} == {".html"}


def test_the_index_leads_to_the_results_and_every_link_to_a_file_is_one_that_is_there(docs):
    for path in docs.rglob("*.html"):
        for link in Page(path).links:
            if not link.startswith("#"):
                assert (path.parent / unquote(link)).is_file(), (path, link)
    index = Page(docs / "index.html")
    assert RUN in index.text
    assert any(link.startswith("validations/") for link in index.links)


def test_what_was_expected_and_what_was_there_can_be_read(docs):
    (path,) = (docs / "validations").rglob("*.html")
    text = Page(path).text
    assert "Status: Failed" in text
    assert "values must be greater than or equal to 0.5" in text
    assert "30 unexpected values found. 50% of 60 total rows." in text
    assert RUN in text
