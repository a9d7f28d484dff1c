//! A provider that people log in through (OpenID Connect), on this machine. It conforms, and misbehaves where a test asks for it.

use axum::extract::{Form, State};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, LOCATION};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use ring::digest;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};
use tokio::net::TcpListener;

use super::server::NOW_MS;
use signing::Keys;

pub use signing::Signature;

mod signing;

pub const CLIENT_ID: &str = "tollbridge-of-the-tests";
pub const CLIENT_SECRET: &str = "kanarie: the client's secret/with+all%sorts";

/// What goes wrong at the provider.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Wrong {
    #[default]
    Nothing,
    Nonce,
    NoNonce,
    Audience,
    OneMoreAudience,
    AuthorizedParty,
    Expired,
    Issuer,
    NotSigned,
    /// HS256 with the public key as the secret.
    SignedWithPublicKey,
    /// HS256 with the client's secret, as the specification allows and we do not.
    SignedWithSecret,
    SignedWithForeignKey,
    UnknownKey,
    ChangedAfterSigning,
    NoIdToken,
    NoSubject,
    UserInfoOfAnother,
    TokenError,
    TokenNoJson,
    TokenRedirect,
    TokenEndless,
    TokenHangs,
    DiscoveryOfAnother,
    DiscoveryError,
    DiscoveryHangs,
    DiscoveryUnencrypted,
}

/// Who logs in at the provider.
#[derive(Clone, Debug)]
pub struct Somebody {
    pub subject: String,
    pub email: Option<String>,
    pub email_verified: Value,
    /// Whether the address is told by the userinfo endpoint alone.
    pub in_user_info: bool,
}

pub struct TestProvider {
    pub issuer: String,
    shared: Shared,
}

type Shared = Arc<Mutex<Inner>>;

struct Inner {
    issuer: String,
    wrong: Wrong,
    signature: Signature,
    somebody: Somebody,
    names_itself: bool,
    auth_method: &'static str,
    keys: Keys,
    grants: HashMap<String, Grant>,
    /// Every token that was given out, and every code.
    given: Vec<String>,
    asked: HashMap<&'static str, usize>,
}

struct Grant {
    redirect_uri: String,
    nonce: String,
    challenge: String,
}

impl Somebody {
    pub fn new(subject: &str, email: &str) -> Self {
        Self {
            subject: subject.into(),
            email: Some(email.into()),
            email_verified: Value::Bool(true),
            in_user_info: false,
        }
    }
}

impl TestProvider {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let issuer = format!("http://{}/realm", listener.local_addr().unwrap());
        let inner = Inner {
            issuer: issuer.clone(),
            wrong: Wrong::Nothing,
            signature: Signature::Rs256,
            somebody: Somebody::new("subject-of-ann", "ann@example.org"),
            names_itself: false,
            auth_method: "client_secret_basic",
            keys: Keys::new(1),
            grants: HashMap::new(),
            given: Vec::new(),
            asked: HashMap::new(),
        };
        let shared = Arc::new(Mutex::new(inner));
        let router = Router::new()
            .route("/realm/.well-known/openid-configuration", get(discovery))
            .route("/realm/keys", get(keys))
            .route("/realm/token", post(token))
            .route("/realm/userinfo", get(user_info))
            .with_state(shared.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { issuer, shared }
    }

    pub fn misbehave(&self, wrong: Wrong) {
        self.lock().wrong = wrong;
    }

    pub fn sign_with(&self, signature: Signature) {
        self.lock().signature = signature;
    }

    pub fn log_in_as(&self, somebody: Somebody) {
        self.lock().somebody = somebody;
    }

    /// Says from now on in each answer who it is (RFC 9207).
    pub fn name_itself(&self) {
        self.lock().names_itself = true;
    }

    /// Takes the client's secret in the body alone.
    pub fn take_secret_in_body(&self) {
        self.lock().auth_method = "client_secret_post";
    }

    pub fn change_keys(&self) {
        let mut inner = self.lock();
        inner.keys = Keys::new(inner.keys.generation + 1);
    }

    /// How often an endpoint was asked: `discovery`, `keys`, `token`, `userinfo`.
    pub fn asked(&self, endpoint: &str) -> usize {
        self.lock().asked.get(endpoint).copied().unwrap_or_default()
    }

    pub fn given(&self) -> Vec<String> {
        self.lock().given.clone()
    }

    /// What the authorization endpoint does with an address that a browser is sent to, once somebody has logged in there: the
    /// path and query at which the browser comes back.
    pub fn authorize(&self, address: &str) -> String {
        let (endpoint, query) = address.split_once('?').unwrap();
        assert_eq!(endpoint, format!("{}/authorize", self.issuer));
        let asked: HashMap<String, String> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        let value = |name: &str| asked.get(name).unwrap_or_else(|| panic!("{name} is missing in {query}")).clone();
        assert_eq!((value("response_type").as_str(), value("client_id").as_str()), ("code", CLIENT_ID));
        assert_eq!(value("code_challenge_method"), "S256");
        assert!(value("scope").split(' ').any(|scope| scope == "openid"));
        assert_ne!(value("state"), value("nonce"));
        let redirect_uri = value("redirect_uri");
        let callback = redirect_uri.strip_prefix("http://127.0.0.1:3000").expect("our own address").to_owned();
        let grant = Grant { redirect_uri, nonce: value("nonce"), challenge: value("code_challenge") };
        let mut inner = self.lock();
        let code = inner.give("code");
        inner.grants.insert(code.clone(), grant);
        let mut answer = form_urlencoded::Serializer::new(String::new());
        answer.append_pair("code", &code).append_pair("state", &value("state"));
        if inner.names_itself {
            answer.append_pair("iss", &self.issuer);
        }
        format!("{callback}?{}", answer.finish())
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.shared.lock().unwrap()
    }
}

impl Inner {
    /// Something secret and new.
    fn give(&mut self, what: &str) -> String {
        let secret = format!("kanarie-{what}-{}", self.given.len());
        self.given.push(secret.clone());
        secret
    }

    fn ask(&mut self, endpoint: &'static str) {
        *self.asked.entry(endpoint).or_default() += 1;
    }

    fn claims(&self, nonce: &str) -> Value {
        let now_s = NOW_MS / 1_000;
        let mut claims = json!({
            "iss": self.issuer, "sub": self.somebody.subject, "aud": CLIENT_ID, "nonce": nonce,
            "iat": now_s, "exp": now_s + 3_600, "azp": CLIENT_ID,
        });
        if !self.somebody.in_user_info {
            self.add_email(&mut claims);
        }
        match self.wrong {
            Wrong::Nonce => claims["nonce"] = json!("0".repeat(64)),
            Wrong::NoNonce => drop(claims.as_object_mut().unwrap().remove("nonce")),
            Wrong::Audience => claims["aud"] = json!("another client"),
            Wrong::OneMoreAudience => claims["aud"] = json!([CLIENT_ID, "another client"]),
            Wrong::AuthorizedParty => claims["azp"] = json!("another client"),
            Wrong::Expired => claims["exp"] = json!(now_s),
            Wrong::Issuer => claims["iss"] = json!("http://127.0.0.1:9/realm"),
            Wrong::NoSubject => claims["sub"] = json!(""),
            _ => {}
        }
        claims
    }

    fn add_email(&self, claims: &mut Value) {
        if let Some(email) = &self.somebody.email {
            claims["email"] = json!(email);
            claims["email_verified"] = self.somebody.email_verified.clone();
        }
    }
}

async fn discovery(State(shared): State<Shared>) -> Response {
    let (wrong, document) = {
        let mut inner = shared.lock().unwrap();
        inner.ask("discovery");
        let issuer = inner.issuer.clone();
        let document = json!({
            "issuer": if inner.wrong == Wrong::DiscoveryOfAnother { "https://evil.example" } else { &issuer },
            "authorization_endpoint": match inner.wrong {
                Wrong::DiscoveryUnencrypted => "http://login.example.org/authorize".to_owned(),
                _ => format!("{issuer}/authorize"),
            },
            "token_endpoint": format!("{issuer}/token"),
            "userinfo_endpoint": format!("{issuer}/userinfo"),
            "jwks_uri": format!("{issuer}/keys"),
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256", "ES256", "EdDSA", "HS256", "none"],
            "token_endpoint_auth_methods_supported": [inner.auth_method],
            "authorization_response_iss_parameter_supported": inner.names_itself,
        });
        (inner.wrong, document)
    };
    match wrong {
        Wrong::DiscoveryError => (StatusCode::INTERNAL_SERVER_ERROR, "<b>kanarie: out of order</b>").into_response(),
        Wrong::DiscoveryHangs => std::future::pending().await,
        _ => Json(document).into_response(),
    }
}

async fn keys(State(shared): State<Shared>) -> Json<Value> {
    let mut inner = shared.lock().unwrap();
    inner.ask("keys");
    Json(inner.keys.public())
}

/// Every check of RFC 6749 and 7636: the client's secret, a code that was given and not used, its address, its verifier.
async fn token(
    State(shared): State<Shared>,
    headers: HeaderMap,
    Form(sent): Form<HashMap<String, String>>,
) -> Response {
    let refuse = |error: &str| {
        let body = json!({"error": error, "error_description": format!("kanarie: <script>{sent:?}</script>")});
        (StatusCode::BAD_REQUEST, Json(body)).into_response()
    };
    let value = |name: &str| sent.get(name).map_or("", String::as_str);
    let (wrong, answer) = {
        let mut inner = shared.lock().unwrap();
        inner.ask("token");
        if !is_the_client(inner.auth_method, &headers, &sent) {
            return refuse("invalid_client");
        }
        if value("grant_type") != "authorization_code" {
            return refuse("unsupported_grant_type");
        }
        let Some(grant) = inner.grants.remove(value("code")) else { return refuse("invalid_grant") };
        let challenge = encode(digest::digest(&digest::SHA256, value("code_verifier").as_bytes()));
        if grant.redirect_uri != value("redirect_uri") || grant.challenge != challenge {
            return refuse("invalid_grant");
        }
        let access_token = inner.give("access");
        let id_token = inner.keys.id_token(inner.signature, inner.wrong, inner.claims(&grant.nonce));
        inner.given.push(id_token.clone());
        let mut answer =
            json!({"access_token": access_token, "token_type": "Bearer", "expires_in": 60, "id_token": id_token});
        if inner.wrong == Wrong::NoIdToken {
            answer.as_object_mut().unwrap().remove("id_token");
        }
        (inner.wrong, answer)
    };
    match wrong {
        Wrong::TokenError => (StatusCode::INTERNAL_SERVER_ERROR, answer.to_string()).into_response(),
        Wrong::TokenNoJson => ([(CONTENT_TYPE, "application/json")], format!("<b>{answer}")).into_response(),
        Wrong::TokenRedirect => (StatusCode::FOUND, [(LOCATION, "/realm/token")]).into_response(),
        Wrong::TokenEndless => ([(CONTENT_TYPE, "application/json")], " ".repeat(10_000_000)).into_response(),
        Wrong::TokenHangs => std::future::pending().await,
        _ => Json(answer).into_response(),
    }
}

async fn user_info(State(shared): State<Shared>, headers: HeaderMap) -> Response {
    let mut inner = shared.lock().unwrap();
    inner.ask("userinfo");
    let shown = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let shown = shown.strip_prefix("Bearer ").unwrap_or_default();
    if !inner.given.iter().any(|given| given == shown) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let is_another = inner.wrong == Wrong::UserInfoOfAnother;
    let mut claims = json!({"sub": if is_another { "subject-of-another" } else { &inner.somebody.subject }});
    inner.add_email(&mut claims);
    Json(claims).into_response()
}

fn is_the_client(method: &str, headers: &HeaderMap, sent: &HashMap<String, String>) -> bool {
    let encoded = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    match method {
        "client_secret_post" => {
            sent.get("client_id").is_some_and(|id| id == CLIENT_ID)
                && sent.get("client_secret").is_some_and(|secret| secret == CLIENT_SECRET)
        }
        _ => {
            let basic = BASE64_STANDARD.encode(format!("{}:{}", encoded(CLIENT_ID), encoded(CLIENT_SECRET)));
            headers.get(AUTHORIZATION).is_some_and(|value| *value == format!("Basic {basic}"))
        }
    }
}

fn encode(bytes: impl AsRef<[u8]>) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}
