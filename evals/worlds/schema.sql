CREATE TABLE IF NOT EXISTS customer (account_id TEXT PRIMARY KEY, record TEXT NOT NULL);

CREATE TABLE IF NOT EXISTS account (account_id TEXT PRIMARY KEY, holder TEXT NOT NULL, email TEXT NOT NULL,
                                    plan TEXT NOT NULL);

CREATE TABLE IF NOT EXISTS charge (charge_id TEXT PRIMARY KEY, account_id TEXT NOT NULL, posted_on TEXT NOT NULL,
                                   record TEXT NOT NULL, refunded_cents INTEGER NOT NULL, refunded_on TEXT,
                                   credited_cents INTEGER NOT NULL, version INTEGER NOT NULL);

CREATE TABLE IF NOT EXISTS effect (id INTEGER PRIMARY KEY, kind TEXT NOT NULL, idempotency_key TEXT NOT NULL,
                                   request TEXT NOT NULL, receipt TEXT NOT NULL);

-- Money moves once per key, whoever asks at the same moment. Mails have no such promise.
CREATE UNIQUE INDEX IF NOT EXISTS once_per_key ON effect (kind, idempotency_key) WHERE kind <> 'message';

CREATE TABLE IF NOT EXISTS request (id INTEGER PRIMARY KEY, operation TEXT NOT NULL, idempotency_key TEXT NOT NULL,
                                    body TEXT NOT NULL, status INTEGER NOT NULL);

CREATE TABLE IF NOT EXISTS fault_use (name TEXT PRIMARY KEY, uses INTEGER NOT NULL);

CREATE TABLE IF NOT EXISTS supplier (supplier_id TEXT PRIMARY KEY, record TEXT NOT NULL, version INTEGER NOT NULL);

CREATE TABLE IF NOT EXISTS offer (offer_id TEXT PRIMARY KEY, supplier_id TEXT NOT NULL, record TEXT NOT NULL,
                                  version INTEGER NOT NULL);

CREATE TABLE IF NOT EXISTS cost_centre (cost_centre TEXT PRIMARY KEY, record TEXT NOT NULL);

CREATE TABLE IF NOT EXISTS purchase (order_id TEXT PRIMARY KEY, reference TEXT NOT NULL, cost_centre TEXT NOT NULL,
                                     placed_on TEXT NOT NULL, record TEXT NOT NULL, status TEXT NOT NULL);

CREATE TABLE IF NOT EXISTS shop_record (kind TEXT NOT NULL, key TEXT NOT NULL, record TEXT NOT NULL,
                                        version INTEGER NOT NULL, PRIMARY KEY (kind, key));
