-- Jobs, the replies owed for them, and how long their stages took.
-- The order of arrival is that of rowid: job ids made within one millisecond sort at random.

CREATE TABLE jobs (
    job_id           TEXT PRIMARY KEY,
    state            TEXT NOT NULL CHECK (state IN
                     ('received', 'queued', 'running', 'done', 'delivered', 'failed', 'cancelled')),
    spec             TEXT NOT NULL,               -- JSON of the JobSpec, without its origin
    origin           TEXT NOT NULL DEFAULT '{}',  -- JSON; where the reply goes
    group_key        TEXT NOT NULL,
    member_key       TEXT NOT NULL,
    cover_path       TEXT NOT NULL DEFAULT '',
    parent_id        TEXT,
    root_id          TEXT,
    bundle_id        TEXT,
    request_key      TEXT,
    request_index    INTEGER NOT NULL DEFAULT 0,
    result_dir       TEXT,
    error            TEXT,
    stage            TEXT NOT NULL DEFAULT 'queued',
    attempts         INTEGER NOT NULL DEFAULT 0,  -- runs that ended with a broken worker or a retryable failure
    interruptions    INTEGER NOT NULL DEFAULT 0,  -- runs cut short because the client itself died
    solo             INTEGER NOT NULL DEFAULT 0,  -- must run without batch mates
    lease_owner      TEXT,
    lease_until      REAL,
    received_at      REAL NOT NULL,
    queued_at        REAL,
    started_at       REAL,
    finished_at      REAL,
    delivered_at     REAL
) STRICT;

CREATE UNIQUE INDEX jobs_by_request ON jobs (request_key, request_index) WHERE request_key IS NOT NULL;
CREATE INDEX jobs_alive ON jobs (state) WHERE state IN ('received', 'queued', 'running');
CREATE INDEX jobs_by_member ON jobs (member_key);
CREATE INDEX jobs_by_root ON jobs (root_id) WHERE root_id IS NOT NULL;
CREATE INDEX jobs_by_parent ON jobs (parent_id) WHERE parent_id IS NOT NULL;
CREATE INDEX jobs_by_bundle ON jobs (bundle_id) WHERE bundle_id IS NOT NULL;
CREATE INDEX jobs_by_finish ON jobs (finished_at) WHERE finished_at IS NOT NULL;

CREATE TABLE outbox (
    delivery_id  TEXT PRIMARY KEY,            -- the bundle's id, or the job's where it has no bundle
    created_at   REAL NOT NULL,
    due_at       REAL NOT NULL,
    attempts     INTEGER NOT NULL DEFAULT 0,  -- committed before each try: > 0 means "may have been sent"
    attempted_at REAL,
    leased_until REAL,
    last_error   TEXT,
    delivered_at REAL,
    dropped      TEXT                         -- why nobody was told, where that is so
) STRICT;

CREATE INDEX outbox_due ON outbox (due_at) WHERE delivered_at IS NULL;

CREATE TABLE stage_timings (
    id           INTEGER PRIMARY KEY,
    stage        TEXT NOT NULL,
    clip_seconds REAL NOT NULL,
    batch_size   INTEGER NOT NULL,
    elapsed      REAL NOT NULL,               -- seconds the whole batch spent in the stage
    recorded_at  REAL NOT NULL
) STRICT;
