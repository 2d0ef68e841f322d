-- The gateway's reports are kept until they are worked on, and for a while after. Those seen
-- before this step are done.
ALTER TABLE webhooks ADD COLUMN body BLOB;
ALTER TABLE webhooks ADD COLUMN attempts INTEGER NOT NULL DEFAULT 0;
ALTER TABLE webhooks ADD COLUMN due_at INTEGER;
ALTER TABLE webhooks ADD COLUMN outcome TEXT;
CREATE INDEX webhooks_due ON webhooks (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX webhooks_age ON webhooks (seen_at);

-- Which payment of the gateway paid an order.
ALTER TABLE payments ADD COLUMN payment_id TEXT;
CREATE INDEX payments_gateway ON payments (payment_id) WHERE payment_id IS NOT NULL;

CREATE INDEX users_role ON users (json_extract(CAST(doc AS TEXT), '$.role'), id);
