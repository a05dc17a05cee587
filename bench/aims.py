"""The aims: what the program promises to reach beside others, in one run."""

from dataclasses import dataclass
from statistics import median
from typing import Final

from bench import names
from bench.board_questions import KINDS
from bench.measuring import OURS, Figure, Values


@dataclass(frozen=True, slots=True)
class Aim:
    """Ours must be at least `ratio` times this figure; or the figure itself at least `least`, or at most `most`."""

    figure: Figure
    ratio: float | None = None
    least: float | None = None
    most: float | None = None

    def __str__(self) -> str:
        if self.ratio is not None:
            return f"≥ {self.ratio:g} x"
        return f"≥ {self.least:g}" if self.least is not None else f"≤ {self.most:g}"

    def met(self, values: Values) -> bool:
        """Whether the medians reach it."""
        if self.ratio is not None:
            return (ratio(self.figure, values) or 0.0) >= self.ratio
        if self.least is not None:
            return median(values[self.figure]) >= self.least
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
        Aim(names.append(names.BEST_LIBRARY, 32), ratio=3.5),
        Aim(names.append(names.BEST_LIBRARY, 64), ratio=5.0),
        Aim(names.append(names.BEST_LIBRARY, 256), ratio=7.0),
        Aim(names.append(names.COALESCED, 32), ratio=0.45),
        Aim(names.append(names.COALESCED, 64), ratio=0.45),
        Aim(names.append(names.COALESCED, 256), ratio=0.45),
        Aim(names.append(names.INSERT, 64), ratio=1.7),
        Aim(names.append(names.INSERT, 1), ratio=0.4),
        Aim(names.http(names.ORDINARY, 32), ratio=1.0),
        Aim(names.http(names.ORDINARY, 64), ratio=1.0),
        Aim(names.batch(OURS), least=8_000),
        Aim(names.batch(names.ATOMIC), least=8_000),
        Aim(names.guards(names.NEITHER, names.COMMANDS), ratio=0.75),
        Aim(names.guards(names.NEITHER, names.READS), ratio=0.85),
        Aim(names.catchup(names.LIBRARY_RUNNER), ratio=40.0),
        Aim(names.scale_kept(names.FRESH, 10_000_000), least=0.8),
        *(Aim(names.rebuild_growth(what), most=1.5) for what in names.REBUILD_USERS),
        Aim(names.push(names.TO_FRAME_P50, 100), most=5.0),
        Aim(names.push(names.TO_FRAME_P99, 100), most=25.0),
        Aim(names.push(names.TO_FRAME_P99, 1_000), most=15.0),
        Aim(names.fanout(names.LOOP, 1_000), ratio=1.0),
        Aim(names.fanout(names.LOOP, 5_000), ratio=1.0),
        Aim(names.fanout_cpu(names.LOOP, 1_000), ratio=1.0),
        Aim(names.fanout_cpu(names.LOOP, 5_000), ratio=1.0),
        Aim(names.fanout_growth(5_000), most=1.1),
        Aim(names.fanout_memory(names.CONNECTED, 5_000), most=64.0),
        Aim(names.fanout_memory(names.USED, 5_000), most=64.0),
        Aim(names.fanout_gone(20_000), most=256.0),
        *(
            Aim(names.board(kind.name, who, 100_000, where), most=50.0)
            for who in names.BOARD_READERS
            for kind in KINDS
            for where in ("", names.OVER_HTTP)
        ),
        *(Aim(names.board_growth(what, who), most=5.0) for who in names.BOARD_FULL_PAGES for what in names.BOARD_LISTS),
    )
}
