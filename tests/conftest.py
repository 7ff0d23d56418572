"""LSL isolation: every pytest run sees its own streams and nobody else's."""

from __future__ import annotations

import atexit
import os
import shutil
import sys
import tempfile
from pathlib import Path

from bmi.lsl.config import private_lsl_config

# At import, before any test module can touch liblsl, which reads its configuration once.
if "pylsl" in sys.modules:
    raise RuntimeError("pylsl was imported before tests/conftest.py could isolate it")
_folder = Path(tempfile.mkdtemp(prefix="bmi-tests-lsl-"))
atexit.register(shutil.rmtree, _folder, ignore_errors=True)
os.environ.update(private_lsl_config(_folder))
