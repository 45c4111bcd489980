-- What servers have set, each as a JSON object of the settings that differ from the defaults.

CREATE TABLE bot_guilds (
    guild_id INTEGER PRIMARY KEY,
    settings TEXT NOT NULL
) STRICT;

-- Small things the bot remembers about itself, such as the hash of the commands it last registered.
CREATE TABLE bot_state (
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT;
