-- Which message shows which job, so that reactions find it weeks later.

CREATE TABLE bot_messages (
    message_id INTEGER PRIMARY KEY,
    channel_id INTEGER NOT NULL,
    guild_id INTEGER,
    user_id INTEGER NOT NULL,
    -- The job (of a comparison: its first), and the bundle where several are shown together.
    job_id TEXT NOT NULL,
    bundle_id TEXT,
    kind TEXT NOT NULL,
    sent_at REAL NOT NULL,
    -- NULL until the result is in it.
    delivered_at REAL,
    deleted INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE INDEX bot_messages_by_job ON bot_messages (job_id);
CREATE INDEX bot_messages_by_user ON bot_messages (user_id, guild_id);
CREATE INDEX bot_messages_by_guild ON bot_messages (guild_id, delivered_at);
