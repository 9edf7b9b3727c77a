-- One row per purchase. Money in msat, times in ms since 1970.
CREATE TABLE purchase (
  id        TEXT PRIMARY KEY,
  rail      INTEGER NOT NULL,
  root      TEXT    NOT NULL,
  broadcast TEXT    NOT NULL,
  tier      INTEGER NOT NULL,
  first     INTEGER NOT NULL CHECK (first >= 0),
  n         INTEGER NOT NULL CHECK (n BETWEEN 1 AND 30),
  epoch_ms  INTEGER NOT NULL,
  price     INTEGER NOT NULL CHECK (price > 0), -- the hub's own price, ceiling of every grant
  fee       INTEGER NOT NULL,                   -- largest fee
  cost      INTEGER NOT NULL CHECK (cost > 0),  -- the most that leaves, with rounding and fee
  amount    INTEGER,                            -- as granted; NULL until then
  state     TEXT    NOT NULL CHECK (state IN ('intent','sent','redeeming','settled','done','failed','faulty','lost')),
  heard     INTEGER NOT NULL DEFAULT 0 CHECK (heard BETWEEN 0 AND n),
  reason    TEXT    NOT NULL DEFAULT '',
  body      BLOB,                               -- sealed; what opens the purchase; NULL once final
  bought_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX purchase_open ON purchase (root, broadcast, tier, first)
  WHERE state IN ('intent','sent','redeeming','settled');
CREATE INDEX purchase_time ON purchase (bought_at);

CREATE TABLE purchase_room (
  purchase TEXT NOT NULL REFERENCES purchase (id),
  room     TEXT NOT NULL,
  PRIMARY KEY (purchase, room)
) STRICT, WITHOUT ROWID;

-- What is known of an origin on one rail: level of the exposure window
-- (doublings), clean purchases at this level, purchases it lost.
CREATE TABLE trust (
  root    TEXT    NOT NULL,
  rail    INTEGER NOT NULL,
  level   INTEGER NOT NULL DEFAULT 0,
  clean   INTEGER NOT NULL DEFAULT 0,
  lost    INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (root, rail)
) STRICT, WITHOUT ROWID;

CREATE TABLE blocked (
  root   TEXT PRIMARY KEY,
  reason TEXT NOT NULL,
  since  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE cap (
  kind TEXT PRIMARY KEY,
  msat INTEGER NOT NULL CHECK (msat >= 0)
) STRICT, WITHOUT ROWID;
