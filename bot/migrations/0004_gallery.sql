-- Stars that members gave to results: one row a member and message.
CREATE TABLE bot_stars (
    message_id INTEGER NOT NULL,
    user_id    INTEGER NOT NULL,
    starred_at REAL NOT NULL,
    PRIMARY KEY (message_id, user_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX bot_stars_by_user ON bot_stars (user_id);

-- Members who asked to be forgotten, until all of it is done.
CREATE TABLE bot_forgetting (
    request_id INTEGER PRIMARY KEY,
    user_id    INTEGER NOT NULL,
    -- NULL: everywhere.
    guild_id   INTEGER,
    tried_at   REAL NOT NULL
) STRICT;

-- Our messages that showed what was forgotten. Nothing here says whose they were.
CREATE TABLE bot_doomed_messages (
    message_id INTEGER PRIMARY KEY,
    channel_id INTEGER NOT NULL,
    tries      INTEGER NOT NULL DEFAULT 0,
    due_at     REAL NOT NULL
) STRICT;

-- Files of forgotten jobs. A worker that was at it may still write some, so they are removed again later.
CREATE TABLE bot_doomed_files (
    job_id TEXT PRIMARY KEY,
    until  REAL NOT NULL
) STRICT;
