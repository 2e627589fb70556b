"""Count and time requests for Prometheus, without their content."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)


class Metrics:
    """The counters of one server."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "topgenre_requests",
            "Requests answered.",
            ["route", "method", "status"],
            registry=self.registry,
        )
        self.seconds = Histogram(
            "topgenre_request_seconds",
            "Seconds from the first byte of a request to the last of its answer.",
            ["route"],
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.uploaded = Counter(
            "topgenre_uploaded_bytes", "Bytes of files received.", registry=self.registry
        )
        self.inside = Gauge(
            "topgenre_admitted_requests",
            "Uploads waiting or in work.",
            registry=self.registry,
        )
        self.receiving = Gauge(
            "topgenre_receiving_requests", "Uploads being received.", registry=self.registry
        )
        self.lost = Counter(
            "topgenre_lost_workers", "Processes replaced.", ["reason"], registry=self.registry
        )

    def text(self) -> bytes:
        """Return the counters in Prometheus' text format."""
        return generate_latest(self.registry)
