-- name: seed_customer
-- Enter a customer unless the file has them.
INSERT OR IGNORE INTO customer (account_id, record) VALUES (:account_id, :record);

-- name: seed_account
-- Open an account unless the file has it.
INSERT OR IGNORE INTO account (account_id, holder, email, plan) VALUES (:account_id, :holder, :email, :plan);

-- name: seed_charge
-- Enter a charge unless the file has it, perhaps refunded by now.
INSERT OR IGNORE INTO charge (charge_id, account_id, posted_on, record, refunded_cents, refunded_on, credited_cents,
                              version)
VALUES (:charge_id, :account_id, :posted_on, :record, :refunded_cents, :refunded_on, :credited_cents, :version);

-- name: customer
-- One customer of the register.
SELECT record FROM customer WHERE account_id = :account_id;

-- name: account
-- One account of the billing system.
SELECT holder, email, plan FROM account WHERE account_id = :account_id;

-- name: charges
-- An account's charges from a day on, oldest first.
SELECT record, refunded_cents, refunded_on, credited_cents, version FROM charge
WHERE account_id = :account_id AND posted_on >= :since ORDER BY posted_on, charge_id;

-- name: charge
-- One charge of an account.
SELECT record, refunded_cents, refunded_on, credited_cents, version FROM charge
WHERE charge_id = :charge_id AND account_id = :account_id;

-- name: give_back
-- Book a refund or a credit on a charge, which is another version from then on.
UPDATE charge SET refunded_cents = refunded_cents + :refunded_cents,
                  refunded_on = CASE WHEN :refunded_cents > 0 THEN :today ELSE refunded_on END,
                  credited_cents = credited_cents + :credited_cents,
                  version = version + 1
WHERE charge_id = :charge_id;

-- name: effect_by_key
-- What was done under a key.
SELECT request, receipt FROM effect WHERE kind = :kind AND idempotency_key = :idempotency_key ORDER BY id;

-- name: insert_effect
-- Record what was done.
INSERT INTO effect (kind, idempotency_key, request, receipt) VALUES (:kind, :idempotency_key, :request, :receipt);

-- name: effects
-- Everything that was done, in order.
SELECT kind, idempotency_key, request, receipt FROM effect ORDER BY id;

-- name: insert_request
-- Log one request and its answer.
INSERT INTO request (operation, idempotency_key, body, status) VALUES (:operation, :idempotency_key, :body, :status);

-- name: requests
-- Every request, in order.
SELECT operation, idempotency_key, body, status FROM request ORDER BY id;

-- name: use_fault
-- Count one more use of a fault; no row when it is used up. No limit: it never is.
INSERT INTO fault_use (name, uses) VALUES (:name, 1)
ON CONFLICT (name) DO UPDATE SET uses = uses + 1 WHERE :times IS NULL OR uses < :times
RETURNING uses;

-- name: seed_supplier
-- Register a supplier unless the file has it.
INSERT OR IGNORE INTO supplier (supplier_id, record, version) VALUES (:supplier_id, :record, :version);

-- name: seed_offer
-- Enter an offer unless the file has it.
INSERT OR IGNORE INTO offer (offer_id, supplier_id, record, version) VALUES (:offer_id, :supplier_id, :record, :version);

-- name: seed_cost_centre
-- Enter a cost centre unless the file has it.
INSERT OR IGNORE INTO cost_centre (cost_centre, record) VALUES (:cost_centre, :record);

-- name: enter_purchase
-- Enter an order unless the file has it.
INSERT OR IGNORE INTO purchase (order_id, reference, cost_centre, placed_on, record, status)
VALUES (:order_id, :reference, :cost_centre, :placed_on, :record, :status);

-- name: suppliers
-- Every supplier of the register.
SELECT record, version FROM supplier ORDER BY supplier_id;

-- name: supplier
-- One supplier of the register.
SELECT record, version FROM supplier WHERE supplier_id = :supplier_id;

-- name: change_supplier
-- Change a supplier, which is another version from then on.
UPDATE supplier SET record = :record, version = version + 1 WHERE supplier_id = :supplier_id;

-- name: offers
-- What a supplier offers.
SELECT record, version FROM offer WHERE supplier_id = :supplier_id ORDER BY offer_id;

-- name: offer
-- One offer of a supplier.
SELECT record, version FROM offer WHERE offer_id = :offer_id AND supplier_id = :supplier_id;

-- name: change_offer
-- Change an offer, which is another version from then on.
UPDATE offer SET record = :record, version = version + 1 WHERE offer_id = :offer_id;

-- name: cost_centre
-- One cost centre.
SELECT record FROM cost_centre WHERE cost_centre = :cost_centre;

-- name: purchases
-- A cost centre's orders from a day on, oldest first.
SELECT record, status FROM purchase WHERE cost_centre = :cost_centre AND placed_on >= :since
ORDER BY placed_on, order_id;

-- name: purchase
-- One order.
SELECT record, status FROM purchase WHERE order_id = :order_id;

-- name: open_purchase
-- The open order of a reference.
SELECT order_id FROM purchase WHERE reference = :reference AND status = 'open';

-- name: cancel_purchase
-- Cancel an order.
UPDATE purchase SET status = 'cancelled' WHERE order_id = :order_id;

-- name: seed_shop_record
-- Enter a customer, an order or a product of the shop unless the file has it.
INSERT OR IGNORE INTO shop_record (kind, key, record, version) VALUES (:kind, :key, :record, 1);

-- name: shop_record
-- One customer, order or product of the shop.
SELECT record, version FROM shop_record WHERE kind = :kind AND key = :key;

-- name: shop_records
-- Every record of a kind.
SELECT key, record, version FROM shop_record WHERE kind = :kind ORDER BY key;

-- name: keep_shop_record
-- Change a record, which is another version from then on.
UPDATE shop_record SET record = :record, version = version + 1 WHERE kind = :kind AND key = :key;
