"""What runs are going to do, and about how long it takes, before they do it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from para.datasets.recording import scenes_done
from para.devices import gpus, trainings_at_a_time
from para.evaluation.results import read_results
from para.experiments.costs import Costs, Kind, kind_of, measure
from para.experiments.run import Plan, RunOptions, plan_run
from para.experiments.run_options import takes_backbone
from para.experiments.training_jobs import train_config
from para.rollout import steps_before_looking

EPISODE_FRAMES = 45
"""Of an episode, about: one that succeeds takes 35, one that fails up to 200, but most stall before."""

DEMONSTRATION_FRAMES = 36


@dataclass(frozen=True)
class Work:
    """What is left to do."""

    demonstrations: int

    trainings: int

    steps: Mapping[Kind, int]
    """Training steps of each kind of policy."""

    episodes: int

    looks: Mapping[Kind, float]
    """Predictions of each kind of policy in these episodes: one that looks after every step makes the most."""

    @property
    def anything(self) -> bool:
        """Whether there is."""
        return bool(self.demonstrations or self.trainings or self.episodes)


def describe_plan(runs: Sequence[RunOptions], *, estimate: bool = True) -> str:
    """The plan as text: what is recorded, trained and evaluated, where it goes, and how long that takes here.

    Args:
        runs: in the order in which they go; what several of them share is counted once.
        estimate: measure this machine for a few seconds, where anything is left to do, and say how long that takes.

    Raises:
        ValueError: for an unknown experiment, scale or policy.
    """
    plans = [plan_run(options) for options in runs]
    known: set = set()
    work = [work_left(plan, known) for plan in plans]
    told = any(needs_line(plan, "") for plan in plans)
    costs = costs_of(plans, work) if estimate and not told else None
    lines = [line for plan, left in zip(plans, work) for line in describe_one(plan, left, costs)]
    if len(plans) > 1:
        lines += [total_line(plans, work, costs)]
    first = plans[0]
    seeds = seeds_text(first.options.seeds)
    size = "{} x {}".format(*first.scale.image_size)
    backbones = [f"backbone {plan.scale.describe_backbone()}, " for plan in plans if on_scales_backbone(plan)]
    return "\n".join(
        [
            f"World {first.options.world}, scale {first.scale.name} ({first.scale.note}), images {size}, "
            f"{''.join(backbones[:1])}"
            f"{first.scale.train_steps} steps of batch {first.scale.batch_size}, {seeds}.",
            *lines,
            *on_gpus(first.options.workers),
            "What is there already is kept: the same command goes on where it stopped.",
        ]
    )


def seeds_text(seeds: range) -> str:
    """How many training seeds, or which, where they do not begin with 0."""
    if seeds.start == 0:
        return f"{len(seeds)} seed{'s' if len(seeds) > 1 else ''}"
    return f"seed {seeds.start}" if len(seeds) == 1 else f"seeds {seeds.start} to {seeds.stop - 1}"


def describe_needs(runs: Sequence[RunOptions]) -> list[str]:
    """A line for each experiment that needs more than a moment's measurement can tell, with what it needs.

    Raises:
        ValueError: for an unknown experiment, scale or policy.
    """
    plans = [plan_run(options) for options in runs]
    return [line for plan in plans for line in needs_line(plan, f"{plan.experiment.name} needs ")]


def needs_line(plan: Plan, opening: str) -> list[str]:
    """What a run needs, after an opening; nothing where it needs nothing out of the ordinary."""
    needs = "" if plan.experiment.needs is None else plan.experiment.needs(plan.scale)
    return [opening + needs] if needs else []


def describe_one(plan: Plan, left: Work, costs: Costs | None) -> list[str]:
    """The lines of one experiment."""
    splits = ", ".join(f"{len(items)} {split}" for split, items in plan.scenes.evaluation.items())
    policies = ", ".join(recipe.name for recipe in plan.recipes)
    minutes = "" if costs is None else f"; about {time_text(seconds_of(left, costs, plan.options.workers))}"
    return [
        f"{plan.experiment.name}: {plan.experiment.question}",
        f"  policies {policies}; scenes {splits}; into {plan.options.out}",
        f"  left to do: {left.demonstrations} demonstrations, {left.trainings} trainings, {left.episodes} episodes"
        + minutes,
        *left_out(plan),
        *recorded_before(plan),
        *own_trainings(plan),
        *([] if on_scales_backbone(plan) else ["  brings its own backbones, which are what it compares"]),
        *needs_line(plan, "  needs "),
    ]


def left_out(plan: Plan) -> list[str]:
    """A line on the policies that are not asked for; none where there are none, or policies were named."""
    extra = [recipe.name for recipe in plan.experiment.recipes if recipe not in plan.recipes]
    if not extra or plan.options.recipes:
        return []
    return [f"  left out: {', '.join(extra)}; --extras runs them too"]


def recorded_before(plan: Plan) -> list[str]:
    """A line on the trainings that are not done again; none where there are none."""
    if not plan.recorded:
        return []
    names = ", ".join(recipe.name for recipe in plan.recipes if any(name == recipe.name for name, _ in plan.recorded))
    return [f"  recorded, and not trained again though the weights of their records are not here: {names}"]


def on_scales_backbone(plan: Plan) -> bool:
    """Whether all policies of a run's experiment are on the scale's backbone."""
    return takes_backbone(plan.experiment, plan.scale)


def own_trainings(plan: Plan) -> list[str]:
    """A line on the recipes that do not train as the scale does; none where all do."""
    own = [recipe for recipe in [*plan.starts, *plan.recipes] if recipe.training is not None]
    configs = [(recipe.name, train_config(plan.scale, recipe, 0)) for recipe in own]
    told = ", ".join(f"{name} {config.steps} of batch {config.batch_size}" for name, config in configs)
    return [f"  steps: {told}"] if told else []


def on_gpus(workers: int) -> list[str]:
    """A line on where policies train and act; none where there is no GPU."""
    if not gpus():
        return []
    n = max(1, trainings_at_a_time(workers))
    return [f"Policies train and act on the GPU, {n} training{'s, each on its own,' if n > 1 else ''} at a time."]


def total_line(plans: list[Plan], work: list[Work], costs: Costs | None) -> str:
    """All runs together."""
    trainings, episodes = sum(left.trainings for left in work), sum(left.episodes for left in work)
    text = f"{len(plans)} experiments: {trainings} trainings and {episodes} episodes are left"
    if costs is None:
        return text
    seconds = sum(seconds_of(left, costs, plan.options.workers) for plan, left in zip(plans, work))
    return f"{text}; about {time_text(seconds)} on {max(1, plans[0].options.workers)} processes"


def work_left(plan: Plan, known: set) -> Work:
    """What no earlier run does, and no folder holds yet. `known` gains what this run does."""
    demonstrations = 0
    for name, data in plan.trained_sets.items():
        folder = plan.folder_of(name)
        if folder not in known:
            demonstrations += max(0, len(data.scenes) - scenes_done(folder))
        known.add(folder)
    every = [job for wave in plan.waves for job in wave]
    jobs = {job.folder: job for job in every if job.folder not in known and not job.finished}
    known.update(job.folder for job in every)
    steps: Counter[Kind] = Counter()
    for job in jobs.values():
        # in steps of the scale's batch, on which costs are measured
        steps[kind_of(job.config)] += round(job.training.steps * job.training.batch_size / plan.scale.batch_size)
    episodes, looks = 0, Counter()
    done = episodes_done(plan)
    for recipe in plan.recipes:
        config = recipe.config(plan.scale)
        for suffix, how in recipe.executions.items():
            seeds = [seed for seed in plan.options.seeds if (recipe.name, seed) not in plan.recorded]
            left = sum(max(0, plan.n_scenes - done[recipe.name + suffix, seed]) for seed in seeds)
            episodes += left
            looks[kind_of(config)] += left * EPISODE_FRAMES / steps_before_looking(how.rollout, config.horizon)
    return Work(demonstrations, len(jobs), steps, episodes, +looks)


def episodes_done(plan: Plan) -> Counter[tuple[str, int]]:
    """How many episodes of each policy and training seed the run's folder holds that need not be run again."""
    path = plan.options.out / "results.jsonl"
    records = read_results(path) if path.exists() else []
    return Counter((r.policy, r.train_seed) for r in records if r.error is None)


def costs_of(plans: Sequence[Plan], work: Sequence[Work]) -> Costs | None:
    """What the work costs here that these runs, all of one world and scale, have left; None where there is none."""
    if not any(left.anything for left in work):
        return None
    total: Counter[Kind] = Counter()
    for left in work:
        total.update(left.steps)
        total.update(left.looks)
    first = plans[0]
    return measure(first.spec, first.scenes.heldout[0], representatives(plans, total), first.scale.batch_size)


def representatives(plans: Sequence[Plan], needed: Counter[Kind]) -> dict[Kind, Any]:
    """The options of one policy of each kind that is needed, that of which there is most first."""
    found: dict[Kind, Any] = {}
    for plan in plans:
        for config in (recipe.config(plan.scale) for recipe in [*plan.recipes, *plan.starts]):
            found.setdefault(kind_of(config), config)
    return {kind: found[kind] for kind, _ in needed.most_common()}


def seconds_of(left: Work, costs: Costs, workers: int) -> float:
    """Wall-clock time, all processes busy; of those that train there may be fewer, on a GPU."""
    record = left.demonstrations * DEMONSTRATION_FRAMES * costs.frame
    train = sum(n * costs.step(kind) for kind, n in left.steps.items())
    look = sum(n * costs.look(kind) for kind, n in left.looks.items())
    others = record + left.episodes * EPISODE_FRAMES * costs.frame + look
    return others / max(1, workers) + train / max(1, trainings_at_a_time(workers))


def time_text(seconds: float) -> str:
    """A time in words: 40 s, 12 min, 3.4 h."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
