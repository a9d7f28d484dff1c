//! Webhooks after the Standard Webhooks specification (standardwebhooks.com): JSON, signed so that the receiver can tell
//! who sent it and that it is no repetition of an old message.

use crate::domain::channel::level_name;
use crate::domain::notification::Notification;
use crate::domain::period::Zone;
use crate::domain::secret::Secret;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use hyper::header::{HeaderName, HeaderValue};
use ring::hmac;
use serde_json::json;

const SECRET_PREFIX: &str = "whsec_";
const SECRET_BYTES: usize = 32;

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WebhookError {
    #[error("a signing secret is not whsec_ and base64")]
    Secret,
    #[error("the id cannot stand in a header")]
    Header,
}

/// A new secret to sign with: `whsec_` and 32 random bytes in base64.
pub fn new_signing_secret() -> Secret {
    let bytes: [u8; SECRET_BYTES] = rand::random();
    Secret::new(format!("{SECRET_PREFIX}{}", BASE64_STANDARD.encode(bytes)))
}

/// # Errors
/// One of them is no signing secret.
pub fn check_secrets(secrets: &[Secret]) -> Result<(), WebhookError> {
    secrets.iter().try_for_each(|secret| key_of(secret).map(|_| ()))
}

/// The message: `{"type": "alert.budget", "timestamp": …, "data": {…}}`.
pub(super) fn body(notification: &Notification, link: Option<&str>) -> Vec<u8> {
    let body = json!({
        "type": format!("alert.{}", notification.topic),
        "timestamp": Zone::UTC.format_instant(notification.occurred_at_ms),
        "data": {
            "level": level_name(notification.level),
            "title": notification.title,
            "sentence": notification.sentence,
            "facts": notification.facts,
            "url": link,
            "alertId": notification.alert_id,
        },
    });
    body.to_string().into_bytes()
}

/// The three headers that go with a message. Each secret makes a signature, so that receivers can change over.
pub(super) fn headers(
    id: &str,
    now_ms: i64,
    body: &[u8],
    secrets: &[Secret],
) -> Result<Vec<(HeaderName, HeaderValue)>, WebhookError> {
    let timestamp = (now_ms / 1_000).to_string();
    let signatures: Result<Vec<String>, WebhookError> =
        secrets.iter().map(|secret| sign(secret, id, &timestamp, body)).collect();
    let headers =
        [("webhook-id", id), ("webhook-timestamp", &timestamp), ("webhook-signature", &signatures?.join(" "))];
    let parsed = headers.into_iter().map(|(name, value)| {
        let value = HeaderValue::from_str(value).map_err(|_| WebhookError::Header)?;
        Ok((HeaderName::from_static(name), value))
    });
    parsed.collect()
}

/// `v1,` and the HMAC-SHA256 of id, time and body in base64.
fn sign(secret: &Secret, id: &str, timestamp: &str, body: &[u8]) -> Result<String, WebhookError> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, &key_of(secret)?);
    let mut context = hmac::Context::with_key(&key);
    for part in [id.as_bytes(), b".", timestamp.as_bytes(), b".", body] {
        context.update(part);
    }
    Ok(format!("v1,{}", BASE64_STANDARD.encode(context.sign())))
}

fn key_of(secret: &Secret) -> Result<Vec<u8>, WebhookError> {
    let encoded = secret.reveal().strip_prefix(SECRET_PREFIX).ok_or(WebhookError::Secret)?;
    BASE64_STANDARD.decode(encoded).ok().filter(|key| !key.is_empty()).ok_or(WebhookError::Secret)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the specification's own libraries.
    #[test]
    fn the_signature_is_the_specifications() {
        let secret = Secret::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
        let signed = sign(&secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", br#"{"test": 2432232314}"#);
        assert_eq!(signed.unwrap(), "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn while_a_secret_is_changed_both_sign() {
        let secrets = [new_signing_secret(), new_signing_secret()];
        assert_ne!(secrets[0], secrets[1]);
        let headers = headers("id-1", 1_614_265_330_999, b"{}", &secrets).unwrap();
        let value = |at: usize| headers[at].1.to_str().unwrap().to_owned();
        assert_eq!((value(0), value(1)), ("id-1".into(), "1614265330".into()));
        let expected: Vec<String> =
            secrets.iter().map(|secret| sign(secret, "id-1", "1614265330", b"{}").unwrap()).collect();
        assert_eq!(value(2), expected.join(" "));
    }

    #[test]
    fn a_secret_of_another_shape_signs_nothing() {
        for wrong in ["MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_", "whsec_not base64", ""] {
            assert_eq!(check_secrets(&[Secret::new(wrong)]), Err(WebhookError::Secret), "{wrong}");
        }
        assert_eq!(check_secrets(&[new_signing_secret()]), Ok(()));
    }
}
