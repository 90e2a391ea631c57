-- The evidence log. Records, nodes and checkpoints are written once; triggers refuse everything else.

CREATE TABLE record (
    idx       INTEGER PRIMARY KEY,
    bytes     BLOB NOT NULL,
    leaf_hash BLOB NOT NULL CHECK (length(leaf_hash) = 32)
) STRICT;

CREATE TRIGGER record_follows BEFORE INSERT ON record
WHEN NEW.idx IS NOT (SELECT coalesce(max(idx) + 1, 0) FROM record)
BEGIN SELECT RAISE(ABORT, 'a record takes the next index of the log'); END;
CREATE TRIGGER record_stays BEFORE UPDATE ON record
BEGIN SELECT RAISE(ABORT, 'a record is never changed'); END;
CREATE TRIGGER record_remains BEFORE DELETE ON record
BEGIN SELECT RAISE(ABORT, 'a record is never removed'); END;

-- Complete subtrees of every fourth level from level 4 on; level 0 is record.leaf_hash, and what lies between is computed.
CREATE TABLE log_node (
    level INTEGER NOT NULL CHECK (level BETWEEN 4 AND 60 AND level % 4 = 0),
    idx   INTEGER NOT NULL CHECK (idx >= 0),
    hash  BLOB NOT NULL CHECK (length(hash) = 32),
    PRIMARY KEY (level, idx)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER log_node_once BEFORE INSERT ON log_node
WHEN EXISTS (SELECT 1 FROM log_node WHERE level = NEW.level AND idx = NEW.idx)
BEGIN SELECT RAISE(ABORT, 'a node of the log is written once'); END;
CREATE TRIGGER log_node_stays BEFORE UPDATE ON log_node
BEGIN SELECT RAISE(ABORT, 'a node of the log is never changed'); END;
CREATE TRIGGER log_node_remains BEFORE DELETE ON log_node
BEGIN SELECT RAISE(ABORT, 'a node of the log is never removed'); END;

CREATE TABLE log_head (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    size INTEGER NOT NULL CHECK (size >= 0)
) STRICT;
INSERT INTO log_head (only, size) VALUES (1, 0);

CREATE TRIGGER log_head_follows BEFORE UPDATE ON log_head
WHEN NEW.size < OLD.size OR NEW.size IS NOT (SELECT coalesce(max(idx) + 1, 0) FROM record)
BEGIN SELECT RAISE(ABORT, 'the head of the log is the number of its records'); END;
CREATE TRIGGER log_head_once BEFORE INSERT ON log_head
BEGIN SELECT RAISE(ABORT, 'the log has one head'); END;
CREATE TRIGGER log_head_remains BEFORE DELETE ON log_head
BEGIN SELECT RAISE(ABORT, 'the log has one head'); END;

CREATE TABLE checkpoint (
    size INTEGER PRIMARY KEY CHECK (size >= 0),
    root BLOB NOT NULL CHECK (length(root) = 32),
    note TEXT NOT NULL
) STRICT;

-- IGNORE and not ABORT: whoever signs the same size a second time goes on with what is there.
CREATE TRIGGER checkpoint_once BEFORE INSERT ON checkpoint
WHEN EXISTS (SELECT 1 FROM checkpoint WHERE size = NEW.size)
BEGIN SELECT RAISE(IGNORE); END;
CREATE TRIGGER checkpoint_committed BEFORE INSERT ON checkpoint
WHEN NEW.size > (SELECT size FROM log_head)
BEGIN SELECT RAISE(ABORT, 'a checkpoint is of a committed size'); END;
CREATE TRIGGER checkpoint_stays BEFORE UPDATE ON checkpoint
BEGIN SELECT RAISE(ABORT, 'a checkpoint is never changed'); END;
CREATE TRIGGER checkpoint_remains BEFORE DELETE ON checkpoint
BEGIN SELECT RAISE(ABORT, 'a checkpoint is never removed'); END;

-- The openings of the commitments in the records. A row may be deleted (a person is erased), never changed.
CREATE TABLE personal (
    idx    INTEGER NOT NULL REFERENCES record (idx),
    field  TEXT NOT NULL,
    person TEXT,
    salt   BLOB NOT NULL CHECK (length(salt) = 32),
    text   TEXT NOT NULL,
    PRIMARY KEY (idx, field)
) STRICT, WITHOUT ROWID;
CREATE INDEX personal_by_person ON personal (person);

CREATE TRIGGER personal_stays BEFORE UPDATE ON personal
BEGIN SELECT RAISE(ABORT, 'a text about a person is never changed'); END;
