"""The ledger's tables. Money is integer picodollars, times are seconds, `started` is wall clock.

`STRICT` keeps a sum that leaves 64 bits from silently becoming a rounded float.
"""

from ..routing.ports import LedgerUnavailable

SCHEMA_VERSION = 3

DIMENSIONS = ("day", "provider_id", "model_id", "pool", "user_id", "label", "source", "op")
"""What usage can be summed by. '' stands for none."""

BUCKETS = (
    "fresh_in",
    "cache_read",
    "cache_write_5m",
    "cache_write_1h",
    "image_in",
    "audio_in",
    "text_out",
    "reasoning_out",
    "image_out",
    "searches",
    "requests",
)

SUMS = (
    "attempts",
    "failures",
    "cost",
    "estimated_cost",
    "input_tokens",
    "output_tokens",
    "cached_tokens",
    "latency",
)

HELD_COLUMNS = ("attempt_id", "request_id", "started", *DIMENSIONS, "hold")
SETTLED_COLUMNS = ("cost", "estimated", "failure", "phase", "finish", *BUCKETS, "latency", "first_token")

_DIMENSIONS_SQL = ",\n    ".join(f"{name} TEXT NOT NULL DEFAULT ''" for name in DIMENSIONS)
_BUCKETS_SQL = ",\n    ".join(f"{name} INTEGER NOT NULL DEFAULT 0" for name in BUCKETS)

_VERSION_1 = f"""
CREATE TABLE attempts (
    attempt_id TEXT NOT NULL PRIMARY KEY,
    request_id TEXT NOT NULL,
    started REAL NOT NULL,
    {_DIMENSIONS_SQL},
    state INTEGER NOT NULL,                 -- 0 held, 1 settled
    hold INTEGER NOT NULL,
    cost INTEGER NOT NULL DEFAULT 0,
    estimated INTEGER NOT NULL DEFAULT 0,
    failure TEXT,
    phase TEXT,
    finish TEXT,
    {_BUCKETS_SQL},
    latency REAL NOT NULL DEFAULT 0,
    first_token REAL
) STRICT;
CREATE INDEX attempts_started ON attempts (started);
CREATE INDEX attempts_held ON attempts (attempt_id) WHERE state = 0;
CREATE TABLE usage (
    {_DIMENSIONS_SQL},
    attempts INTEGER NOT NULL,
    failures INTEGER NOT NULL,
    cost INTEGER NOT NULL,
    estimated_cost INTEGER NOT NULL,
    input_tokens INTEGER NOT NULL,
    output_tokens INTEGER NOT NULL,
    cached_tokens INTEGER NOT NULL,
    latency REAL NOT NULL,
    PRIMARY KEY ({", ".join(DIMENSIONS)})
) STRICT, WITHOUT ROWID;
"""

# `outcomes` counts how attempts ended: `failure` is the class, '' an answer, whose latency lies in `step`.
# `latency_step` is ours, see latencies.py; it is known to the connection that migrates.
_VERSION_2 = """
CREATE TABLE outcomes (
    day TEXT NOT NULL,
    provider_id TEXT NOT NULL,
    model_id TEXT NOT NULL,
    failure TEXT NOT NULL,
    step INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    PRIMARY KEY (day, provider_id, model_id, failure, step)
) STRICT, WITHOUT ROWID;
INSERT INTO outcomes
    SELECT day, provider_id, model_id, coalesce(failure, ''), iif(failure IS NULL, latency_step(latency), 0), count(*)
    FROM attempts WHERE state = 1 GROUP BY 1, 2, 3, 4, 5;
CREATE TABLE saved (
    day TEXT NOT NULL,
    provider_id TEXT NOT NULL,
    model_id TEXT NOT NULL,
    amount INTEGER NOT NULL,
    hits INTEGER NOT NULL,
    PRIMARY KEY (day, provider_id, model_id)
) STRICT, WITHOUT ROWID;
CREATE TABLE audit (
    id INTEGER PRIMARY KEY,
    at REAL NOT NULL,
    user_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    provider_id TEXT NOT NULL,
    text TEXT NOT NULL
) STRICT;
"""

_VERSION_3 = """
CREATE TABLE names (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    written REAL NOT NULL
) STRICT, WITHOUT ROWID;
"""


class LedgerTooNew(LedgerUnavailable):
    """The file was written by a newer version of the integration; it is left as it is."""


MIGRATIONS = (_VERSION_1, _VERSION_2, _VERSION_3)
"""`MIGRATIONS[n]` leads from version n to n + 1; each is applied in one transaction."""


def _marks(count: int) -> str:
    return ", ".join("?" * count)


INSERT_HELD = f"INSERT INTO attempts ({', '.join(HELD_COLUMNS)}, state) VALUES ({_marks(len(HELD_COLUMNS))}, 0)"  # noqa: S608 - made of the constants above

_SETTLED_ROW = (*HELD_COLUMNS, *SETTLED_COLUMNS)

# Only held rows are met here: what was settled before is sorted out with ALREADY_SETTLED, for the sums' sake.
SETTLE = f"""
INSERT INTO attempts ({", ".join(_SETTLED_ROW)}, state) VALUES ({_marks(len(_SETTLED_ROW))}, 1)
ON CONFLICT (attempt_id) DO UPDATE SET
    state = 1, {", ".join(f"{name} = excluded.{name}" for name in SETTLED_COLUMNS)}
"""  # noqa: S608 - made of the constants above

ALREADY_SETTLED = """
SELECT attempt_id FROM attempts WHERE state = 1 AND attempt_id IN (SELECT value FROM json_each(?))
"""

TAKE_BACK = "DELETE FROM attempts WHERE attempt_id = ? AND state = 0"

HELD = f"SELECT {', '.join(HELD_COLUMNS)} FROM attempts WHERE state = 0"  # noqa: S608 - made of the constants above

SETTLE_HELD = "UPDATE attempts SET state = 1, cost = hold, estimated = 1, failure = ? WHERE state = 0"

ROLL_UP = f"""
INSERT INTO usage ({", ".join((*DIMENSIONS, *SUMS))}) VALUES ({_marks(len(DIMENSIONS) + len(SUMS))})
ON CONFLICT DO UPDATE SET {", ".join(f"{name} = {name} + excluded.{name}" for name in SUMS)}
"""  # noqa: S608 - made of the constants above

COUNT_OUTCOMES = """
INSERT INTO outcomes (day, provider_id, model_id, failure, step, attempts) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT DO UPDATE SET attempts = attempts + excluded.attempts
"""

ADD_SAVED = """
INSERT INTO saved (day, provider_id, model_id, amount, hits) VALUES (?, ?, ?, ?, 1)
ON CONFLICT DO UPDATE SET amount = amount + excluded.amount, hits = hits + 1
"""
