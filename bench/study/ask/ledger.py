"""The ledger of a served study: an SQLite file to which ratings are only ever added.

An answer is acknowledged only after its transaction is on disk (write-ahead log, synchronous=FULL),
so no acknowledged answer is lost if the server is killed or the power fails. A changed rating is a
new row, and the last row counts; the same rating sent twice is one row. The ledger also holds when
a rater was first given each video: whoever rates it sooner than it lasts cannot have seen its end.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from types import TracebackType

from bench.ground.errors import BenchError

SCHEMA = 1
BUSY_SECONDS = 2.0  # how long to wait for another program's lock, or for another thread
_TRANSIENT = (  # beginnings of SQLite's errors that are the machine's fault, not the statement's
    "database is locked",
    "database table is locked",
    "database or disk is full",
    "disk i/o error",
    "attempt to write a readonly database",
    "unable to open database file",
)
_TABLES = """
CREATE TABLE IF NOT EXISTS ratings (
    number INTEGER PRIMARY KEY,
    rater TEXT NOT NULL,
    item TEXT NOT NULL,
    question TEXT NOT NULL,
    rating INTEGER NOT NULL CHECK (rating BETWEEN 1 AND 5),
    at TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS ratings_by_place ON ratings (rater, item, question, number);
CREATE TABLE IF NOT EXISTS comments (
    number INTEGER PRIMARY KEY,
    rater TEXT NOT NULL,
    item TEXT NOT NULL,
    comment TEXT NOT NULL,
    at TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS comments_by_place ON comments (rater, item, number);
CREATE TABLE IF NOT EXISTS handed_out (
    rater TEXT NOT NULL,
    item TEXT NOT NULL,
    at TEXT NOT NULL,
    PRIMARY KEY (rater, item)
) WITHOUT ROWID;
"""
_LAST_RATINGS = """
SELECT rater, item, question, rating, at FROM ratings WHERE number IN
    (SELECT max(number) FROM ratings GROUP BY rater, item, question) ORDER BY number
"""
_LAST_COMMENTS = """
SELECT rater, item, comment FROM comments WHERE number IN
    (SELECT max(number) FROM comments GROUP BY rater, item)
"""

_WAITS = """
SELECT rater, item, handed_out.at, min(ratings.at) FROM ratings JOIN handed_out USING (rater, item)
    GROUP BY rater, item
"""


@dataclass(frozen=True)
class Entry:
    """A rating that counts: the rater's last one for this item and question."""

    rater: str
    item: str
    question: str
    rating: int
    at: str


class LedgerBusyError(BenchError):
    """The ledger cannot be read or written now; nothing was stored, and a retry may succeed."""


class Ledger:
    """The answers of a study; several threads may write. Use `with Ledger(path) as ledger`.

    Raises BenchError if the file is not a ledger or has a newer version. All methods raise
    LedgerBusyError if another program holds the file or the disk is full.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        try:
            self._file = sqlite3.connect(
                path, check_same_thread=False, isolation_level=None, timeout=BUSY_SECONDS
            )
            self._file.execute("PRAGMA journal_mode=WAL")
            self._file.execute("PRAGMA synchronous=FULL")
            (found,) = self._file.execute("PRAGMA user_version").fetchone()
            if found > SCHEMA:
                raise BenchError(
                    f"{path}: written by a newer version (schema {found}, this is {SCHEMA}). "
                    "Upgrade talking-face-bench."
                )
            self._file.executescript(f"{_TABLES} PRAGMA user_version={SCHEMA};")
        except sqlite3.Error as error:
            raise BenchError(f"{path}: cannot be opened as SQLite: {error}.") from error

    def __enter__(self) -> Ledger:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Closes the file; SQLite merges the write-ahead log into it."""
        self._file.close()

    @contextmanager
    def _held(self) -> Iterator[None]:
        """Reserves the file for this thread."""
        if not self._lock.acquire(timeout=BUSY_SECONDS):
            raise LedgerBusyError(f"{self._path}: other threads hold it for too long")
        try:
            yield
        except sqlite3.OperationalError as error:
            if not str(error).lower().startswith(_TRANSIENT):
                raise
            raise LedgerBusyError(f"{self._path}: {error}") from error
        finally:
            self._lock.release()

    def record(
        self, rater: str, item: str, ratings: Mapping[str, int], comment: str | None = None
    ) -> None:
        """Stores a rater's ratings of one item by question, and the remark; on disk on return.

        Ratings and remarks that are equal to the last stored ones are not stored again.
        """
        at = _now()
        with self._held():
            known = self._of_item(rater, item)
            changed = [(q, value) for q, value in ratings.items() if known.get(q) != value]
            said = self._comment(rater, item)
            self._file.execute("BEGIN IMMEDIATE")
            try:
                self._file.executemany(
                    "INSERT INTO ratings (rater, item, question, rating, at) "
                    "VALUES (?, ?, ?, ?, ?)",
                    [(rater, item, question, rating, at) for question, rating in changed],
                )
                if comment is not None and comment != said:
                    self._file.execute(
                        "INSERT INTO comments (rater, item, comment, at) VALUES (?, ?, ?, ?)",
                        (rater, item, comment, at),
                    )
                self._file.execute("COMMIT")
            except BaseException:
                if self._file.in_transaction:  # if the disk is full, SQLite has rolled it back
                    self._file.execute("ROLLBACK")
                raise

    def hand_out(self, rater: str, items: Sequence[str]) -> None:
        """Records that a rater is given these items now; for each item the first time is kept."""
        at = _now()
        with self._held():
            self._file.executemany(
                "INSERT OR IGNORE INTO handed_out (rater, item, at) VALUES (?, ?, ?)",
                [(rater, item, at) for item in items],
            )

    def waits(self) -> Mapping[tuple[str, str], float]:
        """Seconds from handing out an item to its first rating, by rater and item.

        Items without a hand-out time (of older ledgers) are left out.
        """
        with self._held():
            rows = self._file.execute(_WAITS).fetchall()
        return {
            (rater, item): (
                datetime.fromisoformat(rated) - datetime.fromisoformat(given)
            ).total_seconds()
            for rater, item, given, rated in rows
        }

    def entries(self) -> Sequence[Entry]:
        """The ratings that count, in the order of arrival."""
        with self._held():
            rows = self._file.execute(_LAST_RATINGS).fetchall()
        return [Entry(*row) for row in rows]

    def of_rater(self, rater: str) -> Mapping[str, Mapping[str, int]]:
        """A rater's ratings, by item and question."""
        found: dict[str, dict[str, int]] = {}
        with self._held():
            rows = self._file.execute(
                "SELECT item, question, rating FROM ratings WHERE rater = ? ORDER BY number",
                (rater,),
            ).fetchall()
        for item, question, rating in rows:
            found.setdefault(item, {})[question] = rating
        return found

    def remarks_of(self, rater: str) -> Mapping[str, str]:
        """A rater's last remark on each item."""
        with self._held():
            rows = self._file.execute(
                "SELECT item, comment FROM comments WHERE rater = ? ORDER BY number", (rater,)
            ).fetchall()
        return dict(rows)

    def comments(self) -> Mapping[tuple[str, str], str]:
        """Each rater's last remark on each item, by rater and item."""
        with self._held():
            rows = self._file.execute(_LAST_COMMENTS).fetchall()
        return {(rater, item): comment for rater, item, comment in rows}

    def _of_item(self, rater: str, item: str) -> Mapping[str, int]:
        rows = self._file.execute(
            "SELECT question, rating FROM ratings WHERE rater = ? AND item = ? ORDER BY number",
            (rater, item),
        )
        return {str(question): int(rating) for question, rating in rows}

    def _comment(self, rater: str, item: str) -> str:
        row = self._file.execute(
            "SELECT comment FROM comments WHERE rater = ? AND item = ? ORDER BY number DESC",
            (rater, item),
        ).fetchone()
        return "" if row is None else str(row[0])


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds")
