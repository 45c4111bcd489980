-- Listening sessions.

CREATE TABLE bot_sessions (
    session_id TEXT PRIMARY KEY,
    guild_id INTEGER NOT NULL,
    voice_channel_id INTEGER NOT NULL,
    text_channel_id INTEGER NOT NULL,
    host_id INTEGER NOT NULL,
    title TEXT NOT NULL,
    theme TEXT NOT NULL,
    rounds INTEGER NOT NULL,
    blind INTEGER NOT NULL,
    versus INTEGER NOT NULL,
    volume REAL NOT NULL,
    locale TEXT NOT NULL,
    state TEXT NOT NULL,
    created_at REAL NOT NULL,
    started_at REAL,
    ended_at REAL,
    end_reason TEXT,
    board_message_id INTEGER,
    event_id INTEGER,
    -- What plays, which of its takes, and how many frames of 20 ms of it were heard.
    current_entry_id INTEGER,
    current_clip INTEGER NOT NULL DEFAULT 0,
    position INTEGER NOT NULL DEFAULT 0,
    -- The recap: its message, and when it was complete (NULL while it is owed).
    recap_message_id INTEGER,
    recap_at REAL
) STRICT;

CREATE INDEX bot_sessions_by_guild ON bot_sessions (guild_id, created_at);
CREATE INDEX bot_sessions_by_state ON bot_sessions (state);

CREATE TABLE bot_session_entries (
    session_id TEXT NOT NULL REFERENCES bot_sessions ON DELETE CASCADE,
    entry_id INTEGER NOT NULL,
    submitter_id INTEGER NOT NULL,
    submitter_name TEXT NOT NULL,
    title TEXT NOT NULL,
    state TEXT NOT NULL,
    submitted_at REAL NOT NULL,
    played_at REAL,
    cover_path TEXT,
    error TEXT,
    turn INTEGER NOT NULL,
    closed_at REAL,
    PRIMARY KEY (session_id, entry_id)
) STRICT;

CREATE INDEX bot_session_entries_by_member ON bot_session_entries (submitter_id);

-- The takes of a cover, in the order in which they are played.
CREATE TABLE bot_session_clips (
    session_id TEXT NOT NULL,
    entry_id INTEGER NOT NULL,
    clip_index INTEGER NOT NULL,
    job_id TEXT NOT NULL,
    rag INTEGER NOT NULL,
    result_dir TEXT,
    seconds REAL NOT NULL,
    PRIMARY KEY (session_id, entry_id, clip_index),
    FOREIGN KEY (session_id, entry_id) REFERENCES bot_session_entries ON DELETE CASCADE
) STRICT;

CREATE INDEX bot_session_clips_by_job ON bot_session_clips (job_id);

CREATE TABLE bot_session_votes (
    session_id TEXT NOT NULL,
    entry_id INTEGER NOT NULL,
    job_id TEXT NOT NULL,
    user_id INTEGER NOT NULL,
    score INTEGER CHECK (score BETWEEN 1 AND 5),
    starred INTEGER NOT NULL DEFAULT 0,
    at REAL NOT NULL,
    PRIMARY KEY (session_id, job_id, user_id),
    FOREIGN KEY (session_id, entry_id) REFERENCES bot_session_entries ON DELETE CASCADE
) STRICT;

CREATE INDEX bot_session_votes_by_member ON bot_session_votes (user_id);

-- Who wants the clip that plays to be skipped.
CREATE TABLE bot_session_skips (
    session_id TEXT NOT NULL,
    entry_id INTEGER NOT NULL,
    user_id INTEGER NOT NULL,
    PRIMARY KEY (session_id, entry_id, user_id),
    FOREIGN KEY (session_id, entry_id) REFERENCES bot_session_entries ON DELETE CASCADE
) STRICT;

-- Everyone who listened, voted or brought something.
CREATE TABLE bot_session_members (
    session_id TEXT NOT NULL REFERENCES bot_sessions ON DELETE CASCADE,
    user_id INTEGER NOT NULL,
    name TEXT NOT NULL,
    -- Whether they were in the voice channel while it ran.
    listened INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (session_id, user_id)
) STRICT;
