"""What a converted dataset was made from, kept in it: demonstrations go by names, which other sources have too."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from para.assets import told_of_both
from para.datasets.lerobot_v3_layout import CONVERSION_FILE, INFO_FILE, DatasetError, read_info
from para.files import read_json, write_json

SAMPLES, SAMPLE_BYTES = 16, 1 << 16
"""So many pieces of a file, of this size and evenly from its start to its end, tell it from others, since files of
demonstrations can have gigabytes; one that is shorter than all of them together, 1 MiB, is read whole."""


def goes_by_order(root: Path) -> bool:
    """Whether a dataset holds the episodes of another one in its order, as resampled ones and circles do: the command
    that made it goes on after as many as are there."""
    path = root / CONVERSION_FILE
    return path.is_file() and bool({"every", "circles"} & set(read_json(path).get("options", {})))


class ConversionNote:
    """meta/para_conversion.json: the options of the conversion, and of each file of the source which one it was.

    A file is noted with its first demonstration, so that more of them may be added to the source. A dataset that was
    converted before there were such notes goes on without one.
    """

    keeps: bool
    """Whether the dataset has such a note, or will have; one without, that holds demonstrations, may be of anything."""

    def __init__(
        self, root: Path, source: Path, folder: Path, options: dict[str, Any], recorded: dict[str, Any] | None = None
    ):
        """Compare what is to be converted with what the dataset was made from, if it has any demonstration.

        Args:
            root: the dataset's folder; it may not be there yet.
            source: what is to be converted, for messages.
            folder: the names of the source's files are relative to it.
            options: what decides what a demonstration becomes, JSON-ready; under "assets" words (`para.assets`).
            recorded: what the source says of its world (`para.datasets.recording.said_of_world`); None: not told.

        Raises:
            DatasetError: if it was made from other files, or with other options.
        """
        self._root, self._source, self._folder = root, source, folder.absolute()
        self._path = root / CONVERSION_FILE
        begun = (root / INFO_FILE).is_file() and read_info(root)["total_episodes"] > 0
        self.keeps = self._path.is_file() or not begun
        self._saved: dict[str, Any] = read_json(self._path) if begun and self.keeps else {}
        self._files: dict[str, str] = dict(self._saved.get("files", {}))
        self._recorded = {} if recorded is None else {"recorded": recorded}
        self._options: dict[str, Any] = json.loads(json.dumps(options))
        self._latest: list[str] = []
        if self._saved:
            self._refuse_other_files()
            self._refuse_other_options(self._saved.get("options", {}))

    def add(self, files: list[Path]) -> None:
        """Note the files of a demonstration that is, or is about to be, in the dataset; of which the writer is open."""
        self._latest = [path.absolute().relative_to(self._folder).as_posix() for path in files]
        for name in self._latest:
            if name not in self._files:
                self._files[name] = fingerprint(self._folder / name)
        self._save()

    def forget_latest(self) -> None:
        """After an error: what was read last may be damaged, and will then be another file when it is copied again."""
        for name in self._latest:
            self._files.pop(name, None)
        if self._latest:
            self._save()

    def _save(self) -> None:
        told = {"options": self._options, "files": self._files} | self._recorded
        if self.keeps and told != self._saved:
            write_json(self._path, told)
            self._saved = json.loads(json.dumps(told))

    def _refuse_other_files(self) -> None:
        for name, known in self._files.items():
            path = self._folder / name
            if not path.is_file():
                raise DatasetError(
                    f"{self._root} was made from {name}, which is not at {self._source}; convert all from one place, "
                    "or choose another folder"
                )
            if fingerprint(path) != known:
                raise DatasetError(
                    f"{self._root} was made from another {name} than that at {self._source}; choose another folder, or "
                    "remove this one and convert all again"
                )

    def _refuse_other_options(self, found: dict[str, Any]) -> None:
        for name in dict.fromkeys([*found, *self._options]):
            before, now = found.get(name), self._options.get(name)
            if name == "assets" and before and now:
                try:
                    self._options[name] = told_of_both(before, now)
                except ValueError as error:
                    raise DatasetError(f"{self._root}: {error}") from error
            elif before != now:
                raise DatasetError(
                    f"{self._root} was converted with {name} = {before}, not {now}; convert as it was, or choose "
                    "another folder"
                )


def fingerprint(path: Path) -> str:
    """12 hex digits that tell a file's content from others, by its size and samples of it."""
    size = path.stat().st_size
    digest = hashlib.sha256(str(size).encode())
    with open(path, "rb") as file:
        for k in range(SAMPLES):
            file.seek(k * max(size - SAMPLE_BYTES, 0) // (SAMPLES - 1))
            digest.update(file.read(SAMPLE_BYTES))
    return digest.hexdigest()[:12]
