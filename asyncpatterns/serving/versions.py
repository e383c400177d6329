"""A folder of numbered versions, of which the newest is served, also when it appears while requests come in.

Invariants
    1. `current` is always a deployment that is loaded, warmed up and started; it changes by one assignment.
    2. A request is answered by one version from beginning to end: the one that is current when it is whole, which
       admits it in that moment.
    3. A version is loaded only when its folder has stayed the same between two looks at it, and a version that
       failed to load only once more when its folder has changed: what is being copied is let alone.
    4. The old version is closed when everything it admitted has its answer, and not before.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from asyncpatterns.batching.call import Call
from asyncpatterns.batching.settings import DEFAULT_SIZE

from .deployment import AVAILABLE, Deployment
from .tensorflow_model import TensorFlowModel, latest_version, versions_in

log = logging.getLogger(__name__)
Print = tuple[tuple[str, int, int], ...]
Make = Callable[[int], Deployment]


class Versions:
    """The deployment of a model whose versions come and go.

    `make(version)` loads, warms up and returns a `Deployment`; it is called on a thread. Every `poll` seconds the
    folder is looked at; a newer version, or an older one where the newest was taken away, is loaded beside the one
    that serves, then takes over. A version that cannot be loaded changes nothing but the status and the log.

    An asynchronous context manager with the surface of a `Deployment`. Entering it loads the newest version and raises
    whatever that raises; leaving it answers what was admitted.
    """

    def __init__(self, folder: Path, make: Make, *, name: str = "model", poll: float = 2.0) -> None:
        self.folder, self.name, self.poll = Path(folder), name, poll
        self.current: Deployment
        self._make = make
        self._status: dict[int, dict[str, Any]] = {}
        self._seen: dict[int, Print] = {}
        self._done: dict[int, Print] = {}               # what was loaded, or tried
        self._switching: asyncio.Task[None] | None = None

    def __repr__(self) -> str:
        return f"{self.current!r}" if self.ready else f"<Versions of {self.name!r} in {self.folder}: none loaded>"

    @property
    def version(self) -> int:
        return self.current.version

    @property
    def batchers(self) -> Any:
        return self.current.batchers

    @property
    def ready(self) -> bool:
        return hasattr(self, "current") and self.current.ready

    # --- the life of versions ---

    async def __aenter__(self) -> Versions:
        if self.ready:
            return self
        version, _ = latest_version(self.folder)
        self._seen = await asyncio.to_thread(_look, self.folder)
        self._done[version] = self._seen.get(version, ())
        self.current = await asyncio.to_thread(self._make, version)
        await self.current.__aenter__()
        self._status[version] = AVAILABLE
        if self._seen:                                  # a SavedModel without numbers has no successors
            self._watcher = asyncio.create_task(self._watch(), name=f"versions of {self.name}")
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        if hasattr(self, "_watcher"):
            self._watcher.cancel()
        if self._switching is not None:                 # the old one has requests to answer yet
            await asyncio.wait([self._switching])
        await self.current.__aexit__(*exc_info)

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(self.poll)
            try:
                await self.look()
            except OSError as error:                    # the folder may be away for a moment
                log.warning("cannot look for versions of %s: %s", self.name, error)

    async def look(self) -> None:
        """Looks at the folder once, and switches if there is a reason to."""
        before, self._seen = self._seen, await asyncio.to_thread(_look, self.folder)
        version = max(self._seen, default=self.version)
        settled = before.get(version) == self._seen.get(version)
        if version == self.version or not settled or self._done.get(version) == self._seen[version]:
            return
        self._switching = asyncio.create_task(self._switch(version), name=f"switch of {self.name} to {version}")
        try:
            await asyncio.shield(self._switching)
        finally:
            if self._switching.done():
                self._switching = None

    async def _switch(self, version: int) -> None:
        self._done[version] = self._seen[version]
        self._status[version] = _state("LOADING")
        try:
            successor = await asyncio.to_thread(self._make, version)
            await successor.__aenter__()
        except Exception as error:
            log.exception("version %s of %s cannot be loaded; version %s goes on", version, self.name, self.version)
            self._status[version] = _state("END", "UNKNOWN", f"{type(error).__name__}: {error}"[:500])
            return
        retired, self.current = self.current, successor
        self._status |= {version: AVAILABLE, retired.version: _state("UNLOADING")}
        self._done.pop(retired.version, None)           # it may be wanted again
        await retired.__aexit__(None, None, None)
        await asyncio.to_thread(retired.model.close)
        self._status[retired.version] = _state("END")
        log.info("version %s of %s took over from version %s", version, self.name, retired.version)

    # --- what a deployment does ---

    async def predict(self, body: bytes, version: int | None = None) -> bytes:
        """As `Deployment.predict`, from whichever version is the current one."""
        return await self.current.predict(body, version)

    def submit(self, body: bytes, version: int | None = None) -> tuple[Mapping[str, Any], Call]:
        """As `Deployment.submit`, to whichever version is the current one."""
        return self.current.submit(body, version)

    def status(self, version: int | None = None) -> Mapping[str, Any]:
        """The state of every version that was seen, the newest first, or of one; raises `UnknownName`."""
        if version is not None and version not in self._status:
            return self.current.status(version)
        chosen = sorted(self._status, reverse=True) if version is None else [version]
        return {"model_version_status": [{"version": str(one), **self._status[one]} for one in chosen]}

    def metadata(self, version: int | None = None) -> Mapping[str, Any]:
        return self.current.metadata(version)


def deploy(model_dir: Any, *, name: str = "model", max_batch_size: int = DEFAULT_SIZE, poll: float = 2.0,
           threads: int | None = None, padding: Any = None, sizes: tuple[int, ...] | None = None,
           **batching: Any) -> Versions:
    """`model_dir`'s newest version behind batchers, and each newer one that appears; to be given to `ServingApp`.

    Every batch size in `sizes`, or every power of two up to `max_batch_size`, is warmed up before a version serves.
    Further keyword arguments go to the `Batcher`. Raises `FileNotFoundError` when there is no model at all.
    """
    latest_version(model_dir)
    warm = sizes or powers_of_two(max_batch_size)

    def make(version: int) -> Deployment:
        model = TensorFlowModel(model_dir, version=version, threads=threads, padding=padding)
        model.warm_up(warm)
        return Deployment(model, name=name, max_batch_size=max_batch_size, sizes=sizes, **batching)

    return Versions(Path(model_dir), make, name=name, poll=poll)


def powers_of_two(limit: int) -> tuple[int, ...]:
    return (*(2 ** power for power in range((limit - 1).bit_length())), limit)


def _state(state: str, code: str = "OK", message: str = "") -> dict[str, Any]:
    return {"state": state, "status": {"error_code": code, "error_message": message}}


def _look(folder: Path) -> dict[int, Print]:
    """Every version in `folder` that has a SavedModel, with a fingerprint of its files."""
    return {version: tuple(sorted(_files(path))) for version, path in versions_in(folder).items()}


def _files(folder: Path) -> Iterator[tuple[str, int, int]]:
    for path in folder.rglob("*"):
        try:
            facts = path.stat()
        except FileNotFoundError:                       # it is being replaced: the next look will differ
            continue
        yield str(path.relative_to(folder)), facts.st_size, facts.st_mtime_ns
