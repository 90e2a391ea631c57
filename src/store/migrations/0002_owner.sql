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
CREATE INDEX receipt_accepted ON receipt (record) WHERE outcome = 'accepted';

-- Stories that went from one person to another: the assignment that was taken back, and the one that stands for it.
CREATE TABLE handed_over (
    assignment INTEGER PRIMARY KEY REFERENCES assignment (no),
    successor  INTEGER NOT NULL REFERENCES assignment (no),
    why        TEXT NOT NULL,
    -- Whether it never was with the former owner: it came while they were away.
    as_news    INTEGER NOT NULL,
    at         INTEGER NOT NULL,
    record     INTEGER NOT NULL
) STRICT;
CREATE INDEX handed_over_successor ON handed_over (successor);

-- The reminder of an assignment: the digest that reminds, and the place in it; another one where that was withdrawn.
CREATE TABLE reminder (
    assignment INTEGER NOT NULL REFERENCES assignment (no),
    digest     INTEGER NOT NULL REFERENCES digest (no),
    number     INTEGER NOT NULL,
    at         INTEGER NOT NULL,
    PRIMARY KEY (assignment, digest)
) STRICT, WITHOUT ROWID;
CREATE INDEX reminder_digest ON reminder (digest, number);

-- The digest that told a former owner that a story is somebody else's now, and the place in it.
CREATE TABLE digest_passed (
    assignment INTEGER NOT NULL REFERENCES handed_over (assignment),
    digest     INTEGER NOT NULL REFERENCES digest (no),
    number     INTEGER NOT NULL,
    PRIMARY KEY (assignment, digest)
) STRICT, WITHOUT ROWID;
CREATE INDEX digest_passed_digest ON digest_passed (digest, number);

-- What a former owner who could have answered was not told yet to be somebody else's. Kept by the triggers.
CREATE TABLE passed_state (
    assignment INTEGER PRIMARY KEY REFERENCES handed_over (assignment),
    owner      TEXT NOT NULL
) STRICT;
CREATE INDEX passed_owner ON passed_state (owner);
CREATE TRIGGER story_is_passed_on AFTER INSERT ON handed_over WHEN NEW.why IN ('no-answer', 'away') BEGIN
    INSERT INTO passed_state (assignment, owner) SELECT no, owner FROM assignment WHERE no = NEW.assignment;
END;
CREATE TRIGGER passing_on_is_told AFTER INSERT ON digest_passed BEGIN
    DELETE FROM passed_state WHERE assignment = NEW.assignment;
END;

-- Urgent stories that were not told at once, and why; the newest reason stands.
CREATE TABLE urgent_waits (
    assignment INTEGER NOT NULL REFERENCES assignment (no),
    why        TEXT NOT NULL,
    at         INTEGER NOT NULL,
    record     INTEGER NOT NULL,
    PRIMARY KEY (assignment, why)
) STRICT, WITHOUT ROWID;

-- `at` is when an answer was recorded; this is when what it says happened, where that is another moment.
ALTER TABLE acknowledgement ADD COLUMN happened_at INTEGER;
-- The record of the earlier answer that it corrects, and of the first one of those that correct each other: a correction
-- answers what that one answered, and nothing that was told since.
ALTER TABLE acknowledgement ADD COLUMN corrects INTEGER;
ALTER TABLE acknowledgement ADD COLUMN first_record INTEGER;
-- Whether it came within seconds of the mail: 'fast', or 'confirmed' where it was given twice.
ALTER TABLE acknowledgement ADD COLUMN haste TEXT NOT NULL DEFAULT '';

-- How many records the log had when the assignment was made: what is recorded from there on, by whoever saw the story as
-- it was then, answers it. NULL: it was made before there was this column, and answered since a digest told it.
ALTER TABLE assignment ADD COLUMN log_size INTEGER;

-- Assignments that a digest told and that stand without an answer of their owner. Kept by the triggers.
CREATE TABLE open_state (
    assignment INTEGER PRIMARY KEY REFERENCES assignment (no),
    owner      TEXT NOT NULL
) STRICT;
CREATE INDEX open_owner ON open_state (owner);
CREATE TRIGGER assignment_is_open AFTER INSERT ON digest_story BEGIN
    INSERT INTO open_state (assignment, owner) SELECT no, owner FROM assignment WHERE no = NEW.assignment
        AND NOT EXISTS (SELECT 1 FROM reassigned WHERE reassigned.assignment = NEW.assignment)
        AND NOT EXISTS (SELECT 1 FROM acknowledgement_story
            JOIN acknowledgement ON acknowledgement.no = acknowledgement_story.acknowledgement
            WHERE acknowledgement_story.story = assignment.story AND acknowledgement.owner = assignment.owner
                AND coalesce(first_record, acknowledgement.record) >= log_size);
END;
CREATE TRIGGER assignment_is_not_open AFTER INSERT ON reassigned BEGIN
    DELETE FROM open_state WHERE assignment = NEW.assignment;
END;
CREATE TRIGGER assignment_is_answered AFTER INSERT ON acknowledgement_story BEGIN
    DELETE FROM open_state WHERE assignment IN (
        SELECT assignment.no FROM acknowledgement JOIN assignment ON assignment.owner = acknowledgement.owner
        JOIN digest_story ON digest_story.assignment = assignment.no JOIN digest ON digest.no = digest_story.digest
        WHERE acknowledgement.no = NEW.acknowledgement AND assignment.story = NEW.story
            AND coalesce(first_record, acknowledgement.record) >= coalesce(log_size, digest.record));
END;
-- What was told before there were reminders is left alone; what has not left yet is told from now on.
INSERT INTO open_state (assignment, owner)
SELECT assignment.no, assignment.owner FROM assignment JOIN digest_story ON digest_story.assignment = assignment.no
JOIN digest ON digest.no = digest_story.digest JOIN delivery ON delivery.digest = digest.no
JOIN delivery_state ON delivery_state.delivery = delivery.no
WHERE state IN ('queued', 'started')
    AND NOT EXISTS (SELECT 1 FROM reassigned WHERE reassigned.assignment = assignment.no)
    AND NOT EXISTS (SELECT 1 FROM acknowledgement JOIN acknowledgement_story ON acknowledgement = acknowledgement.no
        WHERE acknowledgement_story.story = assignment.story AND acknowledgement.owner = assignment.owner
            AND acknowledgement.record > digest.record);

CREATE TRIGGER handed_over_stays BEFORE UPDATE ON handed_over BEGIN SELECT RAISE (ABORT, 'a hand-over is never changed'); END;
CREATE TRIGGER handed_over_is_kept BEFORE DELETE ON handed_over BEGIN SELECT RAISE (ABORT, 'a hand-over is never deleted'); END;
CREATE TRIGGER reminder_stays BEFORE UPDATE ON reminder BEGIN SELECT RAISE (ABORT, 'a reminder is never changed'); END;
CREATE TRIGGER reminder_is_kept BEFORE DELETE ON reminder BEGIN SELECT RAISE (ABORT, 'a reminder is never deleted'); END;
CREATE TRIGGER digest_passed_stays BEFORE UPDATE ON digest_passed BEGIN SELECT RAISE (ABORT, 'a digest is never changed'); END;
CREATE TRIGGER digest_passed_is_kept BEFORE DELETE ON digest_passed BEGIN SELECT RAISE (ABORT, 'a digest is never deleted'); END;
CREATE TRIGGER urgent_waits_stays BEFORE UPDATE ON urgent_waits BEGIN SELECT RAISE (ABORT, 'a wait is never changed'); END;
CREATE TRIGGER urgent_waits_is_kept BEFORE DELETE ON urgent_waits BEGIN SELECT RAISE (ABORT, 'a wait is never deleted'); END;

-- What an answer refers to. The column `reference` of `acknowledgement` is not used any more.
CREATE TABLE acknowledgement_reference (
    acknowledgement INTEGER NOT NULL REFERENCES acknowledgement (no),
    n               INTEGER NOT NULL,
    kind            TEXT NOT NULL,
    text            TEXT NOT NULL,
    PRIMARY KEY (acknowledgement, n)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER acknowledgement_reference_stays BEFORE UPDATE ON acknowledgement_reference
BEGIN SELECT RAISE (ABORT, 'a reference is never changed'); END;
CREATE TRIGGER acknowledgement_reference_is_kept BEFORE DELETE ON acknowledgement_reference
BEGIN SELECT RAISE (ABORT, 'a reference is never deleted'); END;

CREATE INDEX acknowledgement_record ON acknowledgement (record);

-- What owners said is not theirs.
CREATE TABLE disowned (
    no     INTEGER PRIMARY KEY,
    nonce  TEXT NOT NULL UNIQUE,
    owner  TEXT NOT NULL,
    kind   TEXT NOT NULL,
    id     TEXT NOT NULL,
    digest INTEGER NOT NULL REFERENCES digest (no),
    note   TEXT NOT NULL,
    at     INTEGER NOT NULL,
    record INTEGER NOT NULL
) STRICT;
CREATE INDEX disowned_owner ON disowned (owner);
CREATE TRIGGER disowned_stays BEFORE UPDATE ON disowned BEGIN SELECT RAISE (ABORT, 'what was said is never changed'); END;
CREATE TRIGGER disowned_is_kept BEFORE DELETE ON disowned BEGIN SELECT RAISE (ABORT, 'what was said is never deleted'); END;

-- When new links to the stories of a digest were asked for, with a link that had ended.
CREATE TABLE links_asked (
    digest INTEGER NOT NULL REFERENCES digest (no),
    at     INTEGER NOT NULL,
    record INTEGER NOT NULL,
    PRIMARY KEY (digest, at)
) STRICT, WITHOUT ROWID;
CREATE INDEX links_asked_at ON links_asked (at);
CREATE TRIGGER links_asked_stays BEFORE UPDATE ON links_asked BEGIN SELECT RAISE (ABORT, 'what was asked is never changed'); END;
CREATE TRIGGER links_asked_is_kept BEFORE DELETE ON links_asked BEGIN SELECT RAISE (ABORT, 'what was asked is never deleted'); END;

-- The stories of digests that tell new links to what other digests told.
CREATE TABLE digest_anew (
    digest     INTEGER NOT NULL REFERENCES digest (no),
    number     INTEGER NOT NULL,
    assignment INTEGER NOT NULL REFERENCES assignment (no),
    PRIMARY KEY (digest, number)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER digest_anew_stays BEFORE UPDATE ON digest_anew BEGIN SELECT RAISE (ABORT, 'a digest is never changed'); END;
CREATE TRIGGER digest_anew_is_kept BEFORE DELETE ON digest_anew BEGIN SELECT RAISE (ABORT, 'a digest is never deleted'); END;

-- Which records of the log speak of a story or of a delivery; made from the log, and kept with every record.
CREATE TABLE trail_state (
    about  TEXT NOT NULL,
    no     INTEGER NOT NULL,
    record INTEGER NOT NULL,
    PRIMARY KEY (about, no, record)
) STRICT, WITHOUT ROWID;
INSERT OR IGNORE INTO trail_state (about, no, record)
SELECT 'story', fields ->> '$.story', idx FROM
    (SELECT idx, CAST(bytes AS TEXT) ->> '$.kind' AS kind, CAST(bytes AS TEXT) -> '$.fields' AS fields FROM record)
WHERE kind <> 'entry-received' AND json_type(fields, '$.story') = 'integer';
INSERT OR IGNORE INTO trail_state (about, no, record)
SELECT 'story', story.value, idx FROM (SELECT idx, CAST(bytes AS TEXT) -> '$.fields' AS fields FROM record)
JOIN json_each(fields, '$.stories') AS story WHERE story.type = 'integer';
INSERT OR IGNORE INTO trail_state (about, no, record)
SELECT 'delivery', fields ->> '$.delivery', idx FROM
    (SELECT idx, CAST(bytes AS TEXT) ->> '$.kind' AS kind, CAST(bytes AS TEXT) -> '$.fields' AS fields FROM record)
WHERE kind <> 'delivery-started' AND json_type(fields, '$.delivery') = 'integer';

-- Since when the service runs, if its lock is held by one that runs.
CREATE TABLE service_state (
    one        INTEGER PRIMARY KEY CHECK (one = 1),
    started_at INTEGER
) STRICT;

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

-- Nor was a former owner told of what was passed on.
CREATE TRIGGER passing_on_waits_again AFTER UPDATE OF state ON delivery_state
WHEN NEW.state IN ('withdrawn', 'rejected', 'given-up', 'bounced') AND NEW.state <> OLD.state
BEGIN
    INSERT OR IGNORE INTO passed_state (assignment, owner)
    SELECT assignment.no, assignment.owner FROM delivery
    JOIN digest_passed ON digest_passed.digest = delivery.digest
    JOIN assignment ON assignment.no = digest_passed.assignment WHERE delivery.no = NEW.delivery
        AND NOT EXISTS (SELECT 1 FROM digest_passed AS later JOIN standing_digest USING (digest)
            WHERE later.assignment = assignment.no);
END;
