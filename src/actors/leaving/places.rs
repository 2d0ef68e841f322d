//! Every kind of stored data, and how the deletion and the export of a user reach it.

use futures_util::{FutureExt, future::BoxFuture};
use serde_json::{Value, json};

use super::{AT_ONCE, Leaving, all, eraser::later};
use crate::{
    actors::catalogue::calls::{DeleteProduct, Editor, ProductRefusal},
    bus::HandleError,
    config::Service,
    domain::{Timestamp, ids::UserId},
    runtime::calls::CallError,
    store::{StoreError, Stores, sessions::Session, transfer::Kind, wishlists::WishlistStore},
    views::{
        conversation::WholeConversationView, order::OrderView, payment::PaymentView, product::ProductView,
        user::UserView, webhook::WebhookView,
    },
};

type Export = for<'a> fn(&'a Stores, UserId) -> BoxFuture<'a, Result<Value, StoreError>>;
type Erase = for<'a> fn(&'a Leaving, UserId) -> BoxFuture<'a, Result<(), HandleError>>;

/// A kind of data, and the service whose data it is.
pub(super) struct Place {
    /// Only the tests compare it with what there is.
    #[cfg_attr(not(test), expect(dead_code, reason = "the tests read it"))]
    pub(super) kind: Kind,
    pub(super) service: Service,
    pub(super) holds: Holds,
}

/// Whether it tells something about a person.
#[derive(Clone, Copy)]
pub(super) enum Holds {
    /// Nothing: this is all that it has.
    Nothing(#[cfg_attr(not(test), expect(dead_code, reason = "the tests read it"))] &'static str),
    Person {
        exported: Exported,
        erased: Erased,
    },
}

/// How the export reaches it.
#[derive(Clone, Copy)]
pub(super) enum Exported {
    /// As a field of this name.
    As(&'static str, Export),
    /// Not by itself, for this reason.
    Not(#[cfg_attr(not(test), expect(dead_code, reason = "the tests read it"))] &'static str),
}

/// How the deletion reaches it.
#[derive(Clone, Copy)]
pub(super) enum Erased {
    /// When its service gets the event.
    By(Erase),
    /// By something else.
    With(#[cfg_attr(not(test), expect(dead_code, reason = "the tests read it"))] &'static str),
}

const fn nothing(kind: Kind, service: Service, has: &'static str) -> Place {
    Place { kind, service, holds: Holds::Nothing(has) }
}

const fn person(collection: &'static str, service: Service, exported: Exported, erased: Erased) -> Place {
    Place { kind: Kind::Documents(collection), service, holds: Holds::Person { exported, erased } }
}

const fn derived(kind: Kind, service: Service, from: &'static str, erased: &'static str) -> Place {
    Place { kind, service, holds: Holds::Person { exported: Exported::Not(from), erased: Erased::With(erased) } }
}

use Service::{AiBuddy, Auth, Cart, Inventory, Notification, Order, Payment, Product, SellerDashboard};

pub(super) static PLACES: &[Place] = &[
    person(
        "users",
        Auth,
        Exported::As("user", |stores, id| user(stores, id).boxed()),
        Erased::With("the write that deletes the account"),
    ),
    person(
        "sessions",
        Auth,
        Exported::As("sessions", |stores, id| sessions(stores, id).boxed()),
        Erased::With("the write that deletes the account, which ends them"),
    ),
    nothing(Kind::Documents("dead_tokens"), Auth, "ids of tokens and users"),
    // Before the products: an unfinished one makes more of them.
    person(
        "imports",
        Product,
        Exported::As("imports", |stores, id| imports(stores, id).boxed()),
        Erased::By(|leaving, user| async move { leaving.stores.imports.delete_of(user).await.map_err(later) }.boxed()),
    ),
    person("import_rows", Product, Exported::Not("the rows of a file that the seller has"), Erased::With("imports")),
    person(
        "products",
        Product,
        Exported::As("products", |stores, id| products(stores, id).boxed()),
        Erased::By(|leaving, user| delete_products(leaving, user).boxed()),
    ),
    nothing(Kind::Documents("pictures"), Product, "what is to be done with pictures of products"),
    nothing(Kind::Pictures, Product, "pictures of products, which end with them"),
    nothing(Kind::Counters, Product, "a number"),
    person(
        "wishlists",
        Product,
        Exported::As("wishlist", |stores, id| {
            let wishlists = WishlistStore::new(stores.backend.clone());
            async move { Ok(json!(wishlists.of_user(id).await?)) }.boxed()
        }),
        Erased::By(|leaving, user| {
            let wishlists = WishlistStore::new(leaving.stores.backend.clone());
            async move { wishlists.delete_of(user).await.map_err(later) }.boxed()
        }),
    ),
    person(
        "carts",
        Cart,
        Exported::As("cart", |stores, id| {
            async move { Ok(json!(stores.carts.of_user(id).await?.map(|cart| cart.lines))) }.boxed()
        }),
        Erased::By(|leaving, user| async move { leaving.stores.carts.delete_of(user).await.map_err(later) }.boxed()),
    ),
    person(
        "orders",
        Order,
        Exported::As("orders", |stores, id| orders(stores, id).boxed()),
        Erased::By(|leaving, user| forget_in_orders(leaving, user).boxed()),
    ),
    nothing(Kind::Stock, Inventory, "units of products"),
    nothing(Kind::Reservations, Inventory, "units of orders"),
    person(
        "payments",
        Payment,
        Exported::As("payments", |stores, id| payments(stores, id).boxed()),
        Erased::By(|leaving, user| forget_in_payments(leaving, user).boxed()),
    ),
    person(
        "webhooks_seen",
        Payment,
        Exported::Not("what the payment gateway told of a payment, until it is applied to it"),
        Erased::With("the end of the work on a report, which deletes its text"),
    ),
    nothing(Kind::Documents("sandbox"), Payment, "payments of the sandbox, by their order"),
    person(
        "conversations",
        AiBuddy,
        Exported::As("conversations", |stores, id| conversations(stores, id).boxed()),
        Erased::By(|leaving, user| {
            async move { leaving.stores.conversations.delete_of(user).await.map_err(later) }.boxed()
        }),
    ),
    person(
        "tokens_spent",
        AiBuddy,
        Exported::As("assistantTokens", |stores, id| {
            async move { Ok(json!(stores.conversations.spent_by(id).await?)) }.boxed()
        }),
        Erased::By(|leaving, user| {
            async move { leaving.stores.conversations.forget_spent_by(user).await.map_err(later) }.boxed()
        }),
    ),
    // Before the mails: a parked message may become one.
    person(
        "parked",
        Notification,
        Exported::Not("copies of what happened to documents that are exported"),
        Erased::By(|leaving, user| async move { leaving.stores.outbox.forget_user(user).await.map_err(later) }.boxed()),
    ),
    person(
        "mails",
        Notification,
        Exported::As("mails", |stores, id| mails(stores, id).boxed()),
        Erased::By(|leaving, user| {
            async move { leaving.stores.mailbox.forget_user(user).await.map_err(later) }.boxed()
        }),
    ),
    person(
        "webhook_endpoints",
        Notification,
        Exported::As("webhooks", |stores, id| webhooks(stores, id).boxed()),
        Erased::By(|leaving, user| async move { leaving.stores.webhooks.delete_of(user).await.map_err(later) }.boxed()),
    ),
    person(
        "webhook_deliveries",
        Notification,
        Exported::Not("copies of what happened to documents that are exported"),
        Erased::By(|leaving, user| {
            async move { leaving.stores.webhooks.forget_user(user).await.map_err(later) }.boxed()
        }),
    ),
    derived(Kind::Events, Notification, "leaves within moments", "the outbox, which delivers it before the deletion"),
    derived(Kind::DashboardOrders, SellerDashboard, "is made of orders", "the event of each changed order"),
    derived(Kind::DashboardNotes, SellerDashboard, "is made of users and payments", "the dashboard's own queue"),
    derived(Kind::DashboardProducts, SellerDashboard, "is made of products", "the event of each deleted product"),
    nothing(Kind::DashboardApplied, SellerDashboard, "ids of events"),
];

async fn sessions(stores: &Stores, id: UserId) -> Result<Value, StoreError> {
    let sessions = stores.accounts.sessions().of_user(id, u32::MAX).await?;
    let fields = |session: &Session| {
        let Session { created_at, last_seen_at, user_agent, ip, .. } = session;
        json!({"createdAt": created_at, "lastSeenAt": last_seen_at, "userAgent": user_agent, "ip": ip})
    };
    Ok(sessions.iter().map(fields).collect())
}

async fn user(stores: &Stores, id: UserId) -> Result<Value, StoreError> {
    let user = stores.accounts.get(id).await?.filter(|user| !user.is_deleted());
    Ok(user.map_or(Value::Null, |user| {
        let mut view = json!(UserView::from(&user));
        view["wantsAnnouncements"] = json!(!user.no_announcements);
        view
    }))
}

async fn products(stores: &Stores, id: UserId) -> Result<Value, StoreError> {
    let products = all(|skip| async move { Ok(stores.products.of_seller(id, skip, AT_ONCE).await?.rows) }).await?;
    Ok(products.iter().map(|product| json!(ProductView::new(product, None))).collect())
}

/// Deletes what a user sells, with its pictures.
async fn delete_products(leaving: &Leaving, user: UserId) -> Result<(), HandleError> {
    loop {
        let page = leaving.stores.products.of_seller(user, 0, AT_ONCE).await.map_err(later)?;
        if page.rows.is_empty() {
            return Ok(());
        }
        for product in page.rows {
            match leaving.calls.ask(DeleteProduct { product: product.id, editor: Editor::ADMIN }).await {
                Ok(()) | Err(CallError::Refused(ProductRefusal::NotFound)) => {}
                Err(error) => return Err(later(error)),
            }
        }
    }
}

async fn imports(stores: &Stores, id: UserId) -> Result<Value, StoreError> {
    let imports = stores.imports.of_seller(id, u32::MAX).await?;
    let shown =
        imports.iter().map(|import| json!({"_id": import.id, "file": import.name, "startedAt": import.started_at}));
    Ok(shown.collect())
}

async fn orders(stores: &Stores, id: UserId) -> Result<Value, StoreError> {
    let orders = all(|skip| async move { Ok(stores.orders.of_user(id, None, skip, AT_ONCE).await?.rows) }).await?;
    Ok(orders.iter().map(|order| json!(OrderView::from(order))).collect())
}

/// Removes a user from their orders. Open ones, made while the account was being deleted, are waited for.
async fn forget_in_orders(leaving: &Leaving, user: UserId) -> Result<(), HandleError> {
    let (mut seen, mut open) = (0, 0);
    loop {
        let orders = leaving.stores.orders.forget_buyer(user, seen, Timestamp::now());
        let (found, waiting) = orders.await.map_err(later)?;
        (seen, open) = (seen + found, open + waiting);
        match (found, open) {
            (0, 0) => return Ok(()),
            (0, open) => return Err(later(format!("{open} orders of a deleted user are open"))),
            _ => {}
        }
    }
}

async fn payments(stores: &Stores, id: UserId) -> Result<Value, StoreError> {
    let payments = all(|skip| stores.payments.of_user(id, skip, AT_ONCE)).await?;
    let shown = payments.iter().map(|payment| {
        let mut view = json!(PaymentView::from(payment));
        view["contact"] = json!(payment.contact);
        view
    });
    Ok(shown.collect())
}

async fn forget_in_payments(leaving: &Leaving, user: UserId) -> Result<(), HandleError> {
    let store = &leaving.stores.payments;
    for payment in all(|skip| store.of_user(user, skip, AT_ONCE)).await.map_err(later)? {
        store.forget_buyer(payment.id, user).await.map_err(later)?;
    }
    Ok(())
}

async fn conversations(stores: &Stores, id: UserId) -> Result<Value, StoreError> {
    let conversations = all(|skip| stores.conversations.whole(id, skip, AT_ONCE)).await?;
    Ok(conversations.into_iter().map(|conversation| json!(WholeConversationView::from(conversation))).collect())
}

async fn mails(stores: &Stores, id: UserId) -> Result<Value, StoreError> {
    let mails = all(|skip| stores.mailbox.to_user(id, skip, AT_ONCE)).await?;
    let shown = mails.iter().map(|mail| {
        // A link with a token is only for whoever reads the mailbox.
        let text = if mail.confidential { "" } else { &mail.text };
        json!({"to": mail.to, "subject": mail.subject, "text": text, "at": mail.at})
    });
    Ok(shown.collect())
}

async fn webhooks(stores: &Stores, id: UserId) -> Result<Value, StoreError> {
    let webhooks = stores.webhooks.list(Some(id), 0, u32::MAX).await?;
    Ok(webhooks.rows.iter().map(|webhook| json!(WebhookView::from(webhook))).collect())
}
