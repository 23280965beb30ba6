"""Prometheus metrics: counts and durations."""

from collections.abc import Mapping, Sequence
from contextlib import suppress

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rcae.base.errors import RcaeError
from rcae.line.outputs.delivery import Delivery
from rcae.line.record.inspection import Inspection
from rcae.service.batching import Answers
from rcae.service.served_model import ServedModel

_BUCKETS_S = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)


class ServiceMetrics:
    """Metrics of this process since its start; drift alone counts all recorded inspections."""

    def __init__(
        self, models: Mapping[str, ServedModel], deliveries: Sequence[Delivery] = ()
    ) -> None:
        self._models, self._deliveries = models, deliveries
        self._registry = CollectorRegistry()
        self._inspections = Counter(
            "rcae_inspections",
            "Images inspected and recorded",
            ["model", "decision"],
            registry=self._registry,
        )
        self._seconds = Histogram(
            "rcae_inspection_seconds",
            "From an image's arrival to its answer",
            ["model"],
            buckets=_BUCKETS_S,
            registry=self._registry,
        )
        self._unusable = Counter(
            "rcae_unusable_images",
            "Images that could not be inspected",
            ["model"],
            registry=self._registry,
        )
        self.refused = Counter(
            "rcae_refused_requests",
            "Requests answered with an error",
            ["status"],
            registry=self._registry,
        )
        self.record_errors = Counter(
            "rcae_record_errors", "Requests that the record refused", registry=self._registry
        )
        self._drift = Gauge(
            "rcae_drift_evidence",
            "Powers of ten",
            ["model", "kind"],
            registry=self._registry,
        )
        self._behind = Gauge(
            "rcae_output_behind",
            "Recorded inspections that an output has not taken yet",
            ["output"],
            registry=self._registry,
        )
        self._failing = Gauge(
            "rcae_output_failing",
            "1 while an output does not take what is sent",
            ["output"],
            registry=self._registry,
        )
        self._dead_letters = Gauge(
            "rcae_output_dead_letters",
            "Inspections that an output could not deliver",
            ["output"],
            registry=self._registry,
        )
        waiting = self._gauge("rcae_waiting_images", "Images that wait for the model")
        lost = self._gauge("rcae_pictures_not_kept", "Inspections whose picture could not be kept")
        for model in models.values():
            self._watch(model, waiting, lost)

    def _watch(self, model: ServedModel, waiting: Gauge, lost: Gauge) -> None:
        waiting.labels(model.name).set_function(lambda: model.batcher.waiting_images)
        lost.labels(model.name).set_function(lambda: model.inspector.pictures_not_kept)
        self._seconds.labels(model.name)

    def inspected(self, model: str, answers: Answers, duration_s: float) -> None:
        """Count the answers of a model to one request, even if nobody waits for them; thread-safe."""
        for answer in answers:
            if isinstance(answer, Inspection):
                decision = "defective" if answer.is_defective else "good"
                self._inspections.labels(model, decision).inc()
                self._seconds.labels(model).observe(duration_s)
            else:
                self.unusable(model)

    def unusable(self, model: str) -> None:
        """Count an image that could not be inspected."""
        self._unusable.labels(model).inc()

    def text(self) -> bytes:
        """Return the metrics in Prometheus' text format.

        Values from the record are updated if it can be read.
        """
        for delivery in self._deliveries:
            self._failing.labels(delivery.title).set(delivery.is_failing)
        with suppress(RcaeError):
            self._read_record()
        return generate_latest(self._registry)

    def _read_record(self) -> None:
        for delivery in self._deliveries:
            self._behind.labels(delivery.title).set(delivery.lag)
            self._dead_letters.labels(delivery.title).set(delivery.dead_letters)
        for name, model in self._models.items():
            if points := model.drift.now().points:
                self._drift.labels(name, "shift").set(points[-1].shift_evidence)
                self._drift.labels(name, "rejections").set(points[-1].rejection_evidence)

    def _gauge(self, name: str, text: str) -> Gauge:
        return Gauge(name, text, ["model"], registry=self._registry)


class CountRefusals:
    """Outermost middleware, which counts error responses, its own included."""

    def __init__(self, app: ASGIApp, metrics: ServiceMetrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one ASGI connection."""

        async def send_counted(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] >= 400:
                self._metrics.refused.labels(message["status"]).inc()
            await send(message)

        await self._app(scope, receive, send_counted)
