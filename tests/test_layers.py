"""The house stands as docs/architecture.md draws it: who imports whom, what is imported when, how long things are."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "src" / "para"

HEAVY = ("mujoco", "accelerate", "transformers", "peft", "diffusers", "lerobot", "ray", "matplotlib", "h5py")
"""Packages that are imported when they are used, inside functions."""

IMPORTED_EVERYWHERE = ("para", "para.interfaces", "para.policies", "para.worlds", "para.experiments", "para.cli")
"""What is imported on every machine, whatever it has installed; in an order in which each adds something."""

REPORTS_MAY_IMPORT = {"evaluation", "datasets", "geometry", "interfaces"}
"""Besides the modules below everything."""

MAX_FUNCTION_LINES, MAX_MODULE_LINES = 60, 300


class Import(NamedTuple):
    """One import statement of one module."""

    path: Path
    line: int
    module: str
    at_import: bool
    """Whether it runs when the module is imported: not when a function is called, nor for type checkers only."""

    def __str__(self) -> str:
        return f"{self.path.relative_to(ROOT)}:{self.line} imports {self.module}"


def documented_levels() -> dict[str, int]:
    """Package -> number of its line in the drawing in docs/architecture.md, "The packages"."""
    text = (ROOT / "docs" / "architecture.md").read_text()
    drawing = text.split("## The packages", 1)[1].split("```text", 1)[1].split("```", 1)[0]
    levels = {}
    for line in drawing.strip().splitlines():
        number, names = line.split(maxsplit=1)
        for name in re.sub(r"\(.*?\)", "", names).split():
            levels[name.removesuffix(".py")] = int(number)
    return levels


def sources() -> list[Path]:
    return sorted(SOURCE.rglob("*.py"))


def package_of(path: Path) -> str:
    """The package that a source file belongs to; "" for `para/__init__.py`."""
    first = path.relative_to(SOURCE).parts[0].removesuffix(".py")
    return "" if first == "__init__" else first


@cache
def all_imports() -> list[Import]:
    found = []
    for path in sources():
        tree = ast.parse(path.read_text())
        later = (node for node in ast.walk(tree) if is_function(node) or is_for_type_checkers(node))
        inside = {id(child) for node in later for child in ast.walk(node)}
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{path}:{node.lineno}: imports are absolute"
                names = [f"para.{alias.name}" for alias in node.names] if node.module == "para" else [node.module]
            elif isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            else:
                continue
            found += [Import(path, node.lineno, name, id(node) not in inside) for name in names]
    return found


def is_function(node: ast.AST) -> bool:
    return isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))


def is_for_type_checkers(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")


def package_imports() -> list[tuple[str, str, Import]]:
    """(package, imported package, statement) of every import from another package."""
    pairs = []
    for statement in all_imports():
        parts = statement.module.split(".")
        if parts[0] != "para" or len(parts) == 1 or parts[1].startswith("__"):
            continue
        if parts[1] != package_of(statement.path):
            pairs.append((package_of(statement.path), parts[1], statement))
    return pairs


def foundation() -> set[str]:
    """Modules below everything, which import nothing of para."""
    return {name for name, level in documented_levels().items() if level == 0}


def top() -> set[str]:
    """Modules above everything, which may import one another: the command line in its parts."""
    levels = documented_levels()
    return {name for name, level in levels.items() if level == max(levels.values())}


def test_every_package_stands_in_the_drawing():
    drawn, packages = set(documented_levels()), {package_of(path) for path in sources()} - {""}
    assert packages <= drawn, f"draw {sorted(packages - drawn)} in docs/architecture.md, 'The packages'"
    assert drawn <= packages, f"docs/architecture.md draws packages that are not there: {sorted(drawn - packages)}"
    assert {"geometry", "policies", "files"} <= drawn and {"files", "cli"} == {"files", "cli"} & (foundation() | top())


def test_packages_import_only_from_packages_above_them():
    levels = documented_levels()
    wrong = [
        str(statement)
        for package, imported, statement in package_imports()
        if levels[imported] >= levels[package] and not {package, imported} <= top()
    ]
    assert not wrong, "\n".join(wrong)


def test_reports_read_files_and_never_run_policies():
    allowed = REPORTS_MAY_IMPORT | foundation()
    wrong = [str(s) for package, imported, s in package_imports() if package == "reports" and imported not in allowed]
    assert not wrong, "\n".join(wrong)


def test_a_package_imports_nothing_when_para_is_imported():
    assert not [statement for statement in all_imports() if package_of(statement.path) == ""]


def test_heavy_packages_are_imported_inside_functions():
    wrong = [str(s) for s in all_imports() if s.at_import and s.module.split(".")[0] in HEAVY]
    assert not wrong, "\n".join(wrong)


def test_lerobot_is_never_imported():
    wrong = [str(s) for s in all_imports() if s.module.split(".")[0] == "lerobot"]
    assert not wrong, "\n".join(wrong)


def test_importing_loads_no_heavy_package_and_para_alone_not_even_torch():
    # one process for all, since each would import torch anew
    code = f"""
import importlib, sys
for module in {IMPORTED_EVERYWHERE}:
    importlib.import_module(module)
    for name in {HEAVY} + (("torch", "numpy") if module == "para" else ()):
        assert name not in sys.modules, f"importing {{module}} loads {{name}}"
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_nothing_is_ever_unpickled():
    forbidden = re.compile(r"allow_pickle\s*=\s*True|torch\.load\(|\bpickle\.loads?\(|\bjoblib\b|\bdill\b")
    wrong = [str(path.relative_to(ROOT)) for path in sources() if forbidden.search(path.read_text())]
    assert not wrong, f"loading must not run code: {wrong}"


def test_only_the_command_line_prints():
    wrong = []
    for path in sources():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print":
                wrong.append(f"{path.relative_to(ROOT)}:{node.lineno}")
    allowed = ("src/para/cli.py", "src/para/launch.py", "src/para/commands/", "src/para/progress.py")
    assert not [place for place in wrong if not place.startswith(allowed)]


def test_functions_are_short():
    wrong = []
    for path in sources():
        for node in ast.walk(ast.parse(path.read_text())):
            if is_function(node) and (length := node.end_lineno - node.lineno + 1) > MAX_FUNCTION_LINES:
                wrong.append(f"{path.relative_to(ROOT)}:{node.lineno} {node.name} has {length} lines")
    assert not wrong, "\n".join(wrong)


def test_modules_are_short():
    lengths = {path: len(path.read_text().splitlines()) for path in sources()}
    exempt = {"interfaces.py", "cli.py"}  # the words of the project and its commands, each to be read in one piece
    wrong = [f"{p.relative_to(ROOT)}: {n} lines" for p, n in lengths.items() if n > MAX_MODULE_LINES]
    assert not [line for line in wrong if Path(line.split(":")[0]).name not in exempt], "\n".join(wrong)


def test_every_module_says_in_its_first_line_what_it_is():
    wrong = [str(path.relative_to(ROOT)) for path in sources() if not ast.get_docstring(ast.parse(path.read_text()))]
    assert not wrong
