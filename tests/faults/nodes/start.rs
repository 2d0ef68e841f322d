//! What a process with some services needs to start.

use std::process::Stdio;

use test_support::eventually;

use super::fleet::Fleet;

/// The error on standard error.
fn refusal(fleet: &Fleet, service: &'static str, without: &str) -> String {
    let mut command = fleet.command(service);
    let ended = command.env_remove(without).stdout(Stdio::null()).output().unwrap();
    assert!(!ended.status.success(), "{service} without {without}");
    String::from_utf8(ended.stderr).unwrap().trim().to_owned()
}

#[actix_rt::test]
async fn a_missing_setting_is_reported_in_one_sentence() {
    let Some(fleet) = Fleet::prepare().await else { return };
    for (without, key) in [("MONGO_URI", "mongo.uri"), ("RABBIT_URL", "rabbit.url"), ("JWT_SECRET", "jwt_secret")] {
        let output = refusal(&fleet, "auth", without);
        assert!(output.starts_with(&format!("microbazaar: {key}: must be given for serving only auth: ")), "{output}");
        assert_eq!(output.lines().count(), 1, "{output}");
    }
    for (service, peer) in [("cart", "PRODUCT"), ("order", "PAYMENT"), ("payment", "AUTH"), ("product", "INVENTORY")] {
        let output = refusal(&fleet, service, &format!("MICROBAZAAR_PEERS__{peer}"));
        let key = format!("microbazaar: peers.{}: must be given for serving {service}", peer.to_lowercase());
        assert!(output.starts_with(&key), "{output}");
    }
    fleet.end().await;
}

#[actix_rt::test]
async fn a_process_starts_without_its_peers() {
    let Some(fleet) = Fleet::prepare().await else { return };
    fleet.restart("cart");
    eventually("it is degraded", async || {
        fleet.readyz("cart").await == ("degraded".to_owned(), vec!["peers.product".to_owned()])
    })
    .await;
    fleet.end().await;
}
