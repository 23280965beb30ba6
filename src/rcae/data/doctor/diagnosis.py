"""Diagnosis of a category, as values, as JSON and as text."""

from dataclasses import asdict, dataclass
from itertools import groupby
from pathlib import Path
from typing import Any, Literal

from rcae.base.text import printable

PATHS_SHOWN = 10

_LAYOUT_NAMES: dict[str, str] = {
    "mvtec": "MVTec AD layout",
    "mvtec_2": "MVTec AD 2 layout",
    "visa_raw": "VisA layout, as published",
    "visa_1cls": "VisA layout, reorganised",
    "real_iad": "Real-IAD layout",
    "kolektor": "KolektorSDD layout",
    "dagm": "DAGM 2007 layout",
    "plain": "plain folder",
    "folders": "folders as named",
    "list": "list of images",
}


@dataclass(frozen=True)
class Finding:
    """One problem of one file or folder."""

    severity: Literal["error", "warning"]
    """Severity; an error stops training or evaluation."""
    code: str
    path: Path
    message: str
    """Problem and remedy, in words that continue the path."""


@dataclass(frozen=True, repr=False)
class Diagnosis:
    """Problems of a category; `print` shows them as `rcae doctor` does."""

    category: str
    root: Path
    layout: str
    counts: dict[str, dict[str, int]]
    """Number of images per split and defect type."""
    sizes: dict[tuple[int, int], int]
    """Number of readable images per (height, width) in pixels, the most frequent size first."""
    findings: tuple[Finding, ...]
    notes: tuple[str, ...]
    can_train: bool
    can_evaluate: bool

    @property
    def ok(self) -> bool:
        """True if nothing has to be mended: training can run, and evaluation if there are test images."""
        return self.can_train and (self.can_evaluate or not self.has_test)

    @property
    def has_test(self) -> bool:
        """True if there is any test image."""
        return "test" in self.counts

    def allows(self, purpose: Literal["train", "evaluate"] | None) -> bool:
        """Tell whether a purpose can be served; None stands for all that the images are there for."""
        if purpose is None:
            return self.ok
        return self.can_train if purpose == "train" else self.can_train and self.can_evaluate

    def __str__(self) -> str:
        layout = _LAYOUT_NAMES.get(self.layout, f"{self.layout} layout")
        blocks = [[f"{self.category}: {layout}"]]
        blocks.append([*_count_lines(self.counts), f"  size   {_describe_sizes(self.sizes)}"])
        blocks += [[f"note: {note}"] for note in self.notes]
        in_order = sorted(self.findings, key=lambda finding: (finding.severity, finding.code))
        for (severity, code), group in groupby(in_order, key=lambda f: (f.severity, f.code)):
            findings = list(group)
            lines = _finding_lines(findings, self.root)
            blocks.append([f"{severity}: {code} ({len(findings)})", *lines])
        blocks.append([_describe_outcome(self)])
        return "\n\n".join("\n".join(map(printable, block)) for block in blocks)

    def __repr__(self) -> str:
        severities = [finding.severity for finding in self.findings]
        return (
            f"Diagnosis({printable(self.category)}: {severities.count('error')} errors, "
            f"{severities.count('warning')} warnings, can_train={self.can_train}, "
            f"can_evaluate={self.can_evaluate})"
        )

    def to_json(self) -> dict[str, Any]:
        """Return plain values for JSON, with undecodable bytes of file names escaped."""
        return {
            "category": printable(self.category),
            "root": printable(self.root),
            "layout": self.layout,
            "counts": {
                split: {printable(kind): count for kind, count in kinds.items()}
                for split, kinds in self.counts.items()
            },
            "sizes": [
                {"height_px": height, "width_px": width, "count": count}
                for (height, width), count in self.sizes.items()
            ],
            "findings": [
                {key: printable(value) for key, value in asdict(finding).items()}
                for finding in self.findings
            ],
            "notes": [printable(note) for note in self.notes],
            "can_train": self.can_train,
            "can_evaluate": self.can_evaluate,
            "ok": self.ok,
        }


def _count_lines(counts: dict[str, dict[str, int]]) -> list[str]:
    rows = [(split, kind, n) for split, kinds in counts.items() for kind, n in kinds.items()]
    width = max(len(kind) for _, kind, _ in rows)
    return [f"  {split:5}  {kind:{width}}  {count:6}" for split, kind, count in rows]


def _describe_sizes(sizes: dict[tuple[int, int], int]) -> str:
    if not sizes:
        return "no image is readable"
    if len(sizes) == 1:
        return describe_size(next(iter(sizes)))
    heights, widths = zip(*sizes, strict=True)
    return f"{len(sizes)} sizes, {_describe_range(widths)} wide and {_describe_range(heights)} high"


def _describe_range(lengths: tuple[int, ...]) -> str:
    lowest, highest = min(lengths), max(lengths)
    return f"{lowest} px" if lowest == highest else f"{lowest} to {highest} px"


def describe_size(size: tuple[int, ...]) -> str:
    """Return (height, width) as text, width first: (480, 640) gives "640x480 px"."""
    height, width = size
    return f"{width}x{height} px"


def _finding_lines(findings: list[Finding], root: Path) -> list[str]:
    """Return the first paths of a group, each with its message.

    A message that all findings share is printed once, above the paths.
    """
    shown = findings[:PATHS_SHOWN]
    messages = {finding.message for finding in findings}
    if len(findings) > 1 and len(messages) == 1:
        lines = [f"  {messages.pop()}", *(f"    {_below(root, finding.path)}" for finding in shown)]
    else:
        lines = [f"  {_below(root, finding.path)} {finding.message}" for finding in shown]
    more = len(findings) - len(shown)
    return [*lines, f"    ... and {more} more"] if more else lines


def _below(root: Path, path: Path) -> Path:
    return path.relative_to(root) if path != root and path.is_relative_to(root) else path


def _describe_outcome(diagnosis: Diagnosis) -> str:
    if diagnosis.can_train and not diagnosis.has_test:
        return "Training can run; to evaluate, add good and defective test images."
    training = f"Training {'can' if diagnosis.can_train else 'cannot'} run"
    evaluation = f"evaluation {'can' if diagnosis.can_evaluate else 'cannot'} run"
    hint = "." if diagnosis.ok else "; see the errors above."
    return f"{training}, {evaluation}{hint}"
