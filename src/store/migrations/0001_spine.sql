-- Facts are never updated or deleted (triggers below) but by stated retention and erasure; status lives in *_state.

CREATE TABLE configuration (
    version   INTEGER PRIMARY KEY,
    hash      TEXT NOT NULL,
    loaded_at INTEGER NOT NULL,
    record    INTEGER NOT NULL
) STRICT;

CREATE TABLE feed (
    no  INTEGER PRIMARY KEY,
    id  TEXT NOT NULL UNIQUE,
    url TEXT NOT NULL
) STRICT;

CREATE TABLE feed_state (
    feed          INTEGER PRIMARY KEY REFERENCES feed (no),
    enabled       INTEGER NOT NULL,
    next_poll_at  INTEGER NOT NULL,
    attempt       INTEGER NOT NULL DEFAULT 0,
    etag          BLOB,
    last_modified BLOB,
    state         TEXT NOT NULL DEFAULT 'new',
    since         INTEGER NOT NULL,
    cause         TEXT NOT NULL DEFAULT '',
    failures      INTEGER NOT NULL DEFAULT 0,
    failures_alike INTEGER NOT NULL DEFAULT 0,
    unseen_since  INTEGER,
    last_poll_at  INTEGER,
    last_entry_at INTEGER,
    full_fetch_at INTEGER,
    baseline_at   INTEGER,
    partial       INTEGER NOT NULL DEFAULT 0,
    -- The label that the configuration gave it last: it binds also when the feed is not configured any more.
    tlp           TEXT NOT NULL DEFAULT 'RED',
    next_poll_why TEXT NOT NULL DEFAULT '',
    -- What the last document said about when to come back, as JSON: a 304 brings no document.
    wishes        TEXT NOT NULL DEFAULT '{}',
    gone_at       INTEGER,
    alarm_at      INTEGER,
    empties       INTEGER NOT NULL DEFAULT 0,
    cuts          INTEGER NOT NULL DEFAULT 0,
    moving_to     TEXT,
    moving_since  INTEGER,
    moving_times  INTEGER NOT NULL DEFAULT 0,
    moving_asked  INTEGER,
    moved_to      TEXT,
    moved_at      INTEGER,
    move_told     INTEGER,
    -- The days on which it brought new entries: the last one and a bit for each of the 447 before it.
    active        BLOB,
    -- The record that says why it was dropped, as long as no configuration has it again.
    drop_record   INTEGER
) STRICT;
CREATE INDEX feed_due ON feed_state (next_poll_at) WHERE enabled = 1;

-- When the clock was looked at last: one that stands before it was set back.
CREATE TABLE clock_state (
    one     INTEGER PRIMARY KEY CHECK (one = 1),
    seen_at INTEGER NOT NULL
) STRICT;

-- Since when this machine reaches nearly none of the hosts that it asks, and which it could connect to lately, as JSON: a
-- `tick` that asks one host must know how those before it fared.
CREATE TABLE network_state (
    one     INTEGER PRIMARY KEY CHECK (one = 1),
    lost_at INTEGER,
    reach   TEXT NOT NULL
) STRICT;

CREATE TABLE quiet_poll_state (
    day   TEXT NOT NULL,
    feed  INTEGER NOT NULL,
    polls INTEGER NOT NULL,
    PRIMARY KEY (day, feed)
) STRICT, WITHOUT ROWID;

CREATE TABLE baseline (
    feed     INTEGER PRIMARY KEY REFERENCES feed (no),
    at       INTEGER NOT NULL,
    recorded INTEGER NOT NULL,
    matched  TEXT NOT NULL
) STRICT;

CREATE TABLE story (
    no            INTEGER PRIMARY KEY,
    first_seen_at INTEGER NOT NULL
) STRICT;

CREATE TABLE story_key (
    key   TEXT PRIMARY KEY,
    story INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- The key of an entry outlives its texts, or old advisories would come back as news.
CREATE TABLE entry (
    no            INTEGER PRIMARY KEY,
    feed          INTEGER NOT NULL,
    key           BLOB NOT NULL,
    story         INTEGER NOT NULL,
    first_seen_at INTEGER NOT NULL,
    UNIQUE (feed, key)
) STRICT;
CREATE INDEX entry_story ON entry (story);

-- The newest other key of an entry whose publisher gave it another id. Its own key stays and comes first.
CREATE TABLE entry_alias_state (
    entry INTEGER PRIMARY KEY REFERENCES entry (no),
    feed  INTEGER NOT NULL,
    key   BLOB NOT NULL,
    UNIQUE (feed, key)
) STRICT;

CREATE TABLE revision (
    entry      INTEGER NOT NULL,
    n          INTEGER NOT NULL,
    seen_at    INTEGER NOT NULL,
    content    BLOB NOT NULL,
    fate       TEXT NOT NULL,
    config     INTEGER NOT NULL,
    record     INTEGER NOT NULL,
    published  INTEGER,
    updated    INTEGER,
    exploited  INTEGER NOT NULL,
    cvss       INTEGER,
    severity   TEXT,
    guid       TEXT,
    link       TEXT,
    title      TEXT,
    summary    TEXT,
    body       TEXT,
    authors    TEXT,
    categories TEXT,
    -- What changed since the revision before, as JSON.
    change     TEXT,
    -- What is left of title and link when retention has removed the texts.
    title_trace BLOB,
    link_trace  BLOB,
    PRIMARY KEY (entry, n)
) STRICT;
CREATE INDEX revision_seen ON revision (seen_at) WHERE title IS NOT NULL OR summary IS NOT NULL OR body IS NOT NULL;

CREATE TABLE tag (
    entry      INTEGER NOT NULL,
    revision   INTEGER NOT NULL,
    kind       TEXT NOT NULL,
    id         TEXT NOT NULL,
    term       TEXT NOT NULL,
    field      TEXT NOT NULL,
    start      INTEGER NOT NULL,
    stop       INTEGER NOT NULL,
    snippet    TEXT NOT NULL,
    method     TEXT NOT NULL,
    confidence INTEGER NOT NULL,
    PRIMARY KEY (entry, revision, kind, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE assignment (
    no         INTEGER PRIMARY KEY,
    story      INTEGER NOT NULL REFERENCES story (no),
    owner      TEXT NOT NULL,
    round      INTEGER NOT NULL,
    entry      INTEGER NOT NULL,
    revision   INTEGER NOT NULL,
    reason     TEXT NOT NULL,
    urgent     INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    config     INTEGER NOT NULL,
    UNIQUE (story, owner, round)
) STRICT;
CREATE INDEX assignment_owner ON assignment (owner);

-- Assignments that another one replaced: their owner left, or the story became urgent.
CREATE TABLE reassigned (
    assignment INTEGER PRIMARY KEY REFERENCES assignment (no),
    at         INTEGER NOT NULL
) STRICT;

-- A story that an owner may not be sent, and who was given it instead.
CREATE TABLE withheld (
    story      INTEGER NOT NULL REFERENCES story (no),
    owner      TEXT NOT NULL,
    feed       INTEGER NOT NULL,
    ask        TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (story, owner)
) STRICT, WITHOUT ROWID;
CREATE INDEX withheld_owner ON withheld (owner);

CREATE TABLE listing (
    entry      INTEGER PRIMARY KEY,
    feed       INTEGER NOT NULL,
    owner      TEXT NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX listing_owner ON listing (owner);

-- What no digest has carried yet, so that a look at it costs nothing for what was told long ago. Kept by the
-- triggers at the end.
CREATE TABLE waiting_state (
    assignment INTEGER PRIMARY KEY REFERENCES assignment (no),
    owner      TEXT NOT NULL,
    urgent     INTEGER NOT NULL
) STRICT;
CREATE INDEX waiting_owner ON waiting_state (owner, urgent);

CREATE TABLE listing_state (
    entry INTEGER PRIMARY KEY,
    owner TEXT NOT NULL
) STRICT;
CREATE INDEX listing_state_owner ON listing_state (owner);

-- Entries that are held because a feed brought many more than usual: what one decision is about.
CREATE TABLE flood (
    no    INTEGER PRIMARY KEY,
    feed  INTEGER NOT NULL REFERENCES feed (no),
    usual INTEGER NOT NULL
) STRICT;
CREATE INDEX flood_feed ON flood (feed);

-- The polls that brought them. More of them join a flood until it is decided.
CREATE TABLE held_poll (
    flood   INTEGER NOT NULL REFERENCES flood (no),
    at      INTEGER NOT NULL,
    entries INTEGER NOT NULL,
    sent    INTEGER NOT NULL,
    record  INTEGER NOT NULL
) STRICT;
CREATE INDEX held_poll_flood ON held_poll (flood);

CREATE TABLE flood_decision (
    flood    INTEGER PRIMARY KEY REFERENCES flood (no),
    decision TEXT NOT NULL,
    entries  INTEGER NOT NULL,
    owner    TEXT NOT NULL,
    digest   INTEGER REFERENCES digest (no),
    via      TEXT NOT NULL,
    at       INTEGER NOT NULL,
    record   INTEGER NOT NULL
) STRICT;

-- Where each of those entries is: held until it ended somewhere, as the word of a fate.
CREATE TABLE held_state (
    entry INTEGER PRIMARY KEY,
    flood INTEGER NOT NULL REFERENCES flood (no),
    ended TEXT
) STRICT;
CREATE INDEX held_flood ON held_state (flood, entry);
CREATE INDEX held_waiting ON held_state (flood) WHERE ended IS NULL;

CREATE TABLE owner_state (
    owner          TEXT PRIMARY KEY,
    schedule       TEXT NOT NULL,
    zone           TEXT NOT NULL,
    next_digest_at INTEGER,
    last_digest_at INTEGER
) STRICT, WITHOUT ROWID;

CREATE TABLE digest (
    no            INTEGER PRIMARY KEY,
    owner         TEXT NOT NULL,
    kind          TEXT NOT NULL,
    scheduled_for INTEGER NOT NULL,
    composed_at   INTEGER NOT NULL,
    address       TEXT NOT NULL,
    message_id    TEXT NOT NULL UNIQUE,
    subject       TEXT NOT NULL,
    bytes         BLOB NOT NULL,
    sha256        BLOB NOT NULL,
    record        INTEGER NOT NULL,
    UNIQUE (owner, kind, scheduled_for)
) STRICT;

CREATE TABLE digest_story (
    digest     INTEGER NOT NULL REFERENCES digest (no),
    number     INTEGER NOT NULL,
    story      INTEGER NOT NULL REFERENCES story (no),
    assignment INTEGER NOT NULL UNIQUE REFERENCES assignment (no),
    PRIMARY KEY (digest, number)
) STRICT, WITHOUT ROWID;
CREATE INDEX digest_story_story ON digest_story (story);

CREATE TABLE digest_listing (
    entry  INTEGER NOT NULL,
    digest INTEGER NOT NULL REFERENCES digest (no),
    PRIMARY KEY (entry, digest)
) STRICT, WITHOUT ROWID;
CREATE INDEX digest_listing_digest ON digest_listing (digest);

-- The feeds whose words are in a digest.
CREATE TABLE digest_feed (
    digest INTEGER NOT NULL REFERENCES digest (no),
    feed   INTEGER NOT NULL REFERENCES feed (no),
    PRIMARY KEY (digest, feed)
) STRICT, WITHOUT ROWID;

CREATE TABLE digest_withheld (
    story  INTEGER NOT NULL,
    owner  TEXT NOT NULL,
    digest INTEGER NOT NULL REFERENCES digest (no),
    PRIMARY KEY (story, owner, digest)
) STRICT, WITHOUT ROWID;

CREATE TABLE digest_baseline (
    feed   INTEGER NOT NULL,
    owner  TEXT NOT NULL,
    digest INTEGER NOT NULL REFERENCES digest (no),
    PRIMARY KEY (feed, owner, digest)
) STRICT, WITHOUT ROWID;

-- What each digest told its owner for the first time of the health of a feed.
CREATE TABLE digest_notice (
    digest INTEGER NOT NULL REFERENCES digest (no),
    feed   INTEGER NOT NULL REFERENCES feed (no),
    notice TEXT NOT NULL,
    state  TEXT NOT NULL,
    PRIMARY KEY (digest, feed)
) STRICT, WITHOUT ROWID;

CREATE TABLE digest_flood (
    digest INTEGER NOT NULL REFERENCES digest (no),
    flood  INTEGER NOT NULL REFERENCES flood (no),
    PRIMARY KEY (digest, flood)
) STRICT, WITHOUT ROWID;

CREATE TABLE delivery (
    no        INTEGER PRIMARY KEY,
    digest    INTEGER NOT NULL UNIQUE REFERENCES digest (no),
    queued_at INTEGER NOT NULL
) STRICT;

CREATE TABLE attempt (
    delivery   INTEGER NOT NULL REFERENCES delivery (no),
    n          INTEGER NOT NULL,
    started_at INTEGER NOT NULL,
    PRIMARY KEY (delivery, n)
) STRICT, WITHOUT ROWID;

CREATE TABLE receipt (
    delivery    INTEGER NOT NULL REFERENCES delivery (no),
    n           INTEGER NOT NULL,
    finished_at INTEGER NOT NULL,
    outcome     TEXT NOT NULL,
    code        INTEGER,
    reply       TEXT NOT NULL,
    record      INTEGER NOT NULL,
    PRIMARY KEY (delivery, n)
) STRICT, WITHOUT ROWID;

CREATE TABLE delivery_state (
    delivery        INTEGER PRIMARY KEY REFERENCES delivery (no),
    state           TEXT NOT NULL,
    attempts        INTEGER NOT NULL DEFAULT 0,
    next_attempt_at INTEGER
) STRICT;
CREATE INDEX delivery_due ON delivery_state (state, next_attempt_at);

-- The digests that left or still may. What a withdrawn or refused one lists is told to nobody, and waits again.
CREATE VIEW standing_digest AS
SELECT digest FROM delivery JOIN delivery_state ON delivery_state.delivery = delivery.no WHERE state NOT IN ('withdrawn', 'rejected', 'given-up');

CREATE TABLE acknowledgement (
    no          INTEGER PRIMARY KEY,
    nonce       TEXT NOT NULL UNIQUE,
    owner       TEXT NOT NULL,
    digest      INTEGER REFERENCES digest (no),
    disposition TEXT NOT NULL,
    note        TEXT,
    reference   TEXT,
    via         TEXT NOT NULL,
    at          INTEGER NOT NULL,
    record      INTEGER NOT NULL
) STRICT;

CREATE TABLE acknowledgement_story (
    acknowledgement INTEGER NOT NULL REFERENCES acknowledgement (no),
    story           INTEGER NOT NULL REFERENCES story (no),
    PRIMARY KEY (acknowledgement, story)
) STRICT, WITHOUT ROWID;
CREATE INDEX acknowledgement_by_story ON acknowledgement_story (story);

-- An assignment waits until a digest carries it or another one replaces it. A line waits until a digest carries it,
-- and again when that digest is withdrawn and no later one carries it; it does not wait for an owner who has the same
-- story.
CREATE TRIGGER assignment_waits AFTER INSERT ON assignment BEGIN
    INSERT INTO waiting_state (assignment, owner, urgent) VALUES (NEW.no, NEW.owner, NEW.urgent);
    DELETE FROM listing_state
    WHERE entry IN (SELECT no FROM entry WHERE story = NEW.story) AND +owner = NEW.owner;
END;
CREATE TRIGGER assignment_is_told AFTER INSERT ON digest_story BEGIN
    DELETE FROM waiting_state WHERE assignment = NEW.assignment;
END;
CREATE TRIGGER assignment_is_replaced AFTER INSERT ON reassigned BEGIN
    DELETE FROM waiting_state WHERE assignment = NEW.assignment;
END;
CREATE TRIGGER listing_waits AFTER INSERT ON listing
WHEN NOT EXISTS (SELECT 1 FROM entry JOIN assignment ON assignment.story = entry.story
                 WHERE entry.no = NEW.entry AND assignment.owner = NEW.owner)
BEGIN
    INSERT INTO listing_state (entry, owner) VALUES (NEW.entry, NEW.owner);
END;
CREATE TRIGGER listing_is_told AFTER INSERT ON digest_listing BEGIN
    DELETE FROM listing_state WHERE entry = NEW.entry;
END;
CREATE TRIGGER listing_waits_again AFTER UPDATE OF state ON delivery_state
WHEN NEW.state IN ('withdrawn', 'rejected', 'given-up') AND NEW.state <> OLD.state
BEGIN
    INSERT OR IGNORE INTO listing_state (entry, owner)
    SELECT listing.entry, listing.owner FROM delivery
    JOIN digest_listing ON digest_listing.digest = delivery.digest
    JOIN listing ON listing.entry = digest_listing.entry WHERE delivery.no = NEW.delivery
        AND NOT EXISTS (SELECT 1 FROM digest_listing AS later JOIN standing_digest USING (digest)
            WHERE later.entry = listing.entry AND later.digest > delivery.digest);
END;

-- Facts stay as they were written.
CREATE TRIGGER entry_stays BEFORE UPDATE ON entry BEGIN SELECT RAISE (ABORT, 'an entry is never changed'); END;
CREATE TRIGGER entry_is_kept BEFORE DELETE ON entry BEGIN SELECT RAISE (ABORT, 'an entry is never deleted'); END;
CREATE TRIGGER revision_stays BEFORE UPDATE ON revision
WHEN NEW.entry IS NOT OLD.entry OR NEW.n IS NOT OLD.n OR NEW.content IS NOT OLD.content OR NEW.fate IS NOT OLD.fate
    OR NEW.config IS NOT OLD.config OR NEW.seen_at IS NOT OLD.seen_at OR NEW.record IS NOT OLD.record
    OR NEW.title IS NOT NULL OR NEW.summary IS NOT NULL OR NEW.body IS NOT NULL OR NEW.authors IS NOT NULL
    OR NEW.categories IS NOT NULL OR NEW.guid IS NOT NULL OR NEW.link IS NOT NULL OR NEW.change IS NOT NULL
    OR (OLD.title_trace IS NOT NULL AND NEW.title_trace IS NOT OLD.title_trace)
    OR (OLD.link_trace IS NOT NULL AND NEW.link_trace IS NOT OLD.link_trace)
BEGIN SELECT RAISE (ABORT, 'a revision is never changed, only emptied by retention'); END;
CREATE TRIGGER revision_is_kept BEFORE DELETE ON revision BEGIN SELECT RAISE (ABORT, 'a revision is never deleted'); END;
CREATE TRIGGER digest_stays BEFORE UPDATE ON digest BEGIN SELECT RAISE (ABORT, 'a digest is never changed'); END;
CREATE TRIGGER digest_is_kept BEFORE DELETE ON digest BEGIN SELECT RAISE (ABORT, 'a digest is never deleted'); END;
CREATE TRIGGER assignment_stays BEFORE UPDATE ON assignment BEGIN SELECT RAISE (ABORT, 'an assignment is never changed'); END;
CREATE TRIGGER assignment_is_kept BEFORE DELETE ON assignment BEGIN SELECT RAISE (ABORT, 'an assignment is never deleted'); END;
CREATE TRIGGER attempt_stays BEFORE UPDATE ON attempt BEGIN SELECT RAISE (ABORT, 'an attempt is never changed'); END;
CREATE TRIGGER attempt_is_kept BEFORE DELETE ON attempt BEGIN SELECT RAISE (ABORT, 'an attempt is never deleted'); END;
CREATE TRIGGER receipt_stays BEFORE UPDATE ON receipt BEGIN SELECT RAISE (ABORT, 'a receipt is never changed'); END;
CREATE TRIGGER receipt_is_kept BEFORE DELETE ON receipt BEGIN SELECT RAISE (ABORT, 'a receipt is never deleted'); END;
CREATE TRIGGER acknowledgement_stays BEFORE UPDATE ON acknowledgement
BEGIN SELECT RAISE (ABORT, 'an acknowledgement is never changed'); END;
CREATE TRIGGER acknowledgement_is_kept BEFORE DELETE ON acknowledgement
BEGIN SELECT RAISE (ABORT, 'an acknowledgement is never deleted'); END;
CREATE TRIGGER held_poll_stays BEFORE UPDATE ON held_poll BEGIN SELECT RAISE (ABORT, 'a flood is never changed'); END;
CREATE TRIGGER held_poll_is_kept BEFORE DELETE ON held_poll BEGIN SELECT RAISE (ABORT, 'a flood is never deleted'); END;
CREATE TRIGGER flood_decision_stays BEFORE UPDATE ON flood_decision
BEGIN SELECT RAISE (ABORT, 'a decision is never changed'); END;
CREATE TRIGGER flood_decision_is_kept BEFORE DELETE ON flood_decision
BEGIN SELECT RAISE (ABORT, 'a decision is never deleted'); END;
