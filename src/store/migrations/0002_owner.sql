-- Who has a story now, and what became of it with its owner.

-- Why somebody else has the story now; empty: the same owner is told again.
ALTER TABLE reassigned ADD COLUMN why TEXT NOT NULL DEFAULT '';

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

-- Since when the service runs, if its lock is held by one that runs.
CREATE TABLE service_state (
    one        INTEGER PRIMARY KEY CHECK (one = 1),
    started_at INTEGER
) STRICT;
