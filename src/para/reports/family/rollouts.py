"""Rollouts: drawings of episodes, and grids of videos where the runs still have theirs, which are not committed."""

from __future__ import annotations

from html import escape

from para.reports.family.files import Family, title_of
from para.reports.family.marks import filter_attributes
from para.reports.family.stills import stills
from para.reports.pictures import Pictures, data_uri
from para.reports.run_files import RolloutVideo, RunFiles
from para.reports.tables import coloured, legend
from para.reports.videos import video_grid
from para.reports.wording import one_command, split_name

MAX_SCENES = 6
"""Of each policy so many scenes are shown: the page holds every experiment."""

MAX_BYTES = 3_000_000
"""All grids together: the page is to open from a disk or a slow line."""


def rollouts(family: Family, pictures: Pictures) -> str:
    """Drawings along each axis; then, of each run with videos, its headline policies in the first split of the table,
    and for the others how to make them."""
    with_videos = [run for run in family.runs if run.videos]
    left_out = [run for run in family.runs if not run.videos]
    parts, used = [], 0
    for run in with_videos:
        html, size = _grids(run, MAX_BYTES - used)
        used += size
        parts.append(html)
    return stills(family) + "".join(parts) + _commands(left_out)


def _grids(run: RunFiles, budget: int) -> tuple[str, int]:
    """The grids of one run and how many bytes they hold; a line in their place where they would be over the budget."""
    split = run.headline_splits[0]
    videos: dict[str, list[RolloutVideo]] = {
        policy: [v for v in run.videos if v.policy == policy and v.split == split][:MAX_SCENES]
        for policy in run.headline
    }
    grids = {policy: video_grid(chosen) for policy, chosen in videos.items() if chosen}
    size = sum(map(len, grids.values()))
    head = f"<h3>{escape(title_of(run))}, {escape(split_name(split).lower())}</h3>"
    shown = filter_attributes(axis=run.axis)
    if size > budget:
        said = f"Left out, since this page would be too large: see the page of {escape(run.folder.name)} alone."
        return f"<div{shown}>{head}<p class='caption'>{said}</p></div>", 0
    figures = "".join(
        f"<figure{filter_attributes(policy=policy)}><video src='{data_uri(grid, 'video/mp4')}' autoplay loop muted "
        f"playsinline controls></video><figcaption>{coloured(policy)}: the first {len(videos[policy])} scenes; "
        f"{legend(run)}.</figcaption></figure>"
        for policy, grid in grids.items()
    )
    return f'<div{shown}>{head}<div class="pair">{figures}</div></div>', size


def _commands(runs: list[RunFiles]) -> str:
    made = [run for run in runs if run.config.get("command")]
    if not made:
        return ""
    commands = [(run, one_command(run.config, {row["policy"] for row in run.summary["rows"]})) for run in made]
    items = "".join(
        f"<li{filter_attributes(axis=run.axis)}>{escape(title_of(run))}: <code>{escape(command)}</code></li>"
        for run, command in commands
    )
    return (
        "<details><summary>Videos are not kept with the records: how to make them again</summary><p>These commands do, "
        "in <code>videos/</code> of the run’s folder; this page, built beside them, then shows them, too.</p>"
        f"<ul class='plain'>{items}</ul></details>"
    )
