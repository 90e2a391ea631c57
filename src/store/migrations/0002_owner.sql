-- Who has a story now, and what became of it with its owner.

-- Why somebody else has the story now; empty: the same owner is told again.
ALTER TABLE reassigned ADD COLUMN why TEXT NOT NULL DEFAULT '';
