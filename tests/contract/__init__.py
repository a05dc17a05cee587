"""Requests made from `/openapi.json` by schemathesis, single and in sequences, each answer held against it."""
