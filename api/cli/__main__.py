"""`python -m api.cli`: the command `taskfold` without its script."""

from api.cli import main

main()
