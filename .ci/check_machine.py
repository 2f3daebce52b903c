"""Say, before anything is installed, what this machine lacks. Runs on any Python 3.6 or newer; needs no package."""

import ctypes
import importlib.util
import sys

found = "{}.{}".format(*sys.version_info[:2])
# The pinned versions in constraints.txt need 3.11; the library itself runs on 3.10 with older ones.
if sys.version_info < (3, 11):
    sys.exit(f"found Python {found}, but the pinned packages need 3.11 or newer: make PYTHON=/path/to/python3.11 ...")
if importlib.util.find_spec("ensurepip") is None:
    sys.exit(f"this Python cannot make environments (no ensurepip); on Debian: apt-get install -y python{found}-venv")
if sys.platform.startswith("linux"):
    for library in ("libEGL.so.1", "libGLESv2.so.2"):
        try:
            ctypes.CDLL(library)
        except OSError:
            sys.exit(
                f"{library} is missing, without which MuJoCo cannot draw where there is no screen; "
                "on Debian: apt-get install -y libegl1 libgles2"
            )
