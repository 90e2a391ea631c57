-- Who has a story now, and what became of it with its owner.

-- Why somebody else has the story now; empty: the same owner is told again.
ALTER TABLE reassigned ADD COLUMN why TEXT NOT NULL DEFAULT '';

-- What the mail server said last that it takes: the largest message in bytes (RFC 1870); NULL: it names no limit.
CREATE TABLE relay_state (
    one        INTEGER PRIMARY KEY CHECK (one = 1),
    size_limit INTEGER,
    seen_at    INTEGER NOT NULL
) STRICT;

-- Stories that went from one person to another: the assignment that was taken back, and the one that stands for it.
CREATE TABLE handed_over (
    assignment INTEGER PRIMARY KEY REFERENCES assignment (no),
    successor  INTEGER NOT NULL REFERENCES assignment (no),
    why        TEXT NOT NULL,
    at         INTEGER NOT NULL,
    record     INTEGER NOT NULL
) STRICT;
CREATE INDEX handed_over_successor ON handed_over (successor);

-- The one reminder of an assignment: the digest that reminds, and the place in it.
CREATE TABLE reminder (
    assignment INTEGER PRIMARY KEY REFERENCES assignment (no),
    digest     INTEGER NOT NULL REFERENCES digest (no),
    number     INTEGER NOT NULL,
    at         INTEGER NOT NULL
) STRICT;
CREATE INDEX reminder_digest ON reminder (digest, number);

-- The digest that told a former owner that a story is somebody else's now, and the place in it.
CREATE TABLE digest_passed (
    assignment INTEGER PRIMARY KEY REFERENCES handed_over (assignment),
    digest     INTEGER NOT NULL REFERENCES digest (no),
    number     INTEGER NOT NULL
) STRICT;
CREATE INDEX digest_passed_digest ON digest_passed (digest, number);

-- Urgent stories that were not told at once, and why.
CREATE TABLE urgent_waits (
    assignment INTEGER PRIMARY KEY REFERENCES assignment (no),
    why        TEXT NOT NULL,
    at         INTEGER NOT NULL,
    record     INTEGER NOT NULL
) STRICT;

-- Assignments that a digest told and that stand without an answer of their owner since. Kept by the triggers.
CREATE TABLE open_state (
    assignment INTEGER PRIMARY KEY REFERENCES assignment (no),
    owner      TEXT NOT NULL
) STRICT;
CREATE INDEX open_owner ON open_state (owner);
CREATE TRIGGER assignment_is_open AFTER INSERT ON digest_story BEGIN
    INSERT INTO open_state (assignment, owner) SELECT no, owner FROM assignment WHERE no = NEW.assignment
        AND NOT EXISTS (SELECT 1 FROM reassigned WHERE reassigned.assignment = NEW.assignment);
END;
CREATE TRIGGER assignment_is_not_open AFTER INSERT ON reassigned BEGIN
    DELETE FROM open_state WHERE assignment = NEW.assignment;
END;
CREATE TRIGGER assignment_is_answered AFTER INSERT ON acknowledgement_story BEGIN
    DELETE FROM open_state WHERE assignment IN (
        SELECT no FROM assignment WHERE assignment.story = NEW.story AND assignment.owner =
            (SELECT owner FROM acknowledgement WHERE acknowledgement.no = NEW.acknowledgement));
END;
INSERT INTO open_state (assignment, owner)
SELECT assignment.no, assignment.owner FROM assignment JOIN digest_story ON digest_story.assignment = assignment.no
JOIN digest ON digest.no = digest_story.digest
WHERE NOT EXISTS (SELECT 1 FROM reassigned WHERE reassigned.assignment = assignment.no)
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
