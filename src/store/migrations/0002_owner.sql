-- Who has a story now, and what became of it with its owner.

-- Why somebody else has the story now; empty: the same owner is told again.
ALTER TABLE reassigned ADD COLUMN why TEXT NOT NULL DEFAULT '';

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

-- `at` is when an answer was recorded; this is when what it says happened, where that is another moment.
ALTER TABLE acknowledgement ADD COLUMN happened_at INTEGER;
-- The record of the earlier answer that it corrects.
ALTER TABLE acknowledgement ADD COLUMN corrects INTEGER;
-- Whether it came within seconds of the mail: 'fast', or 'confirmed' where it was given twice.
ALTER TABLE acknowledgement ADD COLUMN haste TEXT NOT NULL DEFAULT '';

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
CREATE TRIGGER links_asked_stays BEFORE UPDATE ON links_asked BEGIN SELECT RAISE (ABORT, 'what was asked is never changed'); END;
CREATE TRIGGER links_asked_is_kept BEFORE DELETE ON links_asked BEGIN SELECT RAISE (ABORT, 'what was asked is never deleted'); END;

-- Assignments that only tell a story again with a new link, and the digest whose link had ended: a digest of kind
-- `links` carries them, and no other.
CREATE TABLE anew (
    assignment INTEGER PRIMARY KEY REFERENCES assignment (no),
    digest     INTEGER NOT NULL REFERENCES digest (no)
) STRICT;
CREATE TRIGGER anew_stays BEFORE UPDATE ON anew BEGIN SELECT RAISE (ABORT, 'an assignment is never changed'); END;
CREATE TRIGGER anew_is_kept BEFORE DELETE ON anew BEGIN SELECT RAISE (ABORT, 'an assignment is never deleted'); END;

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
