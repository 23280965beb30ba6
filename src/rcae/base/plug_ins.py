"""Plug-ins: what installed packages add by entry points, chosen by name beside what is built in."""

from collections.abc import Mapping
from functools import cached_property
from importlib import metadata
from typing import Any, Generic, TypeVar

from rcae.base.errors import PlugInError
from rcae.base.names import meant

Item = TypeVar("Item")


class Table(Generic[Item]):
    """Items of one kind by their names: the built-in ones, and those of installed packages.

    A name comes from a user or a model file; the module behind it comes from an installed package alone.
    A package is imported when one of its names is asked for.

    Args:
        kind: the word for an item in messages.
        group: group of the entry points.
        item_type: type of every item.
        built_in: the items of this package.
    """

    def __init__(
        self, kind: str, group: str, item_type: type[Any], built_in: Mapping[str, Item]
    ) -> None:
        self.kind, self.group = kind, group
        self.built_in = dict(built_in)
        self._type = item_type
        self._loaded: dict[str, Item] = {}

    def __getitem__(self, name: str) -> Item:
        """Return the item of a name.

        Raises:
            PlugInError: the name is unknown, two packages have it, or its package fails.
        """
        entry = self._added.get(name)
        if entry is None:
            if name not in self.built_in:
                raise PlugInError(
                    f"{self.kind} '{name}' is not known; choose from {', '.join(self.names)}, or install "
                    f"the package that adds it.{meant(name, self.names)}"
                )
            return self.built_in[name]
        if name not in self._loaded:
            self._loaded[name] = self._load(entry)
        return self._loaded[name]

    @property
    def names(self) -> list[str]:
        """All names: the built-in ones, then those of other packages."""
        return [*self.built_in, *self.added]

    @property
    def added(self) -> list[str]:
        """Names that other packages add, sorted."""
        return sorted(self._added)

    def origin(self, name: str) -> str | None:
        """Return package and version behind a name; None for one that is built in."""
        entry = self._added.get(name)
        return None if entry is None else _package_of(entry)

    @cached_property
    def _added(self) -> dict[str, metadata.EntryPoint]:
        added: dict[str, metadata.EntryPoint] = {}
        for entry in metadata.entry_points(group=self.group):
            if entry.name in self.built_in or entry.name in added:
                other = _package_of(added[entry.name]) if entry.name in added else "rcae"
                raise PlugInError(
                    f"{self.kind} '{entry.name}' is added by {_package_of(entry)} and by {other}; uninstall "
                    f"one of them, or rename its entry point in group {self.group}."
                )
            added[entry.name] = entry
        return added

    def _load(self, entry: metadata.EntryPoint) -> Item:
        at = f"{self.kind} '{entry.name}' of {_package_of(entry)}"
        try:
            item: Item = entry.load()
        except Exception as error:
            reason = f"{type(error).__name__}: {error}"
            raise PlugInError(
                f"{at} cannot be loaded from {entry.value} ({reason}); mend or uninstall that package."
            ) from error
        if not isinstance(item, self._type):
            raise PlugInError(
                f"{at} is a {type(item).__name__}; {entry.value} must be a {self._type.__name__}."
            )
        return item


def _package_of(entry: metadata.EntryPoint) -> str:
    return "an unnamed package" if entry.dist is None else f"{entry.dist.name} {entry.dist.version}"
