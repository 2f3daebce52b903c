import pytest

from para.reports import build_report
from tests.reports.synthetic_few_shot import write_few_shot
from tests.reports.synthetic_run import write_run


@pytest.fixture(scope="module")
def reported(tmp_path_factory):
    """A run folder with everything in it, and its page's text."""
    folder = write_run(tmp_path_factory.mktemp("run"), errors=2, seeds=2)
    return folder, build_report(folder).read_text(encoding="utf-8")


@pytest.fixture(scope="session")
def few_shot(tmp_path_factory):
    """The folder of a run with few demonstrations."""
    folder = tmp_path_factory.mktemp("few_shot")
    write_few_shot(folder)
    return folder
