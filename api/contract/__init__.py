"""What `/openapi.json` says besides what the signatures of the routes say: refusals, headers, examples, links."""
