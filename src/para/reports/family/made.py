"""How each run of the family was made, which statistic is which, and how many episodes a difference takes."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

from para.assets import with_own_entry
from para.reports.family.choosing import how_chosen, shared_trainings
from para.reports.family.files import Family, name_of, title_of
from para.reports.family.marks import filter_attributes
from para.reports.made import recorded_anew_text
from para.reports.pictures import Pictures
from para.reports.run_files import RunFiles
from para.reports.tables import table
from para.reports.wording import commands_of, duration, percent, trained_policy

STATISTICS = {
    "ci": "interval of a rate, and of a difference on the same scenes",
    "p_value": "test of a difference",
    "cluster_ci": "interval where episodes share a scene, position or viewpoint",
    "p_cluster": "test where they do",
    "p_holm": "many comparisons",
    "curves": "success against tilt or distance",
    "power": "episodes that a difference takes",
}
"""What each name of the summary (`para.evaluation.family`) is for."""


def methods(family: Family, pictures: Pictures) -> str:
    """What was compared how, each statistic with its source, and the table of episodes needed."""
    lines = [
        f"<tr><th scope='row'>{escape(STATISTICS.get(name, ''))} <code>{escape(name)}</code></th>"
        f"<td>{escape(said)}</td></tr>"
        for name, said in family.numbers["methods"].items()
    ]
    return (
        "<p>All policies of an experiment are trained on the same demonstrations and tried in the same scenes, so they "
        "are compared pair by pair. Each training seed counts with its last checkpoint, never the best of several. "
        "An episode that raised an error is counted apart, not as a miss.</p>"
        f"{how_chosen(family)}{shared_trainings(family)}{table(['for', 'how'], lines, kind='compact')}"
        f"<h3>How many episodes a difference takes</h3>{power(family)}"
    )


def power(family: Family) -> str:
    """Episodes per policy to find a difference."""
    rows = family.numbers["power"]
    lines = [
        f"<tr><th scope='row'>{percent(row['p1'])} against {percent(row['p2'])}</th><td>{row['per_arm']:,}</td>"
        f"<td>{row['pairs']:,}</td><td>{row['pairs_correlated']:,}</td></tr>"
        for row in rows
    ]
    hardest = rows[-1]
    heads = [
        "true rates", "episodes per policy, different scenes", "shared scenes, outcomes uncorrelated",
        f"shared scenes, correlation {hardest['correlation']:g}",
    ]  # fmt: skip
    return (
        f"<p>To tell {percent(hardest['p1'])} from {percent(hardest['p2'])} takes {hardest['per_arm']:,} episodes of "
        f"each policy. Read differences of the tables above with this in mind.</p>{table(heads, lines, kind='compact')}"
    )


def how_made(family: Family, pictures: Pictures) -> str:
    """The command, versions, scale, seeds and times of every run."""
    return (
        "<p>Records, one line per episode, lie beside each other in the folder of this page; every number here is "
        "computed from them. To run an experiment again:</p>" + "".join(map(_run_made, family.runs))
    )


def times(run: RunFiles) -> str:
    """How long the parts of a run took, and what that covers, as far as its files say."""
    seconds = {**(run.config.get("seconds") or {}), **(run.summary.get("seconds") or {})}
    trained = {row["checkpoint"]: row["seconds"] for row in run.trainings}  # policies may share one
    told = {row["policy"] for row in run.trainings}
    covers = "training counts only what the last command trained or found, so that the whole may have taken longer"
    if trained:
        seconds["train"] = sum(trained.values())
        there = {trained_policy(row["policy"]) for row in run.summary["rows"]}
        covers = (
            f"all {len(trained)} trainings" if there <= told else f"{len(trained)} trainings, of some policies alone"
        )
    said = ", ".join(f"{name} {duration(value)}" for name, value in seconds.items())
    return f"{said} ({covers})" if said else ""


def versions_text(versions: Mapping[str, str]) -> str:
    """As `para 0.1.0, python 3.11.7`."""
    return ", ".join(f"{name} {value}" for name, value in versions.items())


def _run_made(run: RunFiles) -> str:
    config = with_own_entry(run.config)
    seeds = sorted({seed for row in run.summary["rows"] for seed in row["train_seeds"]})
    facts = [
        ("Scale", run.scale),
        ("Assets", config.get("assets", "")),
        ("Seeds", f"{len(seeds)} training seeds ({', '.join(map(str, seeds))})"),
        ("Time", times(run)),
        ("Versions", versions_text(config.get("versions") or {})),
        *(("Versions of earlier commands", versions_text(old)) for old in config.get("earlier_versions", [])),
        ("Recorded anew", recorded_anew_text(config)),
        ("Records", f"{len(run.records)} episodes in {run.folder.name}/results.jsonl"),
    ]
    items = "".join(f"<dt>{name}</dt><dd>{escape(value)}</dd>" for name, value in facts if value)
    question = f"<p>{escape(str(config['question']))}</p>" if config.get("question") else ""
    command = "<pre>{}</pre>".format(escape("\n".join(commands_of(config)))) if config.get("command") else ""
    why = "".join(
        f"<li><code>{escape(policy)}</code>: {escape(str(said))}</li>"
        for policy, said in (config.get("recipes") or {}).items()
    )
    policies = f"<ul class='plain'>{why}</ul>" if why else ""
    return (
        f"<details{filter_attributes(axis=run.axis)}><summary>{escape(title_of(run))} "
        f"(<code>{escape(name_of(run))}</code>)</summary>{question}{command}<dl>{items}</dl>{policies}</details>"
    )
