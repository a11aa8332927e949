"""The ledger of a served study: every rating as it was given, in SQLite, never edited.

An answer is acknowledged after its transaction is on the disk (write-ahead log, synchronous=FULL),
so that a killed server or a lost power line loses none that was. A changed rating is a further
row, the last one counts; the same rating sent twice is one row. Beside them stands when a rater was
first given each video: an answer sooner than the video lasts cannot be of someone who saw its end.
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

from bench.errors import BenchError

SCHEMA = 1
BUSY_SECONDS = 2.0  # to wait for a file that another program holds, or for the writer before us
_TRANSIENT = (  # how SQLite begins to say that the machine, not the statement, is in the way
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
    """A rating that counts: the last one of this rater for this item and question."""

    rater: str
    item: str
    question: str
    rating: int
    at: str


class LedgerBusyError(BenchError):
    """The ledger cannot be read or written now; nothing was kept, and it may work in a moment."""


class Ledger:
    """The answers of a study, open for writing by several threads; `with Ledger(path) as ledger`.

    Raises BenchError where the file is no ledger, or one of a newer version; all methods raise
    LedgerBusyError where another program holds the file, or the disk is full.
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
        """Closes the file; the write-ahead log is folded into it."""
        self._file.close()

    @contextmanager
    def _held(self) -> Iterator[None]:
        """The file for this thread alone."""
        if not self._lock.acquire(timeout=BUSY_SECONDS):
            raise LedgerBusyError(f"{self._path}: others are being written for too long")
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
        """Keeps what a rater answered on one item; on the disk when this returns.

        What is there already in the same words is not written again.
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
                if self._file.in_transaction:  # a full disk has rolled it back already
                    self._file.execute("ROLLBACK")
                raise

    def hand_out(self, rater: str, items: Sequence[str]) -> None:
        """Notes that a rater is given these items now; the first time counts, whatever follows."""
        at = _now()
        with self._held():
            self._file.executemany(
                "INSERT OR IGNORE INTO handed_out (rater, item, at) VALUES (?, ?, ?)",
                [(rater, item, at) for item in items],
            )

    def waits(self) -> Mapping[tuple[str, str], float]:
        """Seconds from giving a rater an item to the first rating of it, by rater and item.

        What was answered without a page of ours (an older ledger) is not there.
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
        """The ratings that count, in the order in which they came."""
        with self._held():
            rows = self._file.execute(_LAST_RATINGS).fetchall()
        return [Entry(*row) for row in rows]

    def of_rater(self, rater: str) -> Mapping[str, Mapping[str, int]]:
        """What a rater has answered: by item, the rating of every question."""
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
        """The last comment of a rater on each item."""
        with self._held():
            rows = self._file.execute(
                "SELECT item, comment FROM comments WHERE rater = ? ORDER BY number", (rater,)
            ).fetchall()
        return dict(rows)

    def comments(self) -> Mapping[tuple[str, str], str]:
        """The last comment of each rater on each item."""
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
