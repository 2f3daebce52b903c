"""Whether LIBERO's tests may be skipped where it cannot run: not in the environment that is made for it."""

import os
from typing import NoReturn

import pytest

from para.worlds import libero_package

REQUIRED = "PARA_REQUIRE_LIBERO"
"""Environment variable; set, what LIBERO lacks is an error."""


def skip_without(error: ImportError, *, module: bool = False) -> NoReturn:
    """Skip the test, or the module, for this reason; where LIBERO is required, raise it."""
    if os.environ.get(REQUIRED):
        raise error
    pytest.skip(f"this world cannot be built here: {error}", allow_module_level=module)


def require_libero() -> None:
    """Of a module whose tests all need hf-libero."""
    try:
        libero_package.package_root()
    except ImportError as error:
        skip_without(error, module=True)
