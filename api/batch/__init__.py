"""Batches: many commands in one request."""
