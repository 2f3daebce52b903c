"""Nothing that is committed names a folder of the machine that it was made on."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("src", "tests", "benchmarks", "examples", "docs", "results", ".ci")
TEXT = {".py", ".md", ".json", ".jsonl", ".toml", ".html", ".txt", ".yml", ".yaml", ".cfg", ".svg", ""}
A_MACHINES_FOLDER = re.compile(r"(?<![\w.>])/(?:home|root|Users|work|tmp|scratch|mnt)/\w")


def test_committed_files_name_no_folder_of_a_machine():
    paths = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*")] + list(ROOT.glob("*"))
    texts = [p for p in paths if p.is_file() and p.suffix in TEXT and "__pycache__" not in p.parts]
    assert len(texts) > 100
    found = [
        f"{path.relative_to(ROOT)}: {match[0]}..."
        for path in texts
        if (match := A_MACHINES_FOLDER.search(path.read_text(errors="replace")))
    ]
    assert not found, "\n".join(found)
