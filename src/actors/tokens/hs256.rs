//! HS256 for `jsonwebtoken`, by the crate `hmac`: it signs and checks all tokens. What `jsonwebtoken` has of its
//! own comes with RSA and elliptic curves, which no token here uses.

use hmac::{Hmac, KeyInit, Mac};
use jsonwebtoken::{
    Algorithm, AlgorithmFamily, DecodingKey, EncodingKey,
    crypto::{CryptoProvider, JwtSigner, JwtVerifier, KeyUtils},
    errors::{Error, ErrorKind},
    signature::{self, Signer, Verifier},
};
use sha2::Sha256;

/// Makes `jsonwebtoken` use it. Somebody else's choice stands.
pub(super) fn install() {
    static PROVIDER: CryptoProvider = CryptoProvider {
        signer_factory: |algorithm, key: &EncodingKey| {
            Ok(Box::new(Hs256::try_new(*algorithm, key.family(), key.as_bytes())?))
        },
        verifier_factory: |algorithm, key: &DecodingKey| {
            Ok(Box::new(Hs256::try_new(*algorithm, key.family(), key.try_get_as_bytes()?)?))
        },
        key_utils: KeyUtils::new_unimplemented(),
    };
    let _known = PROVIDER.install_default();
}

struct Hs256(Hmac<Sha256>);

impl Hs256 {
    fn try_new(algorithm: Algorithm, family: AlgorithmFamily, key: &[u8]) -> Result<Self, Error> {
        if algorithm != Algorithm::HS256 || family != AlgorithmFamily::Hmac {
            return Err(ErrorKind::InvalidAlgorithm.into());
        }
        Hmac::new_from_slice(key).map(Self).map_err(|_| ErrorKind::InvalidKeyFormat.into())
    }

    fn of(&self, message: &[u8]) -> Hmac<Sha256> {
        self.0.clone().chain_update(message)
    }
}

impl Signer<Vec<u8>> for Hs256 {
    fn try_sign(&self, message: &[u8]) -> Result<Vec<u8>, signature::Error> {
        Ok(self.of(message).finalize().into_bytes().to_vec())
    }
}

impl Verifier<Vec<u8>> for Hs256 {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> Result<(), signature::Error> {
        self.of(message).verify_slice(signature).map_err(signature::Error::from_source)
    }
}

impl JwtSigner for Hs256 {
    fn algorithm(&self) -> Algorithm {
        Algorithm::HS256
    }
}

impl JwtVerifier for Hs256 {
    fn algorithm(&self) -> Algorithm {
        Algorithm::HS256
    }
}

#[cfg(test)]
mod tests {
    use jsonwebtoken::crypto;

    use super::*;

    #[test]
    fn the_example_of_the_standard_is_signed_and_verified() {
        // RFC 7515, appendix A.1.
        let key = "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow";
        let message = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.\
            eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
        let signature = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
        install();
        let key = EncodingKey::from_base64_secret(&format!("{}==", key.replace('-', "+").replace('_', "/"))).unwrap();
        assert_eq!(crypto::sign(message.as_bytes(), &key, Algorithm::HS256).unwrap(), signature);
        let key = DecodingKey::from_secret(key.as_bytes());
        let verify = |signature, message: &str| crypto::verify(signature, message.as_bytes(), &key, Algorithm::HS256);
        assert!(verify(signature, message).unwrap());
        assert!(!verify(signature, "another").unwrap());
        assert!(!verify("", message).unwrap());
        assert!(!verify(&signature[..40], message).unwrap());
    }

    #[test]
    fn no_other_algorithm_or_key_is_taken() {
        install();
        let (signing, checking) = (EncodingKey::from_secret(b"key"), DecodingKey::from_secret(b"key"));
        for algorithm in [Algorithm::HS384, Algorithm::HS512, Algorithm::RS256, Algorithm::ES256, Algorithm::EdDSA] {
            assert!(crypto::sign(b"text", &signing, algorithm).is_err(), "{algorithm:?}");
            assert!(crypto::verify("", b"text", &checking, algorithm).is_err(), "{algorithm:?}");
        }
        assert!(crypto::sign(b"text", &EncodingKey::from_rsa_der(b"key"), Algorithm::HS256).is_err());
        assert!(crypto::verify("", b"text", &DecodingKey::from_rsa_der(b"key"), Algorithm::HS256).is_err());
    }
}
