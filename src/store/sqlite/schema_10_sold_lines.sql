-- What waits to be shipped, and what was given back, of each line of the seller dashboard. Lines from
-- before are to be shipped as their order's document says; refunds of theirs are not known here.
ALTER TABLE dashboard_lines ADD COLUMN to_ship INTEGER NOT NULL DEFAULT 0;
ALTER TABLE dashboard_lines ADD COLUMN refunded_units INTEGER NOT NULL DEFAULT 0;
ALTER TABLE dashboard_lines ADD COLUMN refunded_minor INTEGER NOT NULL DEFAULT 0;

UPDATE dashboard_lines SET to_ship = 1
WHERE status = 'CONFIRMED' AND coalesce((
    SELECT json_extract(CAST(doc AS TEXT), '$.items[' || dashboard_lines.line || '].shipment')
    FROM dashboard_orders WHERE id = dashboard_lines.order_id AND json_valid(CAST(doc AS TEXT))
), 'waiting') = 'waiting';

DROP INDEX dashboard_lines_seller;
CREATE INDEX dashboard_lines_seller ON dashboard_lines
    (seller, created_at, order_id, is_sale, status, product, currency, quantity, price_minor, refunded_units,
     refunded_minor);
CREATE INDEX dashboard_lines_to_ship ON dashboard_lines (seller, created_at, order_id) WHERE to_ship = 1;
