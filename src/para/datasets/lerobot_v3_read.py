"""Reading the tables of a LeRobotDataset v3.0: episodes and frames, whoever wrote them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from para.datasets.lerobot_v3_layout import DATA_PATH, TASKS_FILE, DatasetError


def read_table(path: Path, columns: list[str] | None = None):
    """A parquet file as a pyarrow table.

    Raises:
        FileNotFoundError: if there is no such file.
        DatasetError: if it is truncated or damaged.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing from its dataset; run `para dataset repair` or copy it again")
    try:
        with pq.ParquetFile(path) as file:
            return file.read(columns)
    except (pa.ArrowException, OSError) as error:
        reason = str(error).splitlines()[0].rstrip(".")
        raise DatasetError(f"{path} is truncated or damaged ({reason}); run `para dataset repair`") from error


def read_episode_rows(root: Path, info: dict[str, Any], *, with_stats: bool = False) -> list[dict[str, Any]]:
    """The committed rows of meta/episodes, in order of `episode_index`.

    Rows beyond info.json's `total_episodes` belong to an episode whose writing was cut short and are left out.

    Raises:
        DatasetError: if rows are missing, or a file is damaged.
    """
    import pyarrow.parquet as pq

    total = int(info["total_episodes"])
    rows: list[dict[str, Any]] = []
    for path in sorted((root / "meta/episodes").glob("*/*.parquet")):
        if len(rows) >= total:
            break  # para's own orphan, or none left: an uncommitted file need not even be readable
        columns = None
        if not with_stats and path.stat().st_size > 0:
            try:
                columns = [name for name in pq.read_schema(path).names if not name.startswith("stats/")]
            except Exception:  # damaged: read_table says so in one line
                columns = None
        rows += read_table(path, columns).to_pylist()
    rows = rows[:total]
    if [row.get("episode_index") for row in rows] != list(range(total)):
        raise DatasetError(
            f"{root}/meta/episodes holds {len(rows)} usable rows, but info.json promises {total} episodes; "
            f"run `para dataset repair {root}`"
        )
    return rows


def read_tasks(root: Path) -> list[str]:
    """The texts of meta/tasks.parquet, by `task_index`; empty where the file is missing."""
    if not (root / TASKS_FILE).is_file():
        return []
    table = read_table(root / TASKS_FILE)
    by_index = dict(zip(table["task_index"].to_pylist(), table["task"].to_pylist()))
    return [by_index[i] for i in sorted(by_index)]


def data_file(root: Path, info: dict[str, Any], row: dict[str, Any]) -> Path:
    """The data file that holds an episode."""
    at = {"chunk_index": row["data/chunk_index"], "file_index": row["data/file_index"]}
    return root / (info.get("data_path") or DATA_PATH).format(**at)


def video_file(root: Path, info: dict[str, Any], row: dict[str, Any], video_key: str) -> Path:
    """The video file that holds an episode."""
    at = {name: row[f"videos/{video_key}/{name}"] for name in ("chunk_index", "file_index")}
    return root / info["video_path"].format(video_key=video_key, **at)


def read_frame_columns(
    root: Path, info: dict[str, Any], rows: list[dict[str, Any]], names: list[str]
) -> dict[str, np.ndarray]:
    """Columns of all frames of some episodes, in their order.

    Args:
        rows: of meta/episodes.
        names: of the features wanted; they must exist.

    Returns:
        name -> (N,) or (N, D).

    Raises:
        FileNotFoundError, DatasetError: if a file is missing, damaged, or lacks frames or columns.
    """
    wanted = list(dict.fromkeys([*names, "episode_index", "index"]))
    parts: dict[str, list[np.ndarray]] = {name: [] for name in wanted}
    opened: tuple[Path, dict[str, np.ndarray]] | None = None
    for row in rows:
        path = data_file(root, info, row)
        if opened is None or opened[0] != path:
            table = read_table(path)
            missing = [name for name in wanted if name not in table.column_names]
            if missing:
                raise DatasetError(f"{path} lacks the columns {missing}; it has {table.column_names}: record it again")
            opened = (path, as_arrays(table.select(wanted)))
        columns = opened[1]
        of_episode = columns["episode_index"] == row["episode_index"]
        if of_episode.sum() != row["length"]:
            raise DatasetError(
                f"{path} holds {of_episode.sum()} frames of episode {row['episode_index']}, meta/episodes promises "
                f"{row['length']}; run `para dataset repair {root}`"
            )
        for name in wanted:
            parts[name].append(columns[name][of_episode])
    return {name: np.concatenate(parts[name]) for name in names}


def as_arrays(table) -> dict[str, np.ndarray]:
    """The columns of a pyarrow table: scalars as (N,), lists of equal length as (N, D)."""
    arrays = {}
    for name in table.column_names:
        column = table[name].combine_chunks()
        if hasattr(column.type, "value_type"):
            arrays[name] = column.flatten().to_numpy(zero_copy_only=False).reshape(len(column), -1)
        else:
            arrays[name] = column.to_numpy(zero_copy_only=False)
    return arrays
