//! Who is asking, and with whose key the provider is asked. A client's own credential for the provider passes through and is
//! never kept; ours ends here.

use super::error::GatewayError;
use super::headers::{API_KEY, KEY};
use crate::domain::api_key;
use crate::domain::usage::UserId;
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use std::fmt;

/// Whose usage a call is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    pub user_id: UserId,
    pub api_key_id: Option<String>,
}

/// The provider key of this server, for clients that bring none. Never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct ProviderKey(HeaderValue);

/// Whose credential goes to the provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Credential {
    OfClient,
    OfServer,
}

impl ProviderKey {
    /// The key, unless it is empty or could not stand in a header.
    pub fn new(key: &str) -> Option<Self> {
        let mut value = HeaderValue::from_str(key.trim()).ok().filter(|value| !value.is_empty())?;
        value.set_sensitive(true);
        Some(Self(value))
    }

    /// In place of what the client sent, which is nothing or blank. Comes after its headers were sorted out, so that its
    /// `Connection` cannot name this one away.
    pub fn add_to(&self, headers: &mut HeaderMap) {
        headers.remove(AUTHORIZATION);
        headers.insert(API_KEY, self.0.clone());
    }
}

impl fmt::Debug for ProviderKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ProviderKey(***)")
    }
}

/// Takes our key out of the headers, so that it can go no further. The best place for it comes first.
pub fn take_our_key(headers: &mut HeaderMap) -> Option<String> {
    let own = headers.remove(KEY).and_then(|value| text_of(&value).map(str::to_owned));
    let of_client = [API_KEY, AUTHORIZATION].map(|name| take_if_ours(headers, name));
    own.or_else(|| of_client.into_iter().flatten().next())
}

/// Whose credential the provider is asked with: the client's, if it sent one. Clients that are told to use no key of their own
/// send a blank one.
pub fn choose(headers: &HeaderMap, server: Option<&ProviderKey>) -> Result<Credential, GatewayError> {
    if [API_KEY, AUTHORIZATION].into_iter().filter_map(|name| headers.get(name)).any(|value| !is_blank(value)) {
        return Ok(Credential::OfClient);
    }
    server.map(|_| Credential::OfServer).ok_or(GatewayError::NoProviderKey)
}

fn is_blank(value: &HeaderValue) -> bool {
    text_of(value).is_some_and(|text| text.is_empty() || text.eq_ignore_ascii_case("bearer"))
}

fn take_if_ours(headers: &mut HeaderMap, name: HeaderName) -> Option<String> {
    let text = text_of(headers.get(&name)?)?;
    let key = bearer(text).unwrap_or(text);
    let ours = key.starts_with(api_key::PREFIX).then(|| key.to_owned())?;
    headers.remove(&name);
    Some(ours)
}

fn bearer(text: &str) -> Option<&str> {
    let (scheme, token) = text.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

fn text_of(value: &HeaderValue) -> Option<&str> {
    value.to_str().ok().map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn our_key_is_found_in_three_places_and_taken_out() {
        for (name, value) in [("x-tollbridge-key", "tb_1"), ("x-api-key", "tb_1"), ("authorization", "bearer tb_1")] {
            let mut headers = map(&[(name, value)]);
            assert_eq!(take_our_key(&mut headers).as_deref(), Some("tb_1"), "{name}");
            assert!(headers.is_empty(), "{name}");
        }
    }

    #[test]
    fn the_clients_own_credential_stays() {
        let mut headers = map(&[("authorization", "Bearer sk-ant-oat01"), ("x-tollbridge-key", "tb_1")]);
        assert_eq!(take_our_key(&mut headers).as_deref(), Some("tb_1"));
        assert_eq!(choose(&headers, ProviderKey::new("sk-server").as_ref()), Ok(Credential::OfClient));
        assert_eq!(headers, map(&[("authorization", "Bearer sk-ant-oat01")]));
    }

    #[test]
    fn without_one_the_servers_key_is_used_if_there_is_one() {
        let mut headers = map(&[]);
        let key = ProviderKey::new(" sk-server\n").unwrap();
        assert_eq!(choose(&headers, None), Err(GatewayError::NoProviderKey));
        assert_eq!(choose(&headers, Some(&key)), Ok(Credential::OfServer));
        key.add_to(&mut headers);
        assert_eq!(headers["x-api-key"], "sk-server");
        assert!(!format!("{headers:?}").contains("sk-server"));
        assert_eq!(ProviderKey::new("  "), None);
    }

    #[test]
    fn a_blank_credential_is_none() {
        let key = ProviderKey::new("sk-server").unwrap();
        let sent: [&[_]; 4] = [
            &[("x-api-key", ""), ("authorization", "Bearer tb_1")],
            &[("x-api-key", "  ")],
            &[("x-api-key", "tb_1"), ("authorization", "Bearer")],
            &[("authorization", "bearer ")],
        ];
        for blank in sent {
            let mut headers = map(blank);
            take_our_key(&mut headers);
            assert_eq!(choose(&headers, Some(&key)), Ok(Credential::OfServer), "{blank:?}");
            assert_eq!(choose(&headers, None), Err(GatewayError::NoProviderKey), "{blank:?}");
            key.add_to(&mut headers);
            assert_eq!(headers, map(&[("x-api-key", "sk-server")]), "{blank:?}");
        }
        let both = map(&[("x-api-key", ""), ("authorization", "Bearer sk-ant-oat01")]);
        assert_eq!(choose(&both, Some(&key)), Ok(Credential::OfClient));
    }

    #[test]
    fn a_second_key_of_ours_goes_no_further_either() {
        let mut headers = map(&[("x-tollbridge-key", "tb_1"), ("x-api-key", "tb_2")]);
        assert_eq!(take_our_key(&mut headers).as_deref(), Some("tb_1"));
        assert!(headers.is_empty());
    }
}
