CREATE TABLE setting (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;

CREATE TABLE device (hash BLOB PRIMARY KEY, paired_ms INTEGER NOT NULL) STRICT;

-- What a room was set to; the speaker itself is found anew at each start.
CREATE TABLE room (
	id      TEXT PRIMARY KEY,
	name    TEXT NOT NULL,
	volume  INTEGER NOT NULL,
	muted   INTEGER NOT NULL,
	grp     TEXT NOT NULL   -- id of the group it plays with, '' = none
) STRICT;

-- The queue changes seldom, the place in it twice a second.
CREATE TABLE queue (grp TEXT PRIMARY KEY, items TEXT NOT NULL) STRICT;
CREATE TABLE place (
	grp         TEXT PRIMARY KEY,
	current     INTEGER NOT NULL,
	position_ms INTEGER NOT NULL,
	playing     INTEGER NOT NULL, -- it was playing when this was written
	at_ms       INTEGER NOT NULL  -- wall clock, to tell a crash from last month
) STRICT;
