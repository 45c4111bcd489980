-- What servers have set, each as a JSON object of the settings that differ from the defaults.

CREATE TABLE bot_guilds (
    guild_id INTEGER PRIMARY KEY,
    settings TEXT NOT NULL
) STRICT;
