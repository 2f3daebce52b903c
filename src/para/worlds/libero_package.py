"""The unmodified `hf-libero` package: importing it without its traps, its task files and its initial states.

What the traps are: imported without a configuration file, it asks a question on the terminal; without assets, it
starts a download; its robosuite 1.4 breaks from mujoco 3.10 on. Its list of tasks is read as a file, since the module
around it needs more packages than this does.
"""

from __future__ import annotations

import importlib.util
import io
import json
import logging
import os
import pickle
import re
import runpy
import tempfile
import zipfile
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from para.worlds.rendering import import_mujoco

SUITE = "libero_spatial"

SET_UP = "`make libero` sets up an environment with it"

CLEAN_OBJECTS = ("akita_black_bowl_1", "plate_1")
"""Of the objects in a task file, those that the clean scene keeps."""


def cache_folder() -> Path:
    """Where files go that are made here and can be made again: in the user's cache, else in the temporary folder."""
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "para" / "libero"
    try:
        base.mkdir(parents=True, exist_ok=True)
        if os.access(base, os.W_OK):
            return base
    except OSError:  # a read-only home
        pass
    base = Path(tempfile.gettempdir()) / f"para-libero-{os.getuid() if hasattr(os, 'getuid') else 'user'}"
    base.mkdir(parents=True, exist_ok=True)
    return base


def package_root() -> Path:
    """The folder of hf-libero's files, found without importing it. Raises ImportError where it is not installed."""
    spec = importlib.util.find_spec("libero")
    if spec is None or not spec.submodule_search_locations:
        raise ImportError(f"world 'libero' needs hf-libero: in para's folder, pip install -e '.[libero]' ({SET_UP})")
    return Path(next(iter(spec.submodule_search_locations))) / "libero"


def import_libero(assets: Path) -> type:
    """hf-libero's `ControlEnv`, set to take its assets from a folder.

    Raises:
        ImportError: where hf-libero or a package that it needs is missing, or mujoco is too new for it; one line.
    """
    root = package_root()
    mujoco = import_mujoco()
    if tuple(int(part) for part in re.findall(r"\d+", mujoco.__version__)[:2]) >= (3, 10):
        raise ImportError(
            f"world 'libero' runs robosuite 1.4, which needs mujoco before 3.10; found {mujoco.__version__}: "
            f"pip install 'mujoco<3.9' ({SET_UP})"
        )
    os.environ.setdefault("NUMBA_CACHE_DIR", str(cache_folder() / "numba"))  # its own is beside a read-only package
    with _own_configuration(root, assets), _quiet_robosuite():
        try:
            import libero.libero as package
            from libero.libero.envs.env_wrapper import ControlEnv
        except ImportError as error:
            raise ImportError(f"world 'libero' cannot import hf-libero ({error}); {SET_UP}") from error
    package._assets_path_cache = str(assets)  # asked for whenever an environment is built
    return ControlEnv


@contextmanager
def _own_configuration(root: Path, assets: Path):
    """While importing, a configuration of our own; the user's, in the home folder, is neither read nor written."""
    paths = {"benchmark_root": root, "bddl_files": root / "bddl_files", "init_states": root / "init_files",
             "datasets": root.parent / "datasets", "assets": assets}  # fmt: skip
    before = os.environ.get("LIBERO_CONFIG_PATH")
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "config.yaml").write_text("".join(f"{name}: {json.dumps(str(p))}\n" for name, p in paths.items()))
        os.environ["LIBERO_CONFIG_PATH"] = folder
        try:
            yield
        finally:
            del os.environ["LIBERO_CONFIG_PATH"]
            if before is not None:
                os.environ["LIBERO_CONFIG_PATH"] = before


@contextmanager
def _quiet_robosuite():
    """robosuite warns on import that a file of private settings is missing; nobody needs one."""
    logger = logging.getLogger("robosuite_logs")
    drop = logging.Filter()
    drop.filter = lambda record: record.levelno > logging.WARNING  # type: ignore[method-assign]
    logger.addFilter(drop)
    try:
        yield
    finally:
        logger.removeFilter(drop)


def task_names() -> list[str]:
    """The ten tasks of libero_spatial, in LIBERO's order."""
    return list(
        runpy.run_path(str(package_root() / "benchmark" / "libero_suite_task_map.py"))["libero_task_map"][SUITE]
    )


def task_name(index: int) -> str:
    """A task by its index. Raises ValueError where there is none."""
    names = task_names()
    if not isinstance(index, int) or isinstance(index, bool) or not 0 <= index < len(names):
        raise ValueError(f"{SUITE} has tasks 0 to {len(names) - 1}; got task_index {index!r}")
    return names[index]


def task_text(index: int) -> str:
    """The task file of a task, in LIBERO's BDDL."""
    return (package_root() / "bddl_files" / SUITE / f"{task_name(index)}.bddl").read_text()


def initial_states(index: int) -> np.ndarray:
    """The task's official initial states, flattened simulator states [time, qpos, qvel]. (50, 1 + nq + nv) float64."""
    path = package_root() / "init_files" / SUITE / f"{task_name(index)}.pruned_init"
    with zipfile.ZipFile(path) as archive:
        states = _ArrayUnpickler(io.BytesIO(archive.read("archive/data.pkl"))).load()
    return np.asarray(states, dtype=np.float64)


class _ArrayUnpickler(pickle.Unpickler):
    """Of numpy arrays and nothing else: the format can hold code, and this file has no reason to."""

    ALLOWED = {("numpy", "ndarray"), ("numpy", "dtype"), ("_codecs", "encode")}

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) in self.ALLOWED or (
            re.fullmatch(r"numpy\._?core\.multiarray", module) and name in ("_reconstruct", "scalar")
        ):
            return super().find_class(module, name)
        raise ValueError(
            f"LIBERO's file of initial states holds {module}.{name}, which is no array; reinstall hf-libero"
        )


def clean_task(text: str) -> str:
    """A task file without distractors and furniture: bowl, plate and table remain, and the goal.

    Raises:
        ValueError: for a task whose bowl starts on or in what is removed.
    """
    tree = _parse(text)
    sections = _sections(tree)
    gone = {name for name in _instances(sections[":fixtures"]) if name != "main_table"}
    gone |= set(_instances(sections[":objects"])) - set(CLEAN_OBJECTS)
    placed = [state for state in sections[":init"][1:] if not state[1].startswith(tuple(gone))]
    removed = [state for state in placed if state[-1].startswith(tuple(gone))]
    if removed:
        raise ValueError(
            f"the clean scene has no '{removed[0][2]}', where this task's bowl starts; take one of its official states"
        )
    regions = [r for r in sections[":regions"][1:] if r[1][1] not in gone]
    sections[":regions"][1:] = regions
    sections[":init"][1:] = placed
    sections[":fixtures"][1:] = ["main_table", "-", "table"]
    sections[":objects"][1:] = ["akita_black_bowl_1", "-", "akita_black_bowl", "plate_1", "-", "plate"]
    return _written(tree)


def has_clean_scene(text: str) -> bool:
    """Whether a task's bowl starts on the table."""
    try:
        clean_task(text)
    except ValueError:
        return False
    return True


def object_names(text: str) -> list[str]:
    """The movable objects of a task file, in the order of the simulator's state."""
    return _instances(_sections(_parse(text))[":objects"])


def _sections(tree: list) -> dict[str, list]:
    return {section[0]: section for section in tree[1:] if isinstance(section, list)}


def _instances(section: list) -> list[str]:
    """(:objects a b - kind c - kind2) -> a, b, c."""
    words, names = section[1:], []
    while words:
        dash = words.index("-")
        names += words[:dash]
        words = words[dash + 2 :]
    return names


def _parse(text: str) -> list:
    """Nested parentheses as nested lists."""
    stack: list[list] = [[]]
    for word in re.findall(r"[()]|[^\s()]+", text):
        if word == "(":
            stack.append([])
        elif word == ")":
            done = stack.pop()
            stack[-1].append(done)
        else:
            stack[-1].append(word)
    return stack[0][0]


def _written(tree: list | str) -> str:
    return tree if isinstance(tree, str) else "(" + " ".join(_written(part) for part in tree) + ")\n"
