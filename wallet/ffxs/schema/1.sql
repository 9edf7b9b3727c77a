-- The seed from which every token and every blind derives, sealed; the
-- counter makes each batch of change and of swapped tokens a new one.
CREATE TABLE ffxs_seed (
  one     INTEGER PRIMARY KEY CHECK (one = 1),
  sealed  BLOB    NOT NULL,
  counter INTEGER NOT NULL
) STRICT;

CREATE TABLE ffxs_root (
  root       TEXT PRIMARY KEY,
  unit_msat  INTEGER, -- one value per root for ever; NULL = not seen yet
  limit_msat INTEGER  -- owner's prepaid limit; NULL = default
) STRICT, WITHOUT ROWID;

CREATE TABLE ffxs_keyset (
  id    BLOB    NOT NULL,
  root  TEXT    NOT NULL,
  rank  INTEGER NOT NULL, -- place in the Bundle; 0 issues; -1 = no longer listed
  bytes BLOB    NOT NULL,
  PRIMARY KEY (root, id)
) STRICT, WITHOUT ROWID;

-- One row per set of blinds that was or will be shown to an origin.
CREATE TABLE ffxs_issue (
  id      INTEGER PRIMARY KEY,
  root    TEXT    NOT NULL,
  kind    TEXT    NOT NULL CHECK (kind IN ('topup','swap','change')),
  ref     TEXT    NOT NULL,  -- topup: hash of the voucher; swap: holder of the tokens; change: purchase
  keyset  BLOB    NOT NULL,
  batch   BLOB    NOT NULL,  -- enters the derivation
  shape   BLOB    NOT NULL,  -- number of points by denomination, 24 bytes
  units   INTEGER NOT NULL CHECK (units > 0),
  voucher BLOB,              -- sealed, while pending
  state   TEXT    NOT NULL CHECK (state IN ('pending','done','refused','lost')),
  UNIQUE (kind, ref)
) STRICT;

-- Unspent tokens. t is not here: it derives from the seed, so that the file
-- alone is no money.
CREATE TABLE ffxs_token (
  id     INTEGER PRIMARY KEY,
  issue  INTEGER NOT NULL REFERENCES ffxs_issue (id),
  root   TEXT    NOT NULL,
  denom  INTEGER NOT NULL,
  i      INTEGER NOT NULL,
  y      BLOB    NOT NULL,
  holder TEXT    NOT NULL DEFAULT '', -- '' = free; else purchase:, swap: or lost: and an id
  UNIQUE (issue, denom, i)
) STRICT;
CREATE INDEX ffxs_token_free ON ffxs_token (root, denom) WHERE holder = '';
CREATE INDEX ffxs_token_held ON ffxs_token (holder) WHERE holder <> '';

-- One row per purchase.
CREATE TABLE ffxs_spend (
  id        TEXT PRIMARY KEY,
  root      TEXT    NOT NULL,
  units     INTEGER NOT NULL CHECK (units > 0), -- tokens set aside
  change    INTEGER NOT NULL,                   -- units asked back
  credited  INTEGER NOT NULL DEFAULT 0,         -- units that came back
  unit_msat INTEGER NOT NULL,
  state     TEXT    NOT NULL CHECK (state IN ('held','spent','freed','lost'))
) STRICT, WITHOUT ROWID;
