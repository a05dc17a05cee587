"""Making metric families. A family without values is there all the same, with its name and its description."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.utils import floatToGoString

from domain.tally import Tally

By = (
    Mapping[str, float] | Mapping[tuple[str, ...], float] | Mapping[tuple[str, str, str], float]
)  # values by label, or by labels in their order


def counter(name: str, description: str, value: float) -> Metric:
    """A number that only grows. `name` ends in `_total`."""
    return CounterMetricFamily(name, description, value)


def gauge(name: str, description: str, value: float) -> Metric:
    """A number as it is now."""
    return GaugeMetricFamily(name, description, value)


def counters(name: str, description: str, labels: Sequence[str], values: By) -> Metric:
    """Counters by label."""
    return _filled(CounterMetricFamily(name, description, labels=labels), values)


def gauges(name: str, description: str, labels: Sequence[str], values: By) -> Metric:
    """Gauges by label."""
    return _filled(GaugeMetricFamily(name, description, labels=labels), values)


def histogram(name: str, description: str, tally: Tally) -> Metric:
    """How values are spread."""
    return histograms(name, description, (), [((), tally)])


def histograms(
    name: str, description: str, labels: Sequence[str], tallies: Iterable[tuple[Sequence[str], Tally]]
) -> Metric:
    """The spreads by labels."""
    family = HistogramMetricFamily(name, description, labels=labels)
    for values, tally in tallies:
        bounds = [*map(floatToGoString, tally.bounds), "+Inf"]
        counts = accumulate(tally.counts)
        family.add_metric(list(values), list(zip(bounds, counts, strict=True)), tally.total)
    return family


def _filled(family: CounterMetricFamily | GaugeMetricFamily, values: By) -> Metric:
    for labels, value in values.items():
        family.add_metric([labels] if isinstance(labels, str) else list(labels), value)
    return family
