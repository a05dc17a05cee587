"""Pushing: the hub of an API process, and the protocol of one socket."""
