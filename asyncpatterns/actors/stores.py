"""A store that outlives the process."""

import os
import pickle
from collections.abc import Callable, Iterator, MutableMapping
from typing import Any


class SqliteStore(MutableMapping[Any, Any]):
    """A mapping in an SQLite file: give it to `system.virtual(..., store=...)` and the actors' state survives.

    Keys are `str` or `int`; values go through `dumps` and `loads`. The default, pickle, must only read files that you
    trust; `dumps=lambda value: json.dumps(value).encode(), loads=json.loads` is safe and limited. Every assignment is
    a transaction of its own. The journal is a write-ahead log that is not synchronised each time: after a crash of
    the process nothing is lost, after a power failure the last few may be.

    Calls take some tens of microseconds and block the event loop that long. Close it, or use it in a `with` block.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        dumps: Callable[[Any], bytes] = pickle.dumps,
        loads: Callable[[bytes], Any] = pickle.loads,
    ) -> None:
        import sqlite3  # here, because most programs do without, and it takes as long to import as all of the rest

        self._path = os.fspath(path)
        self._closed_error = sqlite3.ProgrammingError
        self._dumps = dumps
        self._loads = loads
        self._database = sqlite3.connect(self._path, isolation_level=None)      # None: each statement commits itself
        self._database.execute("PRAGMA journal_mode = WAL")
        self._database.execute("PRAGMA synchronous = NORMAL")
        # A column without a type, so that the keys 1 and "1" are two.
        self._database.execute("CREATE TABLE IF NOT EXISTS states (key PRIMARY KEY NOT NULL, state BLOB) WITHOUT ROWID")

    def __getitem__(self, key: str | int) -> Any:
        row = self._database.execute("SELECT state FROM states WHERE key = ?", (_checked(key),)).fetchone()
        if row is None:
            raise KeyError(key)
        return self._loads(row[0])

    def __setitem__(self, key: str | int, state: Any) -> None:
        row = (_checked(key), self._dumps(state))
        self._database.execute("INSERT OR REPLACE INTO states VALUES (?, ?)", row)

    def __delitem__(self, key: str | int) -> None:
        if not self._database.execute("DELETE FROM states WHERE key = ?", (_checked(key),)).rowcount:
            raise KeyError(key)

    def __contains__(self, key: object) -> bool:
        return self._database.execute("SELECT 1 FROM states WHERE key = ?", (_checked(key),)).fetchone() is not None

    def __iter__(self) -> Iterator[Any]:
        return iter([key for (key,) in self._database.execute("SELECT key FROM states ORDER BY key")])

    def __len__(self) -> int:
        (count,) = self._database.execute("SELECT count(*) FROM states").fetchone()
        return int(count)

    def close(self) -> None:
        """Close the file. Idempotent; using the store afterwards raises `sqlite3.ProgrammingError`."""
        self._database.close()

    def __enter__(self) -> "SqliteStore":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def __repr__(self) -> str:
        try:
            return f"<SqliteStore {self._path!r}, {len(self)} states>"
        except self._closed_error:
            return f"<SqliteStore {self._path!r}, closed>"


def _checked(key: object) -> object:
    if not isinstance(key, str | int) or isinstance(key, bool):
        raise TypeError(f"the keys of a SqliteStore are str or int, not {key!r}")
    return key
