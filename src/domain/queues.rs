//! Every named queue: its publisher, its reader, and its event.
//!
//! **Invariant:** a name in this table never changes; other programs declare the same queues.

/// A named queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Queue {
    /// Its name at the broker.
    pub name: &'static str,
    /// The service that publishes to it by name, `None` if only other programs do.
    pub publisher: Option<&'static str>,
    /// The service that reads it.
    pub reader: &'static str,
    /// The name of the event in it. [`ORDER_UPDATED_DASHBOARD`] carries every later event of
    /// an order; each message's `type` is its own.
    pub event: &'static str,
    /// The routing keys by which it is bound to [`EXCHANGE`]. Empty for a queue that is published to by name.
    pub bound_to: &'static [&'static str],
}

impl Queue {
    /// Whether the exchange routes messages with this routing key to it.
    #[must_use]
    pub fn takes(&self, routing_key: &str) -> bool {
        self.bound_to.iter().any(|pattern| topic_matches(pattern, routing_key))
    }
}

/// Whether `key` matches `pattern` in a topic exchange, where `*` is one word.
fn topic_matches(pattern: &str, key: &str) -> bool {
    let (mut wanted, mut words) = (pattern.split('.'), key.split('.'));
    loop {
        match (wanted.next(), words.next()) {
            (None, None) => return true,
            (Some(want), Some(word)) if want == "*" || want == word => {}
            _ => return false,
        }
    }
}

macro_rules! queues {
    ($($const:ident = $name:literal, $publisher:expr, $reader:literal, $event:literal $(, bound_to $keys:expr)?;)*) => {
        $(#[doc = concat!("`", $name, "`, read by ", $reader, ".")]
        pub const $const: &str = $name;)*

        /// Every queue.
        pub const QUEUES: &[Queue] = &[
            $(Queue {
                name: $const,
                publisher: $publisher,
                reader: $reader,
                event: $event,
                bound_to: queues!(@keys $($keys)?),
            },)*
        ];
    };
    (@keys) => { &[] };
    (@keys $keys:expr) => { $keys };
}

queues! {
    USER_CREATED_NOTIFICATION = "AUTH_NOTIFICATION.USER_CREATED", Some("auth"), "notification", "USER_CREATED";
    USER_CREATED_DASHBOARD = "AUTH_SELLER_DASHBOARD.USER_CREATED", Some("auth"), "seller-dashboard", "USER_CREATED";
    PASSWORD_RESET_NOTIFICATION = "AUTH_NOTIFICATION.PASSWORD_RESET_REQUESTED", Some("auth"), "notification", "PASSWORD_RESET_REQUESTED";
    PASSWORD_CHANGED_NOTIFICATION = "AUTH_NOTIFICATION.PASSWORD_CHANGED", Some("auth"), "notification", "PASSWORD_CHANGED";
    EMAIL_CONFIRMATION_NOTIFICATION = "AUTH_NOTIFICATION.EMAIL_CONFIRMATION_REQUESTED", Some("auth"), "notification", "EMAIL_CONFIRMATION_REQUESTED";
    EMAIL_CHANGE_NOTIFICATION = "AUTH_NOTIFICATION.EMAIL_CHANGE_REQUESTED", Some("auth"), "notification", "EMAIL_CHANGE_REQUESTED";
    USER_DELETED_PRODUCT = "AUTH_PRODUCT.USER_DELETED", Some("auth"), "product", "USER_DELETED";
    USER_DELETED_CART = "AUTH_CART.USER_DELETED", Some("auth"), "cart", "USER_DELETED";
    USER_DELETED_ORDER = "AUTH_ORDER.USER_DELETED", Some("auth"), "order", "USER_DELETED";
    USER_DELETED_PAYMENT = "AUTH_PAYMENT.USER_DELETED", Some("auth"), "payment", "USER_DELETED";
    USER_DELETED_AI_BUDDY = "AUTH_AI_BUDDY.USER_DELETED", Some("auth"), "ai-buddy", "USER_DELETED";
    USER_DELETED_NOTIFICATION = "AUTH_NOTIFICATION.USER_DELETED", Some("auth"), "notification", "USER_DELETED";
    USER_DELETED_DASHBOARD = "AUTH_SELLER_DASHBOARD.USER_DELETED", Some("auth"), "seller-dashboard", "USER_DELETED";
    PRODUCT_CREATED_NOTIFICATION = "PRODUCT_NOTIFICATION.PRODUCT_CREATED", Some("product"), "notification", "PRODUCT_CREATED";
    PRODUCT_CREATED_DASHBOARD = "PRODUCT_SELLER_DASHBOARD.PRODUCT_CREATED", Some("product"), "seller-dashboard", "PRODUCT_CREATED";
    PRODUCT_IMPORT_FINISHED_NOTIFICATION = "PRODUCT_NOTIFICATION.PRODUCT_IMPORT_FINISHED", Some("product"), "notification", "PRODUCT_IMPORT_FINISHED";
    PRODUCT_UPDATED_DASHBOARD = "PRODUCT_SELLER_DASHBOARD.PRODUCT_UPDATED", Some("product"), "seller-dashboard", "PRODUCT_UPDATED";
    PRODUCT_DELETED_DASHBOARD = "PRODUCT_SELLER_DASHBOARD.PRODUCT_DELETED", Some("product"), "seller-dashboard", "PRODUCT_DELETED";
    ORDER_CREATED_DASHBOARD = "ORDER_SELLER_DASHBOARD.ORDER_CREATED", Some("order"), "seller-dashboard", "ORDER_CREATED";
    ORDER_UPDATED_DASHBOARD = "ORDER_SELLER_DASHBOARD.ORDER_UPDATED", Some("order"), "seller-dashboard", "ORDER_UPDATED";
    ORDER_CONFIRMED_NOTIFICATION = "ORDER_NOTIFICATION.ORDER_CONFIRMED", Some("order"), "notification", "ORDER_CONFIRMED";
    ORDER_SHIPPED_NOTIFICATION = "ORDER_NOTIFICATION.ORDER_SHIPPED", Some("order"), "notification", "ORDER_SHIPPED";
    ORDER_DELIVERED_NOTIFICATION = "ORDER_NOTIFICATION.ORDER_DELIVERED", Some("order"), "notification", "ORDER_DELIVERED";
    ORDER_CANCELLED_NOTIFICATION = "ORDER_NOTIFICATION.ORDER_CANCELLED", Some("order"), "notification", "ORDER_CANCELLED";
    PAYMENT_INITIATED_NOTIFICATION = "PAYMENT_NOTIFICATION.PAYMENT_INITIATED", Some("payment"), "notification", "PAYMENT_INITIATED";
    PAYMENT_COMPLETED_NOTIFICATION = "PAYMENT_NOTIFICATION.PAYMENT_COMPLETED", Some("payment"), "notification", "PAYMENT_COMPLETED";
    PAYMENT_FAILED_NOTIFICATION = "PAYMENT_NOTIFICATION.PAYMENT_FAILED", Some("payment"), "notification", "PAYMENT_FAILED";
    PAYMENT_REFUNDED_NOTIFICATION = "PAYMENT_NOTIFICATION.PAYMENT_REFUNDED", Some("payment"), "notification", "PAYMENT_REFUNDED";
    PAYMENT_DISPUTED_NOTIFICATION = "PAYMENT_NOTIFICATION.PAYMENT_DISPUTED", Some("payment"), "notification", "PAYMENT_DISPUTED";
    PAYMENT_CREATED_DASHBOARD = "PAYMENT_SELLER_DASHBOARD.PAYMENT_CREATED", Some("payment"), "seller-dashboard", "PAYMENT_CREATED";
    PAYMENT_UPDATED_DASHBOARD = "PAYMENT_SELLER_DASHBOARD.PAYMENT_UPDATED", Some("payment"), "seller-dashboard", "PAYMENT_UPDATED";
    PAYMENT_UPDATE_DASHBOARD = "PAYMENT_SELLER_DASHBOARD.PAYMENT_UPDATE", None, "seller-dashboard", "PAYMENT_UPDATED";
    EVENTS_WEBHOOK = "NOTIFICATION_WEBHOOK.EVENTS", None, "notification", "EVENTS",
        bound_to &["user.*", "product.*", "order.*", "payment.*"];
}

/// The topic exchange that carries every event once.
pub const EXCHANGE: &str = "microbazaar.events";

/// The topic exchange's routing key of an event: `USER_CREATED` is `user.created`.
#[must_use]
pub fn routing_key(event: &str) -> String {
    event.to_lowercase().replacen('_', ".", 1)
}

/// Whether a queue carries the event of this name; other events are only for consumers of the exchange.
#[must_use]
pub fn is_queued(event: &str) -> bool {
    let key = routing_key(event);
    QUEUES.iter().any(|queue| queue.event == event || queue.takes(&key))
}

/// The queue of that name.
#[must_use]
pub fn queue(name: &str) -> Option<&'static Queue> {
    QUEUES.iter().find(|queue| queue.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_queue_stands_twice_and_each_is_found() {
        for (at, one) in QUEUES.iter().enumerate() {
            assert!(QUEUES.iter().skip(at + 1).all(|other| other.name != one.name), "{}", one.name);
            assert_eq!(queue(one.name), Some(one));
        }
        assert_eq!(queue("NO.SUCH"), None);
    }

    #[test]
    fn a_bound_queue_takes_what_the_exchange_would_put_into_it() {
        let events = queue(EVENTS_WEBHOOK).unwrap();
        for key in ["user.created", "order.cancelled", "payment.refunded", "product.deleted"] {
            assert!(events.takes(key), "{key}");
        }
        for key in ["stock.changed", "order", "order.a.b", "", "orders.created"] {
            assert!(!events.takes(key), "{key}");
        }
        assert!(!queue(ORDER_CREATED_DASHBOARD).unwrap().takes("order.created"));
        assert!(is_queued("USER_CREATED") && is_queued("ORDER_SHIPPED") && !is_queued("STOCK_CHANGED"));
    }
}
