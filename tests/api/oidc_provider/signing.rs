//! The test provider's keys, and what it signs with them or without.

use super::{CLIENT_SECRET, Wrong, encode};
use ring::hmac;
use ring::rand::SystemRandom;
use ring::rsa::PublicKeyComponents;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RsaKeyPair,
};
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::pki_types::pem::PemObject;
use serde_json::{Value, json};

const RSA_KEY: &[u8] = include_bytes!("../../fixtures/oidc/key_of_the_test_provider.pem");

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signature {
    Rs256,
    Es256,
    EdDsa,
}

pub struct Keys {
    /// Of all of them; another one after each change.
    pub generation: u32,
    rsa: RsaKeyPair,
    ec: EcdsaKeyPair,
    ed: Ed25519KeyPair,
}

impl Keys {
    pub fn new(generation: u32) -> Self {
        let random = SystemRandom::new();
        let rsa = PrivatePkcs8KeyDer::from_pem_slice(RSA_KEY).unwrap();
        let ec = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
        let ed = Ed25519KeyPair::generate_pkcs8(&random).unwrap();
        Self {
            generation,
            rsa: RsaKeyPair::from_pkcs8(rsa.secret_pkcs8_der()).unwrap(),
            ec: EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, ec.as_ref(), &random).unwrap(),
            ed: Ed25519KeyPair::from_pkcs8(ed.as_ref()).unwrap(),
        }
    }

    fn kid(&self, signature: Signature) -> String {
        format!("{signature:?}-{}", self.generation)
    }

    fn sign(&self, signature: Signature, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match signature {
            Signature::Rs256 => {
                let mut signed = vec![0; self.rsa.public().modulus_len()];
                self.rsa.sign(&RSA_PKCS1_SHA256, &random, message, &mut signed).unwrap();
                signed
            }
            Signature::Es256 => self.ec.sign(&random, message).unwrap().as_ref().to_vec(),
            Signature::EdDsa => self.ed.sign(message).as_ref().to_vec(),
        }
    }

    /// The key set that anybody may read.
    pub fn public(&self) -> Value {
        let rsa = PublicKeyComponents::<Vec<u8>>::from(self.rsa.public());
        // Uncompressed: 4, x, y.
        let (x, y) = self.ec.public_key().as_ref()[1..].split_at(32);
        let key = |signature, mut key: Value| {
            key["use"] = json!("sig");
            key["kid"] = json!(self.kid(signature));
            key
        };
        json!({"keys": [
            key(Signature::Rs256, json!({"kty": "RSA", "alg": "RS256", "n": encode(rsa.n), "e": encode(rsa.e)})),
            key(Signature::Es256, json!({"kty": "EC", "alg": "ES256", "crv": "P-256", "x": encode(x), "y": encode(y)})),
            key(Signature::EdDsa, json!({"kty": "OKP", "crv": "Ed25519", "x": encode(self.ed.public_key())})),
            {"kty": "of another time", "kid": "unknown"},
        ]})
    }

    /// The claims, signed; or what is wrong with that.
    pub fn id_token(&self, signature: Signature, wrong: Wrong, claims: Value) -> String {
        let foreign = Self::new(self.generation);
        let (algorithm, kid) = match (signature, wrong) {
            (_, Wrong::NotSigned) => ("none", None),
            (_, Wrong::SignedWithPublicKey | Wrong::SignedWithSecret) => ("HS256", None),
            (_, Wrong::UnknownKey) => ("RS256", Some("of nobody".to_owned())),
            (_, Wrong::SignedWithForeignKey) => ("ES256", Some(self.kid(Signature::Es256))),
            (Signature::Rs256, _) => ("RS256", Some(self.kid(Signature::Rs256))),
            (Signature::Es256, _) => ("ES256", Some(self.kid(Signature::Es256))),
            (Signature::EdDsa, _) => ("EdDSA", Some(self.kid(Signature::EdDsa))),
        };
        let mut header = json!({"alg": algorithm, "typ": "JWT"});
        if let Some(kid) = kid {
            header["kid"] = json!(kid);
        }
        let signed = format!("{}.{}", encode(header.to_string()), encode(claims.to_string()));
        let hs256 =
            |secret: &[u8]| hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), signed.as_bytes()).as_ref().to_vec();
        let signed_with = match wrong {
            Wrong::NotSigned => Vec::new(),
            Wrong::SignedWithPublicKey => hs256(self.rsa.public().as_ref()),
            Wrong::SignedWithSecret => hs256(CLIENT_SECRET.as_bytes()),
            Wrong::SignedWithForeignKey => foreign.sign(Signature::Es256, signed.as_bytes()),
            _ => self.sign(signature, signed.as_bytes()),
        };
        if wrong == Wrong::ChangedAfterSigning {
            let mut changed = claims;
            changed["sub"] = json!("subject-of-somebody-else");
            return format!("{}.{}.{}", encode(header.to_string()), encode(changed.to_string()), encode(signed_with));
        }
        format!("{signed}.{}", encode(signed_with))
    }
}
