"""The filters of a family's page: what is shown belongs to what a reader asks for, and no heading stands alone."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from para.datasets.video import write_video
from para.reports import build_family_report
from para.reports.family.files import AXES, Family, read_family
from para.reports.family.gallery import VARIANTS, find_failures
from para.reports.family.rollouts import rollouts
from para.reports.family.stills import N_SCENES, enough, episodes, stills
from para.reports.pictures import Pictures
from para.reports.wording import base_policy
from tests.reports.synthetic_family import synthetic_experiments, write_family

NAMES = ("axis", "policy", "outcome")
RANKS = {"h2": 2, "h3": 3, "h4": 4, "h5": 5, "p.mode": 6, "tr.axis": 7, "tr.what": 8}
"""Headings, from the widest to the narrowest; one of them stands for all until the next that is as wide."""

CONTENT = ("td", "li", "svg", "video", "dl", "pre")
"""What a reader comes for: a heading with none of it below is an empty one."""

SHAPES = re.compile(r"<(script|style|text)\b.*?</\1>|<(path|line|circle|use|rect)\b[^>]*>", re.DOTALL)
"""What filters do not know."""


class Node:
    """An element of a page, and whether a reader sees it."""

    def __init__(self, tag: str, attributes: dict[str, str], parent: Node | None):
        self.tag, self.parent, self.children, self.id = tag, parent, [], attributes.get("id")
        self.kinds = [tag, *(f"{tag}.{name}" for name in attributes.get("class", "").split())]
        self.marks = {name: attributes[f"data-{name}"].split(" ") for name in NAMES if f"data-{name}" in attributes}
        self.ancestors: list[Node] = [parent, *parent.ancestors] if parent else []
        self.in_head = "thead" in self.kinds or self.rank > 6 or (parent is not None and parent.in_head)
        self.hidden, self.shown = False, True

    @property
    def rank(self) -> int:
        """Of a heading; 0 of what is none."""
        return max(RANKS.get(kind, 0) for kind in self.kinds)

    def all(self) -> list[Node]:
        """It and what is in it, in the order of the page."""
        return [self, *(node for child in self.children for node in child.all())]

    def is_about(self, asked: dict[str, str]) -> bool:
        """Whether it names what is asked for, as far as it has a mark of that kind."""
        return all(not asked[name] or matches(values, name, asked[name]) for name, values in self.marks.items())

    def belongs_to(self, asked: dict[str, str]) -> bool:
        """Whether it, or what it is a part of, names all that is asked for."""
        named = {name: values for node in (*reversed(self.ancestors), self) for name, values in node.marks.items()}
        return all(not value or matches(named.get(name, ()), name, value) for name, value in asked.items())


def matches(values, name: str, asked: str) -> bool:
    """Whether one of the values is what is asked for; a policy's variants go with it."""
    return asked in values or (name == "policy" and asked in map(base_policy, values))


class Tree(HTMLParser):
    def __init__(self, html: str):
        super().__init__()
        self.root = self.at = Node("", {}, None)
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        node = Node(tag, {name: value or "" for name, value in attributes}, self.at)
        self.at.children.append(node)
        if tag not in ("meta", "link", "img", "br"):
            self.at = node

    def handle_endtag(self, tag):
        self.at = self.at.parent


class Page:
    """The page with its rule of filtering, as `filters.html` has it for browsers."""

    def __init__(self, html: str):
        self.sections = [node for node in Tree(SHAPES.sub("", html)).root.all() if node.tag == "section"]
        self.nodes = [node for section in self.sections for node in section.all()]
        marked = [node for node in self.nodes if node.marks]
        holding = {ancestor for node in marked for ancestor in node.ancestors}
        self.leaves = [node for node in marked if node not in holding and not node.in_head]
        self.holders = holders_of(self.leaves)

    def ask(self, asked: dict[str, str]) -> None:
        """Hide what a reader does not ask for."""
        for node in self.nodes:
            node.hidden = not node.is_about(asked)
        self.settle()
        for holder in self.holders - holders_of(leaf for leaf in self.leaves if leaf.shown):
            holder.hidden = True
        self.settle()
        for body in (node for node in self.nodes if node.tag == "tbody"):
            below = {"tr.axis": False, "tr.what": False}
            for row in reversed(body.children):
                level = next((kind for kind in below if kind in row.kinds), None)
                if level:
                    row.hidden, below[level] = row.hidden or not below[level], False
                elif row.shown:
                    below = dict.fromkeys(below, True)
        for section in self.sections:
            parts = [part for part in section.children if part.tag not in ("h2", "h3", "p")]
            section.hidden = bool(parts) and all(part.hidden for part in parts)
        self.settle()

    def settle(self) -> None:
        for node in self.nodes:  # each after what it is a part of
            node.shown = node.parent.shown and not node.hidden

    def shown(self, section: str, *kinds: str) -> list[Node]:
        """The shown elements of a section."""
        (found,) = [node for node in self.sections if node.id == section]
        return [node for node in found.all() if node.shown and not set(kinds).isdisjoint(node.kinds)]

    def empty_headings(self) -> list[str]:
        """Headings that are shown and have nothing shown below them."""
        found, below = [], dict.fromkeys(RANKS.values(), False)
        for node in reversed([node for node in self.nodes if node.shown]):
            if node.rank:
                found += (
                    [] if below[node.rank] else [f"{node.kinds} in {node.ancestors[0].kinds} {node.ancestors[0].marks}"]
                )
                below.update({rank: False for rank in below if rank >= node.rank})
            elif node.tag in CONTENT and not node.in_head:
                below = dict.fromkeys(below, True)
            elif node.tag == "details" and not any(n.shown and n.tag in CONTENT for n in node.all()):
                found.append("details")
        return found


def holders_of(leaves: Iterable[Node]) -> set[Node]:
    """What the leaves stand in, up to their section; of a mark of a plot, what the plot stands in."""
    found: set[Node] = set()
    for leaf in leaves:
        tags = [node.tag for node in leaf.ancestors]
        found.update(leaf.ancestors[tags.index("svg") + 1 if "svg" in tags else 0 : tags.index("section")])
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return write_family(tmp_path_factory.mktemp("family"), n=6)


@pytest.fixture(scope="module")
def family(folder) -> Family:
    return read_family(folder)


@pytest.fixture(scope="module")
def html(folder) -> str:
    return build_family_report(folder).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def page(html) -> Page:
    return Page(html)


@pytest.fixture(scope="module")
def choices(html) -> list[dict[str, str]]:
    """Everything that a reader can ask for, nothing included."""
    offered = [
        ["", *re.findall(r'<option value="([^"]+)">', re.search(rf'<select name="{name}">(.*?)</select>', html)[1])]
        for name in NAMES
    ]
    return [dict(zip(NAMES, choice)) for choice in itertools.product(*offered)]


def test_under_every_choice_what_is_shown_of_failures_and_rollouts_belongs_to_it(page, choices):
    assert len(choices) > 100
    for asked in choices:
        page.ask(asked)
        for section in ("failures", "rollouts"):
            for figure in page.shown(section, "figure"):
                assert figure.belongs_to(asked) and set(figure.marks) == set(NAMES)
        for line in page.shown("failures", "tr"):
            assert line.in_head or line.belongs_to(asked)


def test_under_no_choice_a_heading_stands_alone(page, choices):
    for asked in choices:
        page.ask(asked)
        assert not page.empty_headings(), asked


def test_without_a_choice_all_is_shown(page):
    page.ask(dict.fromkeys(NAMES, ""))
    assert all(node.shown for node in page.nodes)


def test_whoever_asks_for_failures_that_there_are_sees_their_count_and_examples(family, page):
    found = find_failures(family)
    for policy, by_axis in [(policy, by_axis) for policy, by_axis in found.items() if VARIANTS not in policy]:
        for axis, ways in by_axis.items():
            variants = found.get(f"{policy}+{VARIANTS}", {}).get(axis, {})  # they are shown with the policy
            for outcome in {way.outcome for way in ways}:
                page.ask({"axis": axis, "policy": policy, "outcome": outcome})
                assert page.shown("failures", "figure") and page.shown("failures", "p.mode")
                lines = [line for line in page.shown("failures", "tr") if not line.in_head]
                assert len(lines) == sum(way.outcome == outcome for way in [*ways, *variants])


def test_a_variant_can_be_asked_for_by_itself(page):
    page.ask({"axis": "", "policy": "para+n32", "outcome": ""})
    named = [line.marks["policy"] for line in page.shown("axes", "tr") if "policy" in line.marks]
    assert named and all("para+n32" in policies for policies in named)


@pytest.mark.parametrize("policy", ["para+n32", "act+n32"])
def test_a_comparison_is_found_by_either_of_its_policies(page, policy):
    page.ask({"axis": "", "policy": policy, "outcome": ""})
    pairs = [line.marks["policy"] for line in page.shown("axes", "tr") if len(line.marks.get("policy", ())) == 2]
    assert ["para+n32", "act+n32"] in pairs


def test_every_headline_policy_has_a_rollout_drawn_along_every_axis_in_which_it_has_records(family, page):
    pairs = {(run.axis, base_policy(policy)) for run in family.runs for policy in run.headline}
    assert len({axis for axis, _ in pairs}) == 4
    for axis, policy in pairs:
        page.ask({"axis": axis, "policy": policy, "outcome": ""})
        assert page.shown("rollouts", "figure")


def test_policies_are_drawn_side_by_side_in_the_same_scenes_from_easy_to_hard(family):
    for axis in AXES:
        for run in enough(family.of_axis(axis)):
            drawn = list(episodes(run).values())
            assert len({tuple(r.policy for r in records) for records in drawn}) == len(drawn)
            for column in zip(*drawn, strict=True):
                assert len({(r.split, r.scene_index) for r in column}) == 1
                assert all(record.scene == column[0].scene for record in column)
            placed = [sum(r.outcome == "placed" for r in column) for column in zip(*drawn)]
            assert placed == sorted(placed, reverse=True) and len(placed) == N_SCENES


def test_drawings_are_the_same_with_videos_and_without(folder, tmp_path):
    (made,) = [m for m in synthetic_experiments(6) if m.name == "left_to_right"]
    without = write_family(tmp_path / "without", experiments=[made])
    with_videos = write_family(tmp_path / "with", experiments=[made])
    write_video(
        with_videos / made.name / "videos" / "para" / "test_000.mp4", np.zeros((3, 32, 48, 3), np.uint8), fps=10
    )
    drawn = stills(read_family(without))
    shown = rollouts(read_family(with_videos), Pictures())
    assert "<video" not in drawn and shown.startswith(drawn) and "<video" in shown
