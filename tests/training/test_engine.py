"""Laws of the training loop: it learns, repeats itself, goes on after interruptions, and refuses foreign folders."""

import json
import logging
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from para.geometry import Camera
from para.training import OptimConfig, TrainConfig, load_policy, train, weights_hash
from para.training.optim import lr_factor
from para.training.order import SampleOrder
from para.training.run_folder import differences, run_identity
from tests.training.stubs import REGISTRY, H, StubData, W, make_stub, options


@pytest.fixture(autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def run(folder, config=None, *, policy=None, **more):
    more = {"heldout": StubData(5, 1), "show_progress": False, **more}
    return train(policy or make_stub(), StubData(21, 0), config or options(), folder, **more)


def stop_at(step):
    def interrupt(record):
        if record["step"] == step and record["split"] == "train":
            signal.raise_signal(signal.SIGINT)

    return interrupt


def lines(folder):
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


def test_training_lowers_the_heldout_error(tmp_path):
    long = options(steps=150, eval_every=150)
    early = run(tmp_path / "a", options(steps=1))
    late = run(tmp_path / "b", long, heldout=StubData(21, 0))
    assert late.metrics["error_mm"] < 0.5 * early.metrics["error_mm"]


def test_equal_seeds_give_equal_bytes_and_other_seeds_do_not(tmp_path):
    a, b = run(tmp_path / "a"), run(tmp_path / "b")
    other = run(tmp_path / "c", options(seed=1))
    assert a.weights == b.weights != other.weights


@pytest.mark.parametrize("step", [5, 15, 25])
def test_stopping_and_going_on_ends_with_the_same_bytes(tmp_path, step):
    whole = run(tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "parts", on_progress=stop_at(step))
    assert not (tmp_path / "parts" / "model.safetensors").exists()
    rest = run(tmp_path / "parts")
    assert (rest.weights, rest.first_step) == (whole.weights, step)
    assert rest.metrics == whole.metrics


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_process_killed_in_the_middle_ends_with_the_same_bytes(tmp_path, number):
    script = Path(__file__).with_name("stubs.py")
    command = [sys.executable, script, tmp_path / "killed", "17", str(int(number))]
    killed = subprocess.run(command, env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True)
    assert killed.returncode != 0
    rest = run(tmp_path / "killed")
    # a kill falls back to the state saved every 7 steps; a signal that can be heard saves first
    assert rest.first_step == (14 if number == signal.SIGKILL else 17)
    assert rest.weights == run(tmp_path / "whole").weights


@pytest.mark.slow
def test_two_processes_train_as_one_does(tmp_path):
    script = Path(__file__).with_name("stubs.py")
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", script]
    end = [tmp_path / "two", "-1", "0", "plain"]
    subprocess.run([*command, *end], env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True, check=True)
    run(tmp_path / "one", options(augment=False), policy=make_stub(dropout=0.0))
    one, two = (load_policy(tmp_path / name, registry=REGISTRY).state_dict() for name in ("one", "two"))
    for name in one:
        # sums over 2 x 2 samples round otherwise than sums over 4, and Adam's first steps magnify that
        torch.testing.assert_close(two[name], one[name], rtol=0, atol=1e-4)


def test_a_diagnostic_that_is_no_number_is_left_out_and_costs_neither_weights_nor_the_record(tmp_path, caplog):
    policy = make_stub()
    own = policy.loss
    policy.loss = lambda *args, **kwargs: own(*args, **kwargs) | {"pixel_error_px": torch.tensor(float("nan"))}
    result = run(tmp_path, policy=policy)
    assert "loss" in result.metrics and "pixel_error_px" not in result.metrics
    assert (tmp_path / "model.safetensors").exists() and "pixel_error_px of the held-out samples" in caplog.text
    assert json.loads((tmp_path / "training.json").read_text(), parse_constant=pytest.fail)["metrics"] == result.metrics


def test_a_damaged_newest_state_falls_back_to_the_one_before(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "run", on_progress=stop_at(25))
    newest = sorted((tmp_path / "run" / "training_state").iterdir())[-1]
    whole = (newest / "weights.safetensors").read_bytes()
    (newest / "weights.safetensors").write_bytes(whole[: len(whole) // 2])
    rest = run(tmp_path / "run")
    assert rest.first_step == 21
    assert rest.weights == run(tmp_path / "whole").weights


def test_a_finished_run_is_reused_and_puts_its_weights_into_the_policy(tmp_path):
    first = run(tmp_path)
    before = (tmp_path / "model.safetensors").stat().st_mtime_ns
    policy = make_stub()
    again = run(tmp_path, policy=policy)
    assert again.reused and again.weights == first.weights and again.metrics == first.metrics
    assert (tmp_path / "model.safetensors").stat().st_mtime_ns == before
    loaded = load_policy(tmp_path, registry=REGISTRY)
    assert all(torch.equal(a, b) for a, b in zip(policy.state_dict().values(), loaded.state_dict().values()))


def test_a_finished_run_leaves_what_the_architecture_says(tmp_path):
    config = options(snapshot_steps=(0, 8))
    run(tmp_path, config, data_hash="abc")
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "config.json", "log.jsonl", "model.safetensors", "snapshots", "training.json"
    ]  # fmt: skip
    assert sorted(p.name for p in (tmp_path / "snapshots").iterdir()) == ["step_000000", "step_000008"]
    early = load_policy(tmp_path / "snapshots" / "step_000000", registry=REGISTRY)
    assert all(torch.equal(a, b) for a, b in zip(early.parameters(), make_stub().parameters()))
    summary = json.loads((tmp_path / "training.json").read_text())
    assert summary["steps"] == 30 and summary["identity"]["data"] == "abc" and len(summary["config_hash"]) == 12


def test_a_record_older_than_an_option_counts_as_its_default(tmp_path):
    run(tmp_path)
    record = json.loads((tmp_path / "training.json").read_text())
    del record["identity"]["config"]["dropout"]
    (tmp_path / "training.json").write_text(json.dumps(record))
    assert run(tmp_path).reused
    with pytest.raises(ValueError, match="holds another run"):
        run(tmp_path, policy=make_stub(dropout=0.3))


def test_the_log_has_each_step_once_after_an_interruption(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, on_progress=stop_at(25))
    with (tmp_path / "log.jsonl").open("a") as file:
        file.write('{"step": 99, "split": "train"}\n{"step": 2')
    run(tmp_path)
    training = [record for record in lines(tmp_path) if record["split"] == "train"]
    assert [record["step"] for record in training] == [5, 10, 15, 20, 25, 30]
    assert {"total", "square", "pixel_error_px", "lr", "samples_per_second", "gradient_norm"} <= set(training[0])
    heldout = [record for record in lines(tmp_path) if record["split"] == "heldout"]
    assert [record["step"] for record in heldout] == [10, 20, 30]
    assert {"loss", "pixel_error_px", "error_mm"} <= set(heldout[0])


def test_seconds_add_up_over_interruptions(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, on_progress=stop_at(15))
    state = sorted((tmp_path / "training_state").glob("step_*"))[-1]
    values = json.loads((state / "state.json").read_text())
    (state / "state.json").write_text(json.dumps({**values, "seconds": 1000.0}))
    assert 1000 < run(tmp_path).seconds < 1100


@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="needs two cores")
def test_training_goes_on_with_as_many_threads_as_it_began_with_and_leaves_the_process_as_it_was(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, on_progress=stop_at(15))
    torch.set_num_threads(2)
    seen = set()
    run(tmp_path, on_progress=lambda record: seen.add(torch.get_num_threads()))
    assert seen == {1} and torch.get_num_threads() == 2


def test_training_does_not_go_on_with_another_number_of_processes(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, on_progress=stop_at(15))
    state = sorted((tmp_path / "training_state").glob("step_*"))[-1] / "state.json"
    state.write_text(json.dumps(json.loads(state.read_text()) | {"processes": 2}))
    with pytest.raises(ValueError, match="step 15 was reached on 2 processes; on 1 training would go on with other"):
        run(tmp_path)
    assert state.exists()


def test_another_run_in_the_folder_is_refused_with_what_differs(tmp_path):
    run(tmp_path)
    with pytest.raises(ValueError, match=r"holds another run \(training.steps is 30 there, 31 here\)"):
        run(tmp_path, options(steps=31))
    with pytest.raises(ValueError, match="config.dropout is 0.2 there, 0.1 here"):
        run(tmp_path, policy=make_stub(dropout=0.1))
    with pytest.raises(ValueError, match="data is '' there, 'x' here"):
        run(tmp_path, data_hash="x")


def test_other_samples_of_the_same_dataset_are_another_run(tmp_path):
    run(tmp_path)
    more = {"data_hash": "", "show_progress": False}
    with pytest.raises(ValueError, match="samples.count is 21 there, 20 here"):
        train(make_stub(), StubData(20, 0), options(), tmp_path, **more)
    with pytest.raises(ValueError, match="samples.actions is"):
        train(make_stub(), StubData(21, 5), options(), tmp_path, **more)


def other_pictures(data):
    data.image = data.image.flip(-2)


def other_camera(data):
    data.camera = Camera(data.camera.K * torch.tensor([[1.01], [1.0], [1.0]]), data.camera.T_world_cam, (H, W))


@pytest.mark.parametrize("exchange", [other_pictures, other_camera])
def test_the_same_actions_seen_otherwise_are_another_run(tmp_path, exchange):
    run(tmp_path)
    data = StubData(21, 0)
    exchange(data)
    with pytest.raises(ValueError, match="observations is"):
        train(make_stub(), data, options(), tmp_path, show_progress=False)


def test_another_interrupted_run_in_the_folder_is_refused(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, on_progress=stop_at(15))
    with pytest.raises(ValueError, match="holds another run"):
        run(tmp_path, options(seed=3))


def test_a_second_training_in_the_folder_of_one_is_refused_while_it_runs_and_says_whose_it_is(tmp_path):
    def meanwhile(record):
        if record["step"] == 10:
            for config in (unsaved, replace(unsaved, seed=1)):
                with pytest.raises(ValueError, match=r"is being written by process \d+ on .*; wait until"):
                    run(tmp_path, config)

    unsaved = options(save_every=1000)  # so that nothing else could tell
    finished = run(tmp_path, unsaved, on_progress=meanwhile)
    assert finished.weights == weights_hash(tmp_path) and not (tmp_path / "training_state").exists()
    assert run(tmp_path).reused


def test_a_run_that_went_on_in_another_precision_says_both(tmp_path, monkeypatch):
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, on_progress=stop_at(10))
    monkeypatch.setattr("para.training.engine.precision", lambda accelerator: "bfloat16")
    run(tmp_path)
    assert json.loads((tmp_path / "training.json").read_text())["precision"] == "float32, then bfloat16"


def test_an_option_of_training_that_is_younger_than_a_record_counts_as_its_default(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, on_progress=stop_at(10))
    for path in (tmp_path / "training_state").glob("*/state.json"):
        state = json.loads(path.read_text())
        del state["identity"]["training"]["optim"]["ema_decay"], state["identity"]["training"]["features_kept"]
        path.write_text(json.dumps(state))
    assert run(tmp_path, options(optim=replace(options().optim, ema_decay=None))).first_step == 10


def test_kept_features_are_another_run_since_they_are_rounded(tmp_path):
    before = options(augment=False)
    kept = replace(before, feature_cache=str(tmp_path / "features"))
    there, here = (run_identity(make_stub(), config, StubData(21, 0), "") for config in (before, kept))
    assert differences(there, here) == "training.features_kept is False there, True here"
    moved = run_identity(make_stub(), replace(kept, feature_cache="elsewhere"), StubData(21, 0), "")
    assert moved == here


def test_how_often_to_look_is_no_part_of_the_run(tmp_path):
    first = run(tmp_path / "a")
    other = run(tmp_path / "b", options(log_every=3, eval_every=4, save_every=30, heldout_samples=2))
    assert other.weights == first.weights
    assert run(tmp_path / "a", options(log_every=3)).reused


def test_a_loss_that_is_not_finite_stops_with_step_and_terms_and_keeps_the_saved_state(tmp_path):
    with pytest.raises(ValueError, match="step 17: terms total, square are not finite"):
        run(tmp_path, policy=make_stub(explode_at=17))
    assert [p.name for p in sorted((tmp_path / "training_state").glob("step_*"))] == [
        "step_000000007",
        "step_000000014",
    ]


def test_an_interrupt_within_a_step_leaves_the_state_saved_before(tmp_path):
    policy = make_stub()
    loss = policy.loss

    def interrupted(obs, actions, *, generator=None):
        if policy.n_losses == 11:  # within the step after a look at the held-out samples
            raise KeyboardInterrupt
        return loss(obs, actions, generator=generator)

    policy.loss = interrupted
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, policy=policy)
    assert [p.name for p in (tmp_path / "training_state").glob("step_*")] == ["step_000000007"]


def test_an_interrupt_within_what_follows_a_step_loses_none_of_it(tmp_path, monkeypatch):
    def interrupted(*args, **options):
        raise KeyboardInterrupt

    config = options(snapshot_steps=(10,))
    for what in ("save_policy", "heldout_metrics"):  # of the snapshot, and of the look, after step 10
        folder = tmp_path / what
        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(f"para.training.engine.{what}", interrupted)
            run(folder, config)
        assert run(folder, config).first_step == 7  # the state saved before
        assert (folder / "snapshots" / "step_000010").is_dir()
        logged = [(record["step"], record["split"]) for record in lines(folder)]
        assert logged.count((10, "train")) == logged.count((10, "heldout")) == 1


def test_every_step_augments_otherwise_and_none_without_augmentation(tmp_path):
    policy, drawn = make_stub(), []
    loss = policy.loss

    def watched(obs, actions, *, generator=None):
        if policy.training:
            drawn.append(None if generator is None else generator.initial_seed())
        return loss(obs, actions, generator=generator)

    policy.loss = watched
    run(tmp_path / "a", policy=policy)
    assert len(set(drawn)) == 30
    drawn.clear()
    run(tmp_path / "b", options(augment=False), policy=policy)
    assert set(drawn) == {None}


def test_a_policy_that_does_not_look_is_told_apart(tmp_path, caplog):
    with caplog.at_level(logging.WARNING):
        run(tmp_path / "sees")
        assert not caplog.records
        run(tmp_path / "blind", policy=make_stub(blind=True))
    assert "does not look" in caplog.text


def test_padded_steps_do_not_count_in_the_error(tmp_path):
    class Spoiled(StubData):
        def batch(self, indices):
            obs, actions = super().batch(indices)
            return obs, replace(actions, position=actions.position + 100 * actions.is_pad.unsqueeze(-1))

    clean = run(tmp_path / "a", options(steps=2))
    spoiled = run(tmp_path / "b", options(steps=2), heldout=Spoiled(5, 1))
    assert clean.metrics["error_mm"] == pytest.approx(spoiled.metrics["error_mm"])


def test_training_leaves_the_global_generator_alone(tmp_path):
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    run(tmp_path)
    assert torch.equal(torch.rand(1), expected)


def test_every_epoch_sees_every_sample_once_in_another_order():
    order = SampleOrder(10, 4, seed=0)
    seen = [i for step in range(5) for i in order.indices(step)]
    assert sorted(seen[:10]) == sorted(seen[10:]) == list(range(10))
    assert seen[:10] != seen[10:]
    assert SampleOrder(10, 4, seed=0).indices(3) == order.indices(3)


def test_a_dataset_smaller_than_a_batch_still_fills_it():
    assert sorted(SampleOrder(3, 7, seed=0).indices(0)[:3]) == [0, 1, 2]


def test_no_data_is_an_error(tmp_path):
    with pytest.raises(ValueError, match="at least one sample"):
        train(make_stub(), StubData(0, 0), options(), tmp_path)


@pytest.mark.parametrize(
    "wrong", [{"steps": 0}, {"batch_size": 0}, {"snapshot_steps": (31,), "steps": 30}, {"save_every": 0}]
)
def test_impossible_options_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        TrainConfig(**wrong)


def test_without_average_the_last_weights_are_kept(tmp_path):
    plain = options(optim=OptimConfig(lr=3e-3, ema_decay=None))
    assert run(tmp_path / "a", plain).weights != run(tmp_path / "b").weights


def test_the_average_is_that_of_the_weights_of_a_run_without_average(tmp_path):
    plain = options(steps=3, snapshot_steps=(1, 2), optim=OptimConfig(ema_decay=None))
    run(tmp_path / "plain", plain)
    run(tmp_path / "averaged", replace(plain, optim=OptimConfig(ema_decay=0.9)))
    places = [tmp_path / "plain" / "snapshots" / f"step_00000{n}" for n in (1, 2)] + [tmp_path / "plain"]
    expected = make_stub().head.weight.detach()
    for step, place in enumerate(places):
        d = (1 + step) / (10 + step)
        expected = d * expected + (1 - d) * load_policy(place, registry=REGISTRY).head.weight.detach()
    found = load_policy(tmp_path / "averaged", registry=REGISTRY).head.weight.detach()
    torch.testing.assert_close(found, expected)


def test_a_gradient_clipped_to_nothing_moves_nothing(tmp_path):
    still = OptimConfig(lr=3e-3, weight_decay=0.0, clip_norm=1e-13)
    policy = make_stub()
    run(tmp_path, options(optim=still), policy=policy)
    torch.testing.assert_close(policy.head.weight, make_stub().head.weight, rtol=0, atol=1e-5)


def test_the_rate_follows_its_schedule(tmp_path):
    config = options(log_every=1)
    run(tmp_path, config)
    rates = [record["lr"] for record in lines(tmp_path) if record["split"] == "train"]
    assert rates == [config.optim.lr * lr_factor(step, 30, config.optim) for step in range(30)]


def test_two_generations_of_the_state_are_kept(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, on_progress=stop_at(25))
    assert sorted(p.name for p in (tmp_path / "training_state").glob("step_*")) == ["step_000000021", "step_000000025"]


def test_plain_lines_where_stderr_is_no_terminal(tmp_path, capsys):
    run(tmp_path, show_progress=True)
    assert "train stub: 30/30 steps" in capsys.readouterr().err


def test_weights_hash_tells_the_weights(tmp_path):
    result = run(tmp_path)
    assert result.weights == weights_hash(tmp_path)
