-- A ledger of years must not slow a purchase down: every question asked at a
-- purchase is answered from an index over the rows it is about. The queries
-- repeat the conditions of these indexes word for word, or SQLite would not
-- use them.
DROP INDEX purchase_time;
CREATE INDEX purchase_time ON purchase (bought_at, state, cost, heard, n);
CREATE INDEX purchase_flight ON purchase (root, rail, price, fee, cost, bought_at)
  WHERE state IN ('intent','sent','redeeming');
CREATE INDEX purchase_settled ON purchase (bought_at) WHERE state = 'settled';

-- What was ever paid, kept by the database itself.
CREATE TABLE paid (one INTEGER PRIMARY KEY CHECK (one = 1), msat INTEGER NOT NULL) STRICT;
INSERT INTO paid SELECT 1, coalesce(sum(cost), 0) FROM purchase WHERE state IN ('settled','done','faulty','lost');
CREATE TRIGGER purchase_paid AFTER UPDATE OF state ON purchase
  WHEN old.state IN ('intent','sent','redeeming') AND new.state IN ('settled','done','faulty','lost')
BEGIN UPDATE paid SET msat = msat + new.cost; END;

-- What a calendar day has cost, by quarter of an hour (every time zone begins
-- its days at one), for the house (room '') and for each room: so that the
-- ten-thousandth purchase of a day is no slower than the first.
CREATE TABLE spent (
  at   INTEGER NOT NULL, -- start of the quarter
  room TEXT    NOT NULL,
  msat INTEGER NOT NULL,
  PRIMARY KEY (at, room)
) STRICT, WITHOUT ROWID;
INSERT INTO spent SELECT bought_at / 900000 * 900000, '', sum(cost) FROM purchase WHERE state <> 'failed' GROUP BY 1;
INSERT INTO spent SELECT bought_at / 900000 * 900000, room, sum(cost) FROM purchase_room JOIN purchase ON id = purchase WHERE state <> 'failed' GROUP BY 1, 2;
CREATE TRIGGER purchase_spent AFTER INSERT ON purchase
BEGIN
  INSERT INTO spent VALUES (new.bought_at / 900000 * 900000, '', new.cost) ON CONFLICT DO UPDATE SET msat = msat + excluded.msat;
END;
CREATE TRIGGER room_spent AFTER INSERT ON purchase_room
BEGIN
  INSERT INTO spent SELECT bought_at / 900000 * 900000, new.room, cost FROM purchase WHERE id = new.purchase
    ON CONFLICT DO UPDATE SET msat = msat + excluded.msat;
END;
CREATE TRIGGER purchase_freed AFTER UPDATE OF state ON purchase WHEN new.state = 'failed' AND old.state <> 'failed'
BEGIN
  UPDATE spent SET msat = msat - new.cost WHERE at = new.bought_at / 900000 * 900000
    AND (room = '' OR room IN (SELECT room FROM purchase_room WHERE purchase = new.id));
END;
