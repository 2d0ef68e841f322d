use std::collections::BTreeMap;

use secrecy::SecretString;
use serde_json::json;

use super::{
    calls::{DeleteAccount, ExportAccount},
    places::{Erased, Exported, Holds, PLACES},
};
use crate::{
    actors::accounts::{
        calls::AccountRefusal,
        leaving::{CheckPassword, CloseAccount},
    },
    domain::{
        Timestamp,
        ids::UserId,
        user::{FullName, Role, Security, User},
    },
    http::internal::tests::round_trip::assert_round_trip,
    runtime::calls::CallError,
    store::{DOCUMENTS, transfer::Kind},
};

/// A new document fails here: name in `places` what it has of a person, and how deletion and export reach it.
#[test]
fn every_kind_of_data_is_named_once() {
    let mut named: BTreeMap<&str, usize> = BTreeMap::new();
    for place in PLACES {
        *named.entry(place.kind.name()).or_default() += 1;
        let reasons = match place.holds {
            Holds::Nothing(has) => vec![has],
            Holds::Person { exported: Exported::As(name, _), erased: Erased::By(_) } => vec![name],
            Holds::Person { exported: Exported::As(name, _), erased: Erased::With(by) } => vec![name, by],
            Holds::Person { exported: Exported::Not(reason), erased: Erased::By(_) } => vec![reason],
            Holds::Person { exported: Exported::Not(reason), erased: Erased::With(by) } => vec![reason, by],
        };
        assert!(reasons.iter().all(|reason| !reason.is_empty()), "{}", place.kind.name());
    }
    let kinds: BTreeMap<&str, usize> = Kind::all().map(|kind| (kind.name(), 1)).collect();
    assert_eq!(named, kinds, "the places and the kinds of data");
    for spec in DOCUMENTS {
        let place = PLACES.iter().find(|place| place.kind == Kind::Documents(spec.collection)).unwrap();
        assert_eq!(place.service, spec.service, "{}", spec.collection);
    }
}

#[actix_rt::test]
async fn calls_of_leaving_are_the_same_on_either_side() {
    let (user, password) = (UserId::from_bytes([2; 12]), SecretString::from("correct horse"));
    let mut left = User {
        id: user,
        email: "asha@example.com".into(),
        username: "asha".into(),
        full_name: FullName::default(),
        role: Role::User,
        password_hash: String::new(),
        email_taken_by: None,
        security: Security::default(),
        no_announcements: false,
        addresses: vec![],
        created_at: Timestamp::UNIX_EPOCH,
        updated_at: Timestamp::UNIX_EPOCH,
        version: 1,
    };
    assert_round_trip(CheckPassword { user, password: password.clone() }, Ok(left.clone())).await;
    left.leave(Timestamp::UNIX_EPOCH);
    assert_round_trip(CloseAccount { user, code: Some("code".into()) }, Ok(left.clone())).await;
    let delete = DeleteAccount { user, password, code: None };
    assert_round_trip(delete.clone(), Ok(left)).await;
    for refusal in [AccountRefusal::WrongPassword, AccountRefusal::HasOpenOrders] {
        assert_round_trip(delete.clone(), Err(CallError::Refused(refusal))).await;
    }
    assert_round_trip(ExportAccount { user }, Ok(json!({"user": {}}))).await;
}
