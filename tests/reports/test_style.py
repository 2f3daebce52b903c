"""How policies are told apart in a plot."""

from __future__ import annotations

from para.reports.style import POLICY_MARKS, line_styles


def test_no_two_curves_of_a_plot_look_alike():
    policies = [f"{base}{variant}" for variant in ("", "+a", "+b", "+c") for base in POLICY_MARKS]
    drawn = [tuple(style.values()) for style in line_styles(policies).values()]
    marks = [(style["marker"], style["markerfacecolor"], style["color"]) for style in line_styles(policies).values()]
    assert len(set(drawn)) == len(set(marks)) == len(policies)
