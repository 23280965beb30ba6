"""Request of a training run: preset, changes, time budget and seed."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rcae.base.errors import UsageError
from rcae.base.settings import DEFAULT_PRESET, Settings, load_settings, to_plain
from rcae.detector.run.run_folder import RunFolder

LONGEST_BUDGET_S = 366 * 24 * 3600.0
"""Longest time budget: a year (our choice)."""


@dataclass(frozen=True)
class Request:
    """Preset, changes to it, time budget and seed; kept with the run, so that `--resume` means it.

    Raises:
        UsageError: the budget is no time, below 0 or longer than `LONGEST_BUDGET_S`.
    """

    preset: str | None = None
    """One of `PRESETS`; None is `DEFAULT_PRESET`."""
    budget_s: float | None = None
    """Time for the whole run; None trains as long as the settings say."""
    seed: int | None = None
    """Seed in place of the preset's."""
    settings_file: Path | None = None
    """A TOML file that changes the preset."""
    values: Sequence[str] = ()
    """Single changes, such as `model.recursion_depth=3`."""

    def __post_init__(self) -> None:
        if self.budget_s is not None and not 0 <= self.budget_s <= LONGEST_BUDGET_S:
            raise UsageError(
                f"a budget of {self.budget_s:g} s is not a time from 0 s to a year; give one like "
                "--budget 30m."
            )

    def settings(self) -> Settings:
        """Return the settings asked for.

        Raises:
            SettingsError: an unknown preset or key, or a value that breaks its rule.
        """
        return load_settings(
            self.preset or DEFAULT_PRESET,
            file=self.settings_file,
            values=self.values,
            seed=self.seed,
        )

    def to_plain(self) -> dict[str, Any]:
        """Return the request as `run.json` holds it; errors as in `settings`."""
        return {"budget_s": self.budget_s, "settings": to_plain(self.settings())}

    def settings_to_resume(self, folder: RunFolder) -> Settings:
        """Return the settings of the interrupted run in `folder`, step counts included.

        Raises:
            UsageError: the folder holds no run, or options are given that mean another run.
        """
        settings = folder.read_settings()
        if self != Request() and self.to_plain() != folder.read_record()["request"]:
            raise UsageError(
                f"{folder.path} was started with other options than those given with --resume; give "
                "--resume alone, or train anew in another folder."
            )
        return settings
