"""The client of Spark is optional: only a session loads it."""

from __future__ import annotations

import subprocess
import sys

from warehouse.lake import PROJECT

# the client ends a process whose main module has no file, as that of `python -c` or of a test worker, unless a session loads it
_LOAD = """
import importlib, pkgutil, sys
import transforms.spark
for module in pkgutil.iter_modules(transforms.spark.__path__):
    if module.name != "patience":
        importlib.import_module("transforms.spark." + module.name)
import orchestration.defs.engines
print(*sorted({name.split(".")[0] for name in sys.modules} & {"pyspark", "grpc"}))
"""


def test_modules_load_without_the_client() -> None:
    done = subprocess.run([sys.executable, "-c", _LOAD], cwd=PROJECT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == ""
