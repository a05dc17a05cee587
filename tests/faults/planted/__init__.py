"""Bugs, planted on purpose into a process that a test starts: the laboratory must catch each of them, by name.

The program itself has no place for them. `python -m tests.faults.planted skip_event work` changes what it has loaded,
and then is `taskfold work`. A bug of the database is planted there (`forget_the_lease`).
"""
