"""Which pictures and shapes the LIBERO world is made of: the user's, those that hf-libero brought, or generated ones.

LIBERO's assets are not part of its package, and nothing of them is part of this one. Without them the world runs on
shapes generated here, of the same sizes; which it was belongs into every record.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

from para.assets import GENERATED, VARIABLE
from para.worlds import libero_made, libero_made_furniture
from para.worlds.libero_package import cache_folder, package_root

CLEAN_FILES = (
    "scenes/libero_tabletop_base_style.xml",
    "stable_scanned_objects/akita_black_bowl/akita_black_bowl.xml",
    "stable_scanned_objects/plate/plate.xml",
    "textures/light-gray-floor-tile.png",
    "textures/light-gray-plaster.png",
)
"""What the clean scene opens first."""

FULL_FILES = (
    *CLEAN_FILES,
    "stable_hope_objects/cookies/cookies.xml",
    "stable_scanned_objects/glazed_rim_porcelain_ramekin/glazed_rim_porcelain_ramekin.xml",
    "articulated_objects/wooden_cabinet.xml",
    "articulated_objects/flat_stove.xml",
)
"""What the scene with distractors and furniture opens first."""


class Assets(NamedTuple):
    """A folder in the layout of LIBERO's assets."""

    folder: Path

    kind: str
    """"user", "downloaded" or "generated"."""

    @property
    def words(self) -> str:
        """Which assets these are, for a record: without the path, which says nothing on another machine."""
        files = [self.folder / name for name in FULL_FILES if (self.folder / name).is_file()]
        digest = hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()[:12]
        whose = {
            "user": "LIBERO assets from the user's folder",
            "downloaded": "LIBERO assets as hf-libero's downloader brought them",
            "generated": "generated stand-ins for LIBERO's assets, none of its files",
        }[self.kind]
        return f"{whose} (sha256 of the scene's descriptions {digest})"


def find_assets(option: str = "") -> Assets:
    """The assets to use: those named by the option or `PARA_LIBERO_ASSETS`, else those that hf-libero's own downloader
    has brought, else generated ones (made on first use, in the user's cache).

    Args:
        option: a folder, "generated", or "" for the order above.

    Raises:
        FileNotFoundError: for a folder that lacks what the clean scene needs.
        ImportError: where hf-libero is not installed.
    """
    asked = option or os.environ.get(VARIABLE, "")
    if asked == GENERATED:
        return Assets(generated_folder(), "generated")
    if asked:
        folder = Path(asked).expanduser()
        lacking = missing(folder, CLEAN_FILES)
        if lacking:
            raise FileNotFoundError(
                f"no LIBERO assets in {folder}: {lacking[0]} is missing; name the folder that holds scenes/ and "
                f"stable_scanned_objects/, or use assets={GENERATED}"
            )
        return Assets(folder.resolve(), "user")
    for folder in (package_root() / "assets", Path.home() / ".cache" / "libero" / "assets"):
        if not missing(folder, FULL_FILES):
            return Assets(folder, "downloaded")
    return Assets(generated_folder(), "generated")


def missing(folder: Path, files: tuple[str, ...]) -> list[str]:
    """Those of the files that a folder lacks."""
    return [name for name in files if not (folder / name).is_file()]


def generated_folder() -> Path:
    """The folder of generated assets, made if it is not there. Named after the code that makes it, so never stale."""
    sources = (libero_made, libero_made_furniture)
    code = b"".join(Path(str(module.__file__)).read_bytes() for module in sources)
    folder = cache_folder() / f"generated-{hashlib.sha256(code).hexdigest()[:12]}"
    if not folder.exists():
        unfinished = Path(tempfile.mkdtemp(dir=folder.parent))
        libero_made.write_scene(unfinished)
        libero_made_furniture.write_furniture(unfinished)
        try:
            unfinished.rename(folder)
        except OSError:  # another process was faster
            shutil.rmtree(unfinished)
    return folder


def describe_assets(options: Mapping[str, Any]) -> str:
    """What a LIBERO world with these options is made of here, for a record; "" where hf-libero is not installed.

    Raises:
        FileNotFoundError: for a folder that lacks what the clean scene needs.
    """
    try:
        words = find_assets(str(options.get("assets", ""))).words
        return f"{words}, in hf-libero {version('hf-libero')} and robosuite {version('robosuite')}"
    except ImportError:
        return ""
