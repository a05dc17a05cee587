"""`python -m tests.faults.planted BUG ARGUMENTS…`: `taskfold ARGUMENTS…` with that bug."""

import sys
from importlib import import_module

from api.cli import main

bug = sys.argv.pop(1)
import_module(f"tests.faults.planted.{bug}").plant()
main()
