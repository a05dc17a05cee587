"""Metrics of processes that share a port: any of them answers for all.

Each writes its numbers into files of the directory that their parent has made, once a second, in the format of the
client library's multiprocess mode; the library adds them up. What a process counted outlives it: a sum that shrank
would look like a restart.
"""

import os
from collections.abc import Iterable
from pathlib import Path
from time import time
from typing import Final

from prometheus_client.metrics_core import Metric
from prometheus_client.mmap_dict import MmapedDict, mmap_key
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from prometheus_client.samples import Sample

# How gauges of several processes become one. The others are summed over the living processes.
MODES: Final = {
    "python_info": "livemax",
    "process_max_fds": "livemin",
    "process_start_time_seconds": "livemin",
    "taskfold_append_oldest_waiting_seconds": "livemax",
    "taskfold_build_info": "livemax",
    "taskfold_redis_connected": "livemin",
}

Series = tuple[str, ...]  # the name of a series, and the values of its labels


class SharedFiles:
    """The files of this process, and the sum of all."""

    def __init__(self, directory: str) -> None:
        self._directory = directory
        self._files: dict[str, MmapedDict] = {}
        self._keys: dict[Series, str] = {}
        self._written: dict[Series, float] = {}
        self.collector = MultiProcessCollector(None, directory)

    def write(self, metrics: Iterable[Metric]) -> None:
        """Write down what this process has counted."""
        now = time()
        for metric in metrics:
            file = self._file(metric)
            below = 0.0  # the buckets of an exposition include those below them, those of a file do not
            for sample in metric.samples:
                if sample.name.endswith("_count") and metric.type == "histogram":
                    continue  # the sum of the buckets
                value = sample.value
                if "le" in sample.labels:
                    value, below = value - below, 0.0 if sample.labels["le"] == "+Inf" else value
                series = (sample.name, *sample.labels.values())
                if self._written.get(series) != value:
                    self._written[series] = value
                    file.write_value(self._key(series, metric, sample), value, now)

    def bury(self) -> None:
        """Take the gauges of processes that have ended out of the sum."""
        for path in Path(self._directory).glob("gauge_live*_*.db"):
            pid = int(path.stem.rpartition("_")[2])
            if not _is_alive(pid):
                mark_process_dead(pid, self._directory)

    def close(self) -> None:
        """This process ends: its counters stay, its gauges go."""
        for file in self._files.values():
            file.close()
        self._files.clear()
        mark_process_dead(os.getpid(), self._directory)

    def _key(self, series: Series, metric: Metric, sample: Sample) -> str:
        """How the series is called in a file. Made once: it takes longer than all the rest."""
        key = self._keys.get(series)
        if key is None:
            labels = [*sample.labels], [*sample.labels.values()]
            key = self._keys[series] = mmap_key(metric.name, sample.name, *labels, metric.documentation)
        return key

    def _file(self, metric: Metric) -> MmapedDict:
        kind = f"gauge_{MODES.get(metric.name, 'livesum')}" if metric.type == "gauge" else metric.type
        if kind not in self._files:
            self._files[kind] = MmapedDict(str(Path(self._directory) / f"{kind}_{os.getpid()}.db"))
        return self._files[kind]


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
