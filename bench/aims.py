"""The aims: what the program promises to reach beside others, in one run."""

from dataclasses import dataclass
from statistics import median
from typing import Final

from bench import names
from bench.measuring import OURS, Figure, Values


@dataclass(frozen=True, slots=True)
class Aim:
    """Ours must be at least `ratio` times this figure; or, where `most` is set, the figure itself at most that."""

    figure: Figure
    ratio: float | None = None
    most: float | None = None

    def __str__(self) -> str:
        return f"≥ {self.ratio:g} x" if self.ratio is not None else f"≤ {self.most:g}"

    def met(self, values: Values) -> bool:
        """Whether the medians reach it."""
        if self.ratio is not None:
            return (ratio(self.figure, values) or 0.0) >= self.ratio
        return median(values[self.figure]) <= (self.most or 0.0)


def ratio(figure: Figure, values: Values) -> float | None:
    """How many times a figure ours is; None where the two are not for comparing.

    Each round is compared with itself, and the median is taken of these: what disturbed a round disturbed both.
    """
    ours = values.get(figure._replace(contender=OURS, load=names.OURS_LOAD.get(figure, figure.load)))
    if ours is None or figure.contender.startswith(OURS) or figure.unit == "ms":
        return None
    return median(mine / theirs for mine, theirs in zip(ours, values[figure], strict=True))


AIMS: Final[dict[Figure, Aim]] = {
    aim.figure: aim
    for aim in (
        Aim(names.append(names.LIBRARY, 32), ratio=5.0),
        Aim(names.append(names.INSERT, 64), ratio=1.7),
        Aim(names.append(names.INSERT, 1), ratio=0.4),
        Aim(names.http(names.ORDINARY, 32), ratio=0.7),
        Aim(names.http(names.ORDINARY, 64), ratio=0.7),
        Aim(names.catchup(names.LIBRARY_RUNNER), ratio=15.0),
        Aim(names.push(names.TO_FRAME_P50, 100), most=5.0),
        Aim(names.push(names.TO_FRAME_P99, 100), most=25.0),
    )
}
