-- Results are accepted under the fence of the run that made them; errors have a code that is translated.

ALTER TABLE jobs ADD COLUMN fence INTEGER NOT NULL DEFAULT 0;  -- raised each time a run of the job is given up
ALTER TABLE jobs ADD COLUMN error_code TEXT;                   -- names the sentence in `error`; NULL: no code
ALTER TABLE jobs ADD COLUMN error_params TEXT;                 -- JSON object; what the sentence's placeholders are

-- Unfinished jobs that this version cannot read (damaged, or written by a newer one). They are put back
-- when a version opens the journal that can.
CREATE TABLE unreadable_jobs (
    job_id     TEXT PRIMARY KEY,
    group_key  TEXT NOT NULL,
    member_key TEXT NOT NULL,
    row        TEXT NOT NULL,  -- JSON object; all columns of the row in `jobs`
    reason     TEXT NOT NULL,
    since      REAL NOT NULL
) STRICT;
