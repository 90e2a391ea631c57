-- Who has a story now, and what became of it with its owner.

-- Why somebody else has the story now; empty: the same owner is told again.
ALTER TABLE reassigned ADD COLUMN why TEXT NOT NULL DEFAULT '';

-- How large a message for the mail server should be at most: as it says of itself, or as its refusals show.
CREATE TABLE relay_state(one INTEGER PRIMARY KEY CHECK (one = 1), size_limit INTEGER, seen_at INTEGER NOT NULL) STRICT;

-- The mail server is in trouble: since when, in words, and until when it is left alone. No row: it let us in the last time.
CREATE TABLE relay_trouble_state (
    one        INTEGER PRIMARY KEY CHECK (one = 1),
    fault      TEXT NOT NULL,
    cause      TEXT NOT NULL,
    since      INTEGER NOT NULL,
    hold_until INTEGER NOT NULL
) STRICT;

-- Since when a delivery fails for a reason of its own: the message or its recipient, not the mail server.
ALTER TABLE delivery_state ADD COLUMN failing_since INTEGER;

CREATE INDEX attempt_started ON attempt (started_at);
CREATE INDEX receipt_too_large ON receipt (finished_at) WHERE outcome = 'too-large';
