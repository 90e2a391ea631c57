-- Who has a story now, and what became of it with its owner.

-- Why somebody else has the story now; empty: the same owner is told again.
ALTER TABLE reassigned ADD COLUMN why TEXT NOT NULL DEFAULT '';

-- What the mail server said last that it takes: the largest message in bytes (RFC 1870); NULL: it names no limit.
CREATE TABLE relay_state (
    one        INTEGER PRIMARY KEY CHECK (one = 1),
    size_limit INTEGER,
    seen_at    INTEGER NOT NULL
) STRICT;
