"""The page of a whole family: every number from records, every filter's mark in place, nothing from the network."""

import json
import re

import pytest

from para.reports import build_family_report
from para.reports.wording import rate_text
from tests.reports.synthetic_family import write_family
from tests.reports.test_page import elements, text_of


@pytest.fixture(scope="module")
def family(tmp_path_factory):
    """The folder of a family of runs, and its page's text."""
    folder = write_family(tmp_path_factory.mktemp("family"), n=8)
    return folder, build_family_report(folder).read_text(encoding="utf-8")


def headline_rows(folder):
    for path in sorted(folder.glob("*/summary.json")):
        config = json.loads((path.parent / "config.json").read_text())
        for row in json.loads(path.read_text())["rows"]:
            if row["policy"] in config["headline"] and row["split"] in config["headline_splits"]:
                yield row


def test_every_headline_rate_stands_in_the_page_with_its_count_and_interval(family):
    folder, page = family
    said = text_of(page)
    rows = list(headline_rows(folder))
    assert len(rows) > 20
    for row in rows:
        assert rate_text(row) in said


def test_the_page_needs_no_network(family):
    _, page = family
    assert not re.search(r"https?:|[\"'(]//[a-z]|@import", re.sub(r"base64,[A-Za-z0-9+/=]+", "", page))
    assert all(source.startswith("data:") for source in elements(page).sources)


def test_the_page_is_well_formed_and_its_references_lead_somewhere_within_it(family):
    _, page = family
    found = elements(page)
    assert not found.open
    assert len(found.ids) == len(set(found.ids))
    assert set(found.references) <= set(found.ids)
