"""The result tables of README and docs, written from committed records: no number there is typed by hand.

A block between `<!-- results:left_to_right -->` and `<!-- /results -->` holds what the records of that experiment give,
`results:left_to_right/trainings` the errors of its trainings (`para.reports.readme_errors`), the block `results:family`
a row per experiment of all, and `results:summary` the rows that the paper has too. To show another experiment, write
its two markers and run `para report results --readme README.md docs/*.md`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from para.files import write_atomic
from para.registry import pick
from para.reports.readme_errors import ERRORS
from para.reports.readme_family import family_text, summary_text
from para.reports.readme_runs import records_text

BLOCK = re.compile(r"<!-- results:(?P<name>\w+(?:/\w+)?) -->\n(?P<body>.*?)<!-- /results -->", re.DOTALL)
OPENING, CLOSING = "<!-- results:", "<!-- /results -->"

FAMILY = "family"
"""Name of the block that holds all experiments, controls apart: PARA against its baselines, and the paper's."""

SUMMARY = "summary"
"""Name of the block that holds PARA and ACT where the paper has numbers too."""


def update_readme(readme_path: Path | str, results_root: Path | str) -> list[str]:
    """Write the tables of a README anew; everything outside of its blocks stays as it is.

    Args:
        readme_path: a file with blocks, see the module's docstring.
        results_root: folder of committed records, `<world>/<experiment>/summary.json` in it.

    Returns:
        The experiments whose blocks were filled from records; the other blocks say that there are none yet.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it has no blocks, or one that is not closed.
    """
    path = Path(readme_path)
    if not path.is_file():
        raise FileNotFoundError(f"no {path}; name the file whose tables are to be written")
    text = path.read_text(encoding="utf-8")
    blocks = list(BLOCK.finditer(text))
    if not blocks or len(blocks) != text.count(OPENING) or len(blocks) != text.count(CLOSING):
        raise ValueError(
            f"{path} has {text.count(OPENING)} opening and {text.count(CLOSING)} closing markers, which make "
            f"{len(blocks)} blocks; each table needs a line `{OPENING}left_to_right -->` and a later line `{CLOSING}`"
        )
    filled = [block["name"] for block in blocks if find_records(results_root, block["name"])]
    new = BLOCK.sub(lambda m: f"{OPENING}{m['name']} -->\n{block_text(results_root, m['name'])}\n{CLOSING}", text)
    if new != text:
        write_atomic(path, new.encode("utf-8"))
    return filled


def update_pages(pages: Sequence[Path], results_root: Path | str) -> list[Path]:
    """`update_readme` of every page that has a block; of several pages the others stay as they are.

    Returns:
        The pages with blocks.

    Raises:
        FileNotFoundError, ValueError: as `update_readme`; ValueError also if none of the pages has a block.
    """
    with_blocks = [page for page in pages if not page.is_file() or OPENING in page.read_text(encoding="utf-8")]
    chosen = with_blocks or list(pages)
    for page in chosen:
        update_readme(page, results_root)
    return chosen


def find_records(results_root: Path | str, experiment: str) -> list[Path]:
    """The folders of that experiment's records, one per world that it was run in; of the family: of all records.
    With `/trainings` or the like after the name, of those that hold that file.

    The world of most records comes first: a reader is to meet first what was measured best.
    """
    n_records = Counter(path.parent.parent for path in Path(results_root).glob("*/*/results.jsonl"))
    if experiment in (FAMILY, SUMMARY):
        return sorted(n_records, key=lambda world: (-n_records[world], world))
    name, _, file = experiment.partition("/")
    folders = [path.parent for path in Path(results_root).glob(f"*/{name}/{file or 'summary'}.json")]
    return sorted(folders, key=lambda folder: (-n_records[folder.parent], folder))


def block_text(results_root: Path | str, experiment: str) -> str:
    """What stands between the markers of an experiment, or of the whole family, as Markdown.

    Raises:
        ValueError: for a file of records of which nothing is said.
    """
    folders = find_records(results_root, experiment)
    if not folders:
        return f"*No records of `{experiment}` are committed yet.*"
    if experiment == SUMMARY:
        return summary_text(folders)
    if experiment == FAMILY:
        return "\n\n".join(family_text(folder) for folder in folders)
    file = experiment.partition("/")[2]
    text_of = pick(ERRORS, "file of errors", file) if file else records_text
    return "\n\n".join(text_of(folder) for folder in folders)
