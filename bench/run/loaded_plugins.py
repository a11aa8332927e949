"""The plugins that a worker has loaded; those that do not fit into memory together take turns."""

from __future__ import annotations

import gc

from bench.contract.plugins import Method, Metric
from bench.files.paths import cache_dir
from bench.machine.clock import Clock
from bench.machine.devices import empty_caches, model_memory
from bench.machine.faults import raise_machine_fault
from bench.run.planned import PlannedMethod, PlannedMetric, PlannedPlugin, RunSettings

_Key = tuple[str, str, str]  # kind, label, key


class LoadedPlugins:
    """Loads plugins on first use, and unloads others to make room for a new one.

    memory: bytes that models may take on the device; None asks the device.
    """

    def __init__(self, device: str, clock: Clock, *, memory: int | None = None) -> None:
        self._device = device
        self._clock = clock
        self._memory = model_memory(device) if memory is None else memory
        self._loaded: dict[_Key, Method | Metric | Exception] = {}
        self._bytes: dict[_Key, int] = {}

    def method(self, planned: PlannedMethod, settings: RunSettings) -> Method:
        """The loaded method; if it cannot be loaded, the same error for each of its cells."""
        found = self._plugin(planned, settings)
        assert isinstance(found, Method)
        return found

    def metric(self, planned: PlannedMetric, settings: RunSettings) -> Metric:
        """The loaded metric; if it cannot be loaded, the same error for each of its cells."""
        found = self._plugin(planned, settings)
        assert isinstance(found, Metric)
        return found

    def _plugin(
        self, planned: PlannedMethod | PlannedMetric, settings: RunSettings
    ) -> Method | Metric:
        key = (type(planned).__name__, planned.label, planned.key)
        if key not in self._loaded:
            self._make_room(planned)
            try:
                plugin = planned.make()
                with self._clock.busy():
                    plugin.load(self._device)
                self._loaded[key] = plugin
                self._bytes[key] = planned.needs.memory
            except Exception as error:
                raise_machine_fault(error, ours=(settings.folder, cache_dir()))
                self._loaded[key] = error
        loaded = self._loaded[key]
        if isinstance(loaded, Exception):
            raise loaded
        return loaded

    def _make_room(self, planned: PlannedPlugin) -> None:
        """Unloads models, the longest loaded first, until all that declare their memory fit."""
        if self._memory is None or not planned.needs.memory:
            return
        large = [key for key, size in self._bytes.items() if size]
        while large and sum(self._bytes.values()) + planned.needs.memory > self._memory:
            key = large.pop(0)
            del self._loaded[key], self._bytes[key]
            gc.collect()
            empty_caches(self._device)
