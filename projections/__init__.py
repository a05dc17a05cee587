"""The read side: tail the log, fold, write rows and checkpoint, publish; and the queries on those rows."""
