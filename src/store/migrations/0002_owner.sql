-- Who has a story now, and what became of it with its owner.

-- Why somebody else has the story now; empty: the same owner is told again.
ALTER TABLE reassigned ADD COLUMN why TEXT NOT NULL DEFAULT '';

-- What mail servers reported later of a digest that one of them took (RFC 3464): the first report of each kind.
CREATE TABLE delivery_report (
    delivery   INTEGER NOT NULL REFERENCES delivery (no),
    action     TEXT NOT NULL,
    status     TEXT,
    diagnostic TEXT NOT NULL,
    -- Of the message that brought the report, as far as it was read.
    sha256     BLOB NOT NULL,
    at         INTEGER NOT NULL,
    record     INTEGER NOT NULL,
    PRIMARY KEY (delivery, action)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER delivery_report_stays BEFORE UPDATE ON delivery_report BEGIN SELECT RAISE (ABORT, 'a report is never changed'); END;
CREATE TRIGGER delivery_report_is_kept BEFORE DELETE ON delivery_report BEGIN SELECT RAISE (ABORT, 'a report is never deleted'); END;

-- The mailbox that reports come to: what was read of it, when it is looked into next, why it could not be read, and
-- what came that moved nothing.
CREATE TABLE inbound_state (
    one           INTEGER PRIMARY KEY CHECK (one = 1),
    mailbox       TEXT NOT NULL,
    uid_validity  INTEGER NOT NULL DEFAULT 0,
    last_uid      INTEGER NOT NULL DEFAULT 0,
    next_look_at  INTEGER NOT NULL,
    failing_since INTEGER,
    failures      INTEGER NOT NULL DEFAULT 0,
    trouble       TEXT NOT NULL DEFAULT '',
    messages      INTEGER NOT NULL DEFAULT 0,
    strange       INTEGER NOT NULL DEFAULT 0,
    automatic     INTEGER NOT NULL DEFAULT 0,
    others        INTEGER NOT NULL DEFAULT 0
) STRICT;

-- What came back was told to nobody either.
DROP VIEW standing_digest;
CREATE VIEW standing_digest AS
SELECT digest FROM delivery JOIN delivery_state ON delivery_state.delivery = delivery.no
WHERE state NOT IN ('withdrawn', 'rejected', 'given-up', 'bounced');
DROP TRIGGER listing_waits_again;
CREATE TRIGGER listing_waits_again AFTER UPDATE OF state ON delivery_state
WHEN NEW.state IN ('withdrawn', 'rejected', 'given-up', 'bounced') AND NEW.state <> OLD.state
BEGIN
    INSERT OR IGNORE INTO listing_state (entry, owner)
    SELECT listing.entry, listing.owner FROM delivery
    JOIN digest_listing ON digest_listing.digest = delivery.digest
    JOIN listing ON listing.entry = digest_listing.entry WHERE delivery.no = NEW.delivery
        AND NOT EXISTS (SELECT 1 FROM digest_listing AS later JOIN standing_digest USING (digest)
            WHERE later.entry = listing.entry AND later.digest > delivery.digest);
END;
