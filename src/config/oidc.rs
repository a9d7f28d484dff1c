//! The provider that people may log in through: as it is set, and checked.

use super::PublicUrl;
use crate::domain::host::is_this_machine;
use crate::domain::secret::Secret;
use hyper::Uri;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::net::SocketAddr;

/// Where the provider sends a browser back to.
pub const CALLBACK_PATH: &str = "/login/oidc/callback";

const MAX_NAME_CHARS: usize = 40;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OidcSettings {
    /// Empty: nobody logs in through another provider.
    pub issuer_url: String,
    pub client_id: String,
    #[serde(serialize_with = "hide", deserialize_with = "read_secret")]
    pub client_secret: Secret,
    pub name: String,
    pub scopes: String,
    pub allowed_domains: String,
}

/// A provider that can be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OidcProvider {
    /// As the provider writes it itself, to the letter.
    pub issuer: String,
    pub client_id: String,
    pub client_secret: Secret,
    /// For "Log in with …".
    pub name: String,
    /// Beside `openid`.
    pub scopes: Vec<String>,
    /// Whoever has a verified address there gets an account; in lower case.
    pub allowed_domains: Vec<String>,
    /// Our own address as the browser knows it: `https://tolls.example.org`.
    pub base_url: String,
}

/// A setting that cannot be used, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {problem}")]
pub struct OidcError {
    field: &'static str,
    problem: &'static str,
}

impl Default for OidcSettings {
    fn default() -> Self {
        Self {
            issuer_url: String::new(),
            client_id: String::new(),
            client_secret: Secret::new(""),
            name: String::new(),
            scopes: "openid email profile".into(),
            allowed_domains: String::new(),
        }
    }
}

impl OidcSettings {
    /// The provider, if one is set. `site_addr` is what the server listens on.
    ///
    /// # Errors
    /// A setting cannot be used; the error names it.
    pub fn provider(
        &self,
        public_url: Option<&PublicUrl>,
        site_addr: SocketAddr,
    ) -> Result<Option<OidcProvider>, OidcError> {
        let wrong = |field, problem| Err(OidcError { field, problem });
        let issuer = self.issuer_url.trim();
        if issuer.is_empty() {
            return Ok(None);
        }
        if let Err(problem) = check_provider_url(issuer) {
            return wrong("issuer_url", problem);
        }
        let base_url = match public_url {
            Some(url) => url.to_string(),
            None if site_addr.ip().is_loopback() => format!("http://{site_addr}"),
            None => return wrong("issuer_url", "needs [server] public_url, which the provider sends people back to"),
        };
        if self.client_id.trim().is_empty() {
            return wrong("client_id", "is missing; the provider gives it when Tollbridge is registered there");
        }
        if self.client_secret.reveal().trim().is_empty() {
            return wrong("client_secret", "is missing; TOLLBRIDGE_OIDC__CLIENT_SECRET keeps it out of the file");
        }
        let name = self.name.trim();
        if name.is_empty() || name.chars().count() > MAX_NAME_CHARS || name.chars().any(char::is_control) {
            return wrong("name", "must be what people call the provider, with at most 40 characters");
        }
        let scopes: Vec<String> = self.scopes.split_whitespace().map(str::to_owned).collect();
        // RFC 6749, 3.3: printable, without quotes and backslashes.
        if !scopes.iter().all(|scope| scope.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b'"' | b'\\'))) {
            return wrong("scopes", "must be names with blanks in between, such as \"openid email profile\"");
        }
        let allowed_domains: Vec<String> = self.allowed_domains.split_whitespace().map(str::to_lowercase).collect();
        if !allowed_domains.iter().all(|domain| is_domain(domain)) {
            return wrong("allowed_domains", "must be domains with blanks in between, such as \"example.org\"");
        }
        Ok(Some(OidcProvider {
            issuer: issuer.to_owned(),
            client_id: self.client_id.trim().to_owned(),
            client_secret: Secret::new(self.client_secret.reveal().trim()),
            name: name.to_owned(),
            scopes: scopes.into_iter().filter(|scope| scope != "openid").collect(),
            allowed_domains,
            base_url,
        }))
    }
}

impl OidcProvider {
    /// What is to be registered with the provider.
    pub fn redirect_url(&self) -> String {
        format!("{}{CALLBACK_PATH}", self.base_url)
    }
}

/// Whether secrets and tokens may travel on an address of the provider's: `https`, or `http` on this machine.
pub fn check_provider_url(text: &str) -> Result<(), &'static str> {
    let not_an_address = "must be an address such as https://login.example.org";
    let uri: Uri = text.parse().map_err(|_| not_an_address)?;
    let authority = uri.authority().ok_or(not_an_address)?;
    if authority.as_str().contains('@') {
        return Err("must not hold a user name or password");
    }
    match uri.scheme_str() {
        Some("https") => Ok(()),
        Some("http") if is_this_machine(authority.host()) => Ok(()),
        Some("http") => Err("must begin with https://, unless the provider runs on this machine"),
        _ => Err(not_an_address),
    }
}

fn is_domain(text: &str) -> bool {
    let is_label = |label: &str| !label.is_empty() && label.chars().all(|c| c.is_alphanumeric() || c == '-');
    text.contains('.') && text.split('.').all(is_label)
}

fn hide<S: Serializer>(secret: &Secret, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(if secret.reveal().is_empty() { "" } else { "***" })
}

fn read_secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Secret, D::Error> {
    String::deserialize(deserializer).map(Secret::new)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    const LOOPBACK: &str = "127.0.0.1:3000";

    fn settings() -> OidcSettings {
        OidcSettings {
            issuer_url: "https://login.example.org/realm".into(),
            client_id: "tollbridge".into(),
            client_secret: Secret::new("s3cret"),
            name: "Example".into(),
            ..OidcSettings::default()
        }
    }

    fn told(settings: &OidcSettings, site_addr: &str) -> String {
        settings.provider(None, site_addr.parse().unwrap()).unwrap_err().to_string()
    }

    #[test]
    fn a_provider_sends_people_back_to_where_they_came_from() {
        let provider = |public: Option<&PublicUrl>| {
            settings().provider(public, LOOPBACK.parse().unwrap()).unwrap().unwrap().redirect_url()
        };
        let public = PublicUrl::parse("https://tolls.example.org").unwrap();
        assert_eq!(provider(Some(&public)), "https://tolls.example.org/login/oidc/callback");
        assert_eq!(provider(None), "http://127.0.0.1:3000/login/oidc/callback");
        assert!(told(&settings(), "0.0.0.0:3000").starts_with("issuer_url: needs [server] public_url"));
    }

    #[test]
    fn what_cannot_be_used_is_named() {
        let refused = |change: fn(&mut OidcSettings)| {
            let mut settings = settings();
            change(&mut settings);
            told(&settings, LOOPBACK).split(':').next().unwrap().to_owned()
        };
        for url in ["http://login.example.org", "login.example.org", "https://me:pw@login.example.org", "ftp://x", "/x"]
        {
            let settings = OidcSettings { issuer_url: url.into(), ..settings() };
            assert!(told(&settings, LOOPBACK).starts_with("issuer_url: "), "{url}");
        }
        assert_eq!(refused(|settings| settings.client_id = " ".into()), "client_id");
        assert_eq!(refused(|settings| settings.client_secret = Secret::new("")), "client_secret");
        assert_eq!(refused(|settings| settings.name = String::new()), "name");
        assert_eq!(refused(|settings| settings.name = "x".repeat(41)), "name");
        assert_eq!(refused(|settings| settings.scopes = "openid \"x\"".into()), "scopes");
        for domains in ["example", "@example.org", "example.org,example.com", "*.example.org", "a..b"] {
            let settings = OidcSettings { allowed_domains: domains.into(), ..settings() };
            assert!(told(&settings, LOOPBACK).starts_with("allowed_domains: "), "{domains}");
        }
        let nothing = OidcSettings::default().provider(None, "0.0.0.0:1".parse().unwrap());
        assert_eq!(nothing, Ok(None), "without a provider nothing is needed");
    }

    #[test]
    fn the_environment_sets_a_provider_and_its_secret_is_never_shown() {
        let env = [
            ("ISSUER_URL", "http://127.0.0.1:9000"),
            ("CLIENT_ID", "tollbridge"),
            ("CLIENT_SECRET", "s3cret-of-the-client"),
            ("NAME", "Example"),
            ("ALLOWED_DOMAINS", "Example.org example.com"),
        ];
        let env = env.map(|(key, value)| (format!("TOLLBRIDGE_OIDC__{key}"), value.to_owned()));
        let config = Config::from_text(include_str!("../../Leptos.toml"), None, env.clone()).unwrap();
        let provider = config.oidc.as_ref().unwrap();
        assert_eq!(provider.client_secret.reveal(), "s3cret-of-the-client");
        assert_eq!(provider.allowed_domains, ["example.org", "example.com"]);
        assert_eq!(provider.scopes, ["email", "profile"]);
        let shown = config.to_shown_toml();
        assert!(shown.contains("client_secret = \"***\""), "{shown}");
        assert!(!format!("{shown}{config:?}{provider:?}").contains("s3cret"));
        let unnamed = env.into_iter().filter(|(key, _)| !key.ends_with("__NAME"));
        let error = Config::from_text(include_str!("../../Leptos.toml"), None, unnamed).unwrap_err().to_string();
        assert!(error.starts_with("[oidc] name: "), "{error}");
    }
}
