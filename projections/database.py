"""The names that the read side gives to what it gets from outside: connections and their pool."""

from typing import Any

from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

Connection = AsyncConnection[Any]
Pool = AsyncConnectionPool[Connection]
