"""The families of the sockets."""

from collections.abc import Iterator

from prometheus_client.metrics_core import Metric

from api.metrics import families
from api.sockets.counting import Pushes


def pushed(counts: Pushes, waiting: int, served: int) -> Iterator[Metric]:
    """What the hub and its sockets did, who waits to catch up, and how many have been served that."""
    yield families.gauge("taskfold_sockets_open", "Sockets that are open.", counts.open)
    yield families.counter("taskfold_socket_frames_total", "Frames with changes, given to sockets.", counts.frames)
    yield families.counter(
        "taskfold_socket_bytes_total", "Bytes of frames with changes, given to sockets.", counts.bytes
    )
    yield families.counters(
        "taskfold_socket_closes_total",
        "Sockets that were closed by us, by code: 4401 not authenticated, 4403 not allowed, 4408 no pong, 4413 too"
        " slow, 1012 restarting.",
        ("code",),
        {str(code): count for code, count in counts.closed.items()},
    )
    yield families.counter(
        "taskfold_socket_conflations_total",
        "Frames that were replaced by a later one of the same task before they were sent.",
        counts.conflated,
    )
    yield families.counter(
        "taskfold_socket_resyncs_total", "Times a socket was told to read the lists again.", counts.resyncs
    )
    yield families.counter(
        "taskfold_socket_catch_ups_total", "Sockets that resumed and were sent what they had missed.", served
    )
    yield families.gauge(
        "taskfold_socket_catch_ups_waiting", "Sockets that wait for what they have missed to be read.", waiting
    )
    yield families.counter(
        "taskfold_push_publications_total",
        "Publications of projected changes, received for workspaces with sockets.",
        counts.publications,
    )
    yield families.counter(
        "taskfold_push_holes_filled_total",
        "Times changes were read from PostgreSQL because their publication was lost or too large.",
        counts.holes,
    )
