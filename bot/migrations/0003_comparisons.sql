-- What members heard in comparisons: one row a member and comparison.
CREATE TABLE bot_ballots (
    bundle_id TEXT NOT NULL,
    user_id   INTEGER NOT NULL,
    -- NULL in direct messages.
    guild_id  INTEGER,
    -- 'rag', 'without', 'same'; NULL for who asked which take is which without having voted.
    choice    TEXT CHECK (choice IN ('rag', 'without', 'same')),
    -- Whether the member has been told which take is which; the vote is closed for them then.
    told      INTEGER NOT NULL DEFAULT 0,
    voted_at  REAL NOT NULL,
    PRIMARY KEY (bundle_id, user_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX bot_ballots_by_user ON bot_ballots (user_id);
CREATE INDEX bot_ballots_by_guild ON bot_ballots (guild_id);
