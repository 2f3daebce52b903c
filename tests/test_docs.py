"""What the documents say of the code is what the code is: paths, names, options, constants and commands."""

from __future__ import annotations

import ast
import importlib
import re
import shlex
from dataclasses import fields
from pathlib import Path

import pytest

from para.cli import parse
from para.policies import ParaConfig
from para.policies.para import paper_form

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
METHOD = (ROOT / "docs" / "method.md").read_text()

pages = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


def table_rows(text: str, head: str) -> list[list[str]]:
    """The cells of the table whose head line begins with `head`."""
    lines = text[text.index(head) :].splitlines()[2:]
    rows = [line for line in lines[: next((i for i, line in enumerate(lines) if not line.startswith("|")), None)]]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]


def code_blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", page.read_text(), re.DOTALL)


@pages
def test_every_path_that_a_page_names_exists(page):
    text = page.read_text()
    paths = re.findall(r"`((?:src|tests|docs|examples|benchmarks)/[\w/.]+)`", text)
    links = [link for link in re.findall(r"\]\(([^)#]+)[^)]*\)", text) if "://" not in link]
    missing = [path for path in paths if not (ROOT / path).exists()]
    missing += [link for link in links if not (page.parent / link).exists()]
    assert not missing


@pages
def test_every_make_target_that_a_page_names_exists(page):
    known = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"(?:^|`)make ([a-z-]+)", page.read_text(), re.MULTILINE)) <= known


@pages
def test_commands_of_a_page_are_understood(page):
    lines = [line for block in code_blocks(page, "bash") for line in block.splitlines()]
    commands = [shlex.split(line, comments=True) for line in lines if re.match(r"(\S*/)?para ", line)]
    assert all(parse(words[1:]) is not None for words in commands)  # what is not understood exits


@pages
def test_what_python_examples_of_a_page_import_exists(page):
    for block in code_blocks(page, "python"):
        for node in ast.walk(ast.parse(block)):
            if isinstance(node, ast.ImportFrom) and node.module.startswith("para"):
                module = importlib.import_module(node.module)
                assert [alias.name for alias in node.names if not hasattr(module, alias.name)] == []


def test_the_bridge_from_symbols_to_code_names_things_that_are_in_their_files():
    rows = table_rows(METHOD, "| paper | code | file |")
    assert len(rows) > 10
    for _, code, files in rows:
        source = "\n".join((ROOT / path).read_text() for path in re.findall(r"`([^`]+)`", files))
        for name in re.findall(r"`([A-Za-z_]\w*)", code):
            assert name in source, f"{name} is not in {files}"


def test_departures_from_the_paper_are_listed_with_the_values_of_the_code():
    here, paper = ParaConfig(), paper_form((128, 128))
    listed = {}
    for option, ours, papers, why in table_rows(METHOD, "| option of `ParaConfig`"):
        listed[option.strip("`")] = ours.strip("`"), papers.strip("`")
        assert why
    described_in_prose = {"image_size", "backbone", "augment"}
    options = {f.name for f in fields(ParaConfig)} - described_in_prose
    assert listed == {name: (repr(getattr(here, name)), repr(getattr(paper, name))) for name in options}


def test_constants_are_listed_with_the_values_of_the_code():
    rows = table_rows(METHOD, "| constant | value | of |")
    assert len(rows) > 10
    for constant, value, _ in rows:
        module, name = constant.strip("`").rsplit(".", 1)
        assert getattr(importlib.import_module(module), name) == float(value), constant
