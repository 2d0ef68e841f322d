//! The gateway's signatures: HMAC-SHA256, compared in constant time.
//!
//! **Invariant:** no comparison ends earlier for a signature that is nearly valid.

use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;

/// The two secrets with which a gateway signs.
#[derive(Debug, Clone)]
pub struct Keys {
    /// Signs the result of a checkout.
    pub key_secret: SecretString,
    /// Signs webhooks.
    pub webhook_secret: SecretString,
}

impl Keys {
    /// The signature over `order_id|payment_id`, in hex.
    #[must_use]
    pub fn sign_payment(&self, order_id: &str, payment_id: &str) -> String {
        hex::encode(mac(&self.key_secret, &payment_text(order_id, payment_id)).finalize().into_bytes())
    }

    /// Whether `signature` is valid for `order_id|payment_id`.
    #[must_use]
    pub fn payment_is_signed(&self, order_id: &str, payment_id: &str, signature: &str) -> bool {
        is_signed(&self.key_secret, &payment_text(order_id, payment_id), signature)
    }

    /// Whether `signature` is valid for a webhook's raw body.
    #[must_use]
    pub fn webhook_is_signed(&self, body: &[u8], signature: &str) -> bool {
        is_signed(&self.webhook_secret, body, signature)
    }
}

fn payment_text(order_id: &str, payment_id: &str) -> Vec<u8> {
    format!("{order_id}|{payment_id}").into_bytes()
}

fn mac(secret: &SecretString, text: &[u8]) -> Hmac<Sha256> {
    // A key of any length is accepted, so the other arm is never used.
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.expose_secret().as_bytes())
        .unwrap_or_else(|_| Hmac::<Sha256>::new(&hmac::digest::Key::<Hmac<Sha256>>::default()));
    mac.update(text);
    mac
}

fn is_signed(secret: &SecretString, text: &[u8], signature: &str) -> bool {
    hex::decode(signature).is_ok_and(|bytes| mac(secret, text).verify_slice(&bytes).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use test_support::{HEX, altered};

    #[test]
    fn a_signature_holds_for_its_own_text_and_key_only() {
        let keys = Keys { key_secret: "k".into(), webhook_secret: "w".into() };
        let signature = keys.sign_payment("order_1", "pay_1");
        assert!(keys.payment_is_signed("order_1", "pay_1", &signature));
        assert!(!keys.payment_is_signed("order_1", "pay_2", &signature));
        assert!(!keys.webhook_is_signed(b"order_1|pay_1", &signature));
        for bad in ["", "zz", &signature[1..], "é"] {
            assert!(!keys.payment_is_signed("order_1", "pay_1", bad));
        }
    }

    #[test]
    fn a_signature_that_is_nearly_right_is_wrong() {
        let keys = Keys { key_secret: "k".into(), webhook_secret: "w".into() };
        let of_payment = keys.sign_payment("order_1", "pay_1");
        let of_webhook = hex::encode(mac(&keys.webhook_secret, b"{}").finalize().into_bytes());
        assert!(keys.webhook_is_signed(b"{}", &of_webhook));
        for nearly in altered(&of_payment, HEX) {
            assert!(!keys.payment_is_signed("order_1", "pay_1", &nearly), "{nearly}");
        }
        for nearly in altered(&of_webhook, HEX) {
            assert!(!keys.webhook_is_signed(b"{}", &nearly), "{nearly}");
        }
        for text in altered("order_1", HEX) {
            assert!(!keys.payment_is_signed(&text, "pay_1", &of_payment), "{text}");
        }
    }

    #[test]
    fn the_signature_is_the_documented_one() {
        // echo -n 'order_1|pay_1' | openssl dgst -sha256 -hmac k
        let keys = Keys { key_secret: "k".into(), webhook_secret: "w".into() };
        let documented = "ed2f1a96a4d95f5f9ecc1725db65d7c58ac1b4e9dd5167d097f998af3db8bd3a";
        assert_eq!(keys.sign_payment("order_1", "pay_1"), documented);
    }
}
