//! Test documents.

use jiff::SignedDuration;
use microbazaar::domain::{
    Timestamp,
    cart::Cart,
    event::{Envelope, Event},
    ids::{AddressId, CartId, OrderId, ProductId, UserId},
    inventory::StockLine,
    money::{Currency, Money},
    order::{NewOrder, Order, OrderItem, Pricing, Shipment},
    payment::Payment,
    product::{Product, ProductStatus},
    user::{Address, Contact, FullName, PostalAddress, Role, User},
};

/// A fixed time; adapters may store times with millisecond precision.
pub fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_750_000_000 + second).unwrap()
}

pub fn user(email: &str, username: &str) -> User {
    let postal = PostalAddress {
        street: "1 <b>High</b> Street".into(),
        city: "Pune".into(),
        state: "MH".into(),
        country: "IN".into(),
        zip: "411001".into(),
        full_name: Some("Asha Rao".into()),
        phone: Some("+91 98765 43210".into()),
    };
    User {
        id: UserId::generate(),
        email: email.into(),
        username: username.into(),
        full_name: FullName { first_name: "Ana".into(), last_name: "दास".into() },
        role: Role::User,
        password_hash: "$argon2id$x".into(),
        email_taken_by: None,
        security: Default::default(),
        no_announcements: false,
        addresses: vec![Address { id: AddressId::generate(), postal, is_default: true }],
        created_at: at(0),
        updated_at: at(0),
        version: 0,
    }
}

pub fn product(seller: UserId, title: &str) -> Product {
    Product {
        id: ProductId::generate(),
        title: title.into(),
        description: "\"quoted\" \u{1F6D2}".into(),
        price: Money::new(49_950, Currency::Inr),
        category: "books".into(),
        seller,
        images: vec![],
        max_per_order: None,
        status: ProductStatus::Live,
        status_reason: None,
        created_at: at(0),
        updated_at: at(0),
        version: 0,
    }
}

pub fn line(product: ProductId, quantity: u32) -> StockLine {
    StockLine { product, quantity }
}

pub fn cart(user: UserId) -> Cart {
    let mut cart = Cart::empty(CartId::generate(), user, at(0));
    cart.add(ProductId::generate(), 2, 10, at(1)).unwrap();
    cart
}

pub fn order(user: UserId, cart_version: u64) -> Order {
    let item = OrderItem {
        product: ProductId::generate(),
        title: "A book".into(),
        seller: UserId::generate(),
        quantity: 2,
        price: Money::new(49_950, Currency::Inr),
        shipment: Shipment::Waiting,
        tracking_number: None,
    };
    let new = NewOrder {
        id: OrderId::generate(),
        user,
        items: vec![item],
        shipping_address: None,
        cart_version,
        window: SignedDuration::from_mins(15),
    };
    Order::place(new, &Pricing { tax_basis_points: 1_000, shipping_minor: 5_000 }, at(0)).unwrap()
}

pub fn payment(razorpay_order_id: &str) -> Payment {
    let contact = Contact {
        user: UserId::generate(),
        email: "ana@example.com".into(),
        username: "ana".into(),
        full_name: FullName::default(),
    };
    let price = Money::new(100_000, Currency::Inr);
    Payment::open(OrderId::generate(), contact, razorpay_order_id.into(), price, at(0))
}

/// Any event.
pub fn event(second: i64) -> Envelope {
    let gone = Event::ProductDeleted { product: ProductId::generate(), seller: UserId::generate() };
    Envelope::new(gone, at(second))
}
