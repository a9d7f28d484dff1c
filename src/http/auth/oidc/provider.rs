//! The provider: what it says of itself, where it lets people log in, and who somebody is by what it signs. It is hostile until
//! its signature holds; what it writes reaches neither a page nor a log.
//!
//! Of an ID token the crate checks the signature by the provider's keys, issuer, audience (ours and no other), nonce and end;
//! the allowed kinds of signature and the authorized party are checked here.

use super::fetch::{FetchError, Fetcher};
use crate::config::{OidcProvider, check_provider_url};
use crate::ledger::token::Token;
use crate::watch::notify::outbound::Outbound;
use chrono::{DateTime, Utc};
use openidconnect::core::{
    CoreAuthDisplay, CoreAuthenticationFlow, CoreClaimName, CoreClaimType, CoreClient, CoreClientAuthMethod,
    CoreErrorResponseType, CoreGrantType, CoreIdToken, CoreIdTokenClaims, CoreJsonWebKey,
    CoreJweContentEncryptionAlgorithm, CoreJweKeyManagementAlgorithm, CoreJwsSigningAlgorithm, CoreResponseMode,
    CoreResponseType, CoreSubjectIdentifierType, CoreTokenResponse, CoreUserInfoClaims,
};
use openidconnect::{
    AccessToken, AdditionalProviderMetadata, AuthType, AuthorizationCode, ClaimsVerificationError, ClientId,
    ClientSecret, CsrfToken, DiscoveryError, EndpointMaybeSet, EndpointNotSet, EndpointSet, IdTokenVerifier, IssuerUrl,
    Nonce, OAuth2TokenResponse, PkceCodeChallenge, PkceCodeVerifier, ProviderMetadata, RedirectUrl, RequestTokenError,
    Scope, SignatureVerificationError, StandardErrorResponse, UserInfoError,
};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;

/// For so long the provider's description and keys are taken as they were.
const KEPT_MS: i64 = 60 * 60_000;
/// A signature by a key that is not known has them fetched again, but not more often than this.
const FETCHED_EVERY_MS: i64 = 60_000;
/// All that one request of a browser may have us ask.
const WITHIN: Duration = Duration::from_secs(8);
/// Signatures with the provider's own key alone: with a shared secret or none, others could sign.
const SIGNATURES: [CoreJwsSigningAlgorithm; 5] = [
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
    CoreJwsSigningAlgorithm::RsaSsaPssSha256,
    CoreJwsSigningAlgorithm::EcdsaP256Sha256,
    CoreJwsSigningAlgorithm::EcdsaP384Sha384,
    CoreJwsSigningAlgorithm::EdDsa,
];

/// The provider that people may log in through. Cheap to clone.
#[derive(Clone)]
pub struct Oidc(Arc<Inner>);

struct Inner {
    provider: OidcProvider,
    fetcher: Fetcher,
    known: Mutex<Option<Known>>,
}

#[derive(Clone)]
struct Known {
    metadata: Arc<Metadata>,
    fetched_at_ms: i64,
}

/// Who has logged in at the provider.
#[derive(Debug)]
pub struct Person {
    pub subject: String,
    /// The address, if the provider has made certain that it is theirs.
    pub verified_email: Option<String>,
}

/// Why the provider cannot tell who somebody is. For the log: nothing here is from the provider, or secret.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    #[error("the provider cannot be reached: {0}")]
    Unreachable(FetchError),
    #[error("the provider took more than {} seconds in all", WITHIN.as_secs())]
    Late,
    #[error("the provider answers otherwise than OpenID Connect asks: {0}")]
    Broken(&'static str),
    #[error("the provider did not take the code: {0}")]
    Refused(&'static str),
    #[error("the provider's ID token is not accepted: {0}")]
    Untrusted(&'static str),
}

type Client =
    CoreClient<EndpointSet, EndpointNotSet, EndpointNotSet, EndpointNotSet, EndpointMaybeSet, EndpointMaybeSet>;

type Metadata = ProviderMetadata<
    IssuerParameter,
    CoreAuthDisplay,
    CoreClientAuthMethod,
    CoreClaimName,
    CoreClaimType,
    CoreGrantType,
    CoreJweContentEncryptionAlgorithm,
    CoreJweKeyManagementAlgorithm,
    CoreJsonWebKey,
    CoreResponseMode,
    CoreResponseType,
    CoreSubjectIdentifierType,
>;

/// RFC 9207: whether the provider says in each answer who it is.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct IssuerParameter {
    #[serde(default)]
    authorization_response_iss_parameter_supported: bool,
}

impl AdditionalProviderMetadata for IssuerParameter {}

impl Oidc {
    /// `outbound` may reach one's own network: the provider's address comes from the configuration alone.
    pub fn new(provider: OidcProvider, outbound: Outbound) -> Self {
        Self(Arc::new(Inner { provider, fetcher: Fetcher(outbound), known: Mutex::default() }))
    }

    pub fn provider(&self) -> &OidcProvider {
        &self.0.provider
    }

    /// Whether the provider can be asked at all. Worth knowing before anybody is sent there.
    pub async fn prepare(&self, now_ms: i64) -> Result<(), Fault> {
        within(async { self.metadata(now_ms, KEPT_MS).await.map(|_| ()) }).await
    }

    /// Where the provider lets somebody log in. All that the login needs later is derived from `token`, which the browser keeps.
    pub async fn login_url(&self, token: &Token, now_ms: i64) -> Result<String, Fault> {
        let metadata = within(self.metadata(now_ms, KEPT_MS)).await?;
        let (state, nonce) = (CsrfToken::new(state_of(token)), nonce_of(token));
        let scopes = self.provider().scopes.iter().cloned().map(Scope::new);
        let (url, _, _) = self
            .client(&metadata)?
            .authorize_url(CoreAuthenticationFlow::AuthorizationCode, move || state, move || nonce)
            .add_scopes(scopes)
            .set_pkce_challenge(PkceCodeChallenge::from_code_verifier_sha256(&verifier_of(token)))
            .url();
        Ok(url.into())
    }

    /// Whether an answer may be this provider's by the issuer that it names (RFC 9207).
    pub async fn sent(&self, issuer: Option<&str>, now_ms: i64) -> Result<bool, Fault> {
        match issuer {
            Some(issuer) => Ok(issuer == self.provider().issuer),
            None => {
                let metadata = within(self.metadata(now_ms, KEPT_MS)).await?;
                Ok(!metadata.additional_metadata().authorization_response_iss_parameter_supported)
            }
        }
    }

    /// Exchanges the code for who has logged in. The tokens are looked at and dropped.
    pub async fn redeem(&self, code: String, token: &Token, now_ms: i64) -> Result<Person, Fault> {
        within(async {
            let metadata = self.metadata(now_ms, KEPT_MS).await?;
            let client = self.client(&metadata)?;
            let request = client.exchange_code(AuthorizationCode::new(code)).map_err(|_| NO_TOKEN_ENDPOINT)?;
            let answer = request.set_pkce_verifier(verifier_of(token)).request_async(&self.0.fetcher).await;
            let answer = answer.map_err(token_fault)?;
            let id_token = answer.extra_fields().id_token().ok_or(Fault::Broken("there is no ID token"))?;
            let claims = self.verified(id_token, metadata, token, now_ms).await?;
            self.person(&client, claims, &answer).await
        })
        .await
    }

    /// The claims of an ID token, once everything about it is right. An unknown key may be a new one.
    async fn verified<'t>(
        &self,
        id_token: &'t CoreIdToken,
        metadata: Arc<Metadata>,
        token: &Token,
        now_ms: i64,
    ) -> Result<&'t CoreIdTokenClaims, Fault> {
        let claims = match id_token.claims(&self.verifier(&metadata, now_ms), &nonce_of(token)) {
            Err(ClaimsVerificationError::SignatureVerification(SignatureVerificationError::NoMatchingKey)) => {
                let metadata = self.metadata(now_ms, FETCHED_EVERY_MS).await?;
                id_token.claims(&self.verifier(&metadata, now_ms), &nonce_of(token))
            }
            other => other,
        };
        let claims = claims.map_err(claims_fault)?;
        // The crate leaves this one out.
        let is_for_us = claims.authorized_party().is_none_or(|party| party.as_str() == self.provider().client_id);
        if is_for_us { Ok(claims) } else { Err(Fault::Untrusted("it was made for another client (azp)")) }
    }

    fn verifier(&self, metadata: &Metadata, now_ms: i64) -> IdTokenVerifier<'static, CoreJsonWebKey> {
        // As a public client, so that the crate refuses signatures with the shared secret whatever is allowed.
        IdTokenVerifier::new_public_client(
            ClientId::new(self.provider().client_id.clone()),
            metadata.issuer().clone(),
            metadata.jwks().clone(),
        )
        .set_allowed_algs(SIGNATURES)
        // A time beyond the calendar is after every token's end.
        .set_time_fn(move || DateTime::from_timestamp_millis(now_ms).unwrap_or(DateTime::<Utc>::MAX_UTC))
    }

    /// Providers may leave the address out of the ID token and tell it when they are asked (OpenID Connect Core, 5.4).
    async fn person(
        &self,
        client: &Client,
        claims: &CoreIdTokenClaims,
        answer: &CoreTokenResponse,
    ) -> Result<Person, Fault> {
        let subject = claims.subject();
        if !is_subject(subject) {
            return Err(Fault::Untrusted("its subject is none"));
        }
        let (mut email, mut is_verified) = (claims.email().cloned(), claims.email_verified());
        let has_user_info = client.user_info_url().is_some();
        if email.is_none() && has_user_info && can_be_sent(answer.access_token()) {
            let request = client.user_info(answer.access_token().clone(), Some(subject.clone()));
            let request = request.map_err(|_| Fault::Broken("it names no userinfo endpoint"))?;
            let told: CoreUserInfoClaims = request.request_async(&self.0.fetcher).await.map_err(user_info_fault)?;
            (email, is_verified) = (told.email().cloned(), told.email_verified());
        }
        let verified_email = email.filter(|_| is_verified == Some(true)).map(|email| email.to_string());
        Ok(Person { subject: subject.to_string(), verified_email })
    }

    fn client(&self, metadata: &Metadata) -> Result<Client, Fault> {
        let OidcProvider { client_id, client_secret, .. } = self.provider();
        let redirect_url = RedirectUrl::new(self.provider().redirect_url());
        let redirect_url = redirect_url.map_err(|_| Fault::Broken("our own address is none"))?;
        let secret = ClientSecret::new(client_secret.reveal().to_owned());
        let client =
            CoreClient::from_provider_metadata(metadata.clone(), ClientId::new(client_id.clone()), Some(secret));
        Ok(client.set_redirect_uri(redirect_url).set_auth_type(auth_type(metadata)))
    }

    /// What the provider says of itself, with its keys, not older than `kept_ms`.
    async fn metadata(&self, now_ms: i64, kept_ms: i64) -> Result<Arc<Metadata>, Fault> {
        // Held while it is fetched: who comes meanwhile waits for the same answer.
        let mut known = self.0.known.lock().await;
        if let Some(known) = known.as_ref().filter(|known| now_ms - known.fetched_at_ms < kept_ms) {
            return Ok(known.metadata.clone());
        }
        let issuer = IssuerUrl::new(self.provider().issuer.clone());
        let issuer = issuer.map_err(|_| Fault::Broken("its issuer is no address"))?;
        let fetched = Metadata::discover_async(issuer, &self.0.fetcher).await;
        let metadata = Arc::new(fetched.map_err(discovery_fault)?);
        check_provider_url(metadata.authorization_endpoint().as_str())
            .map_err(|_| Fault::Broken("its authorization endpoint is not encrypted"))?;
        *known = Some(Known { metadata: metadata.clone(), fetched_at_ms: now_ms });
        Ok(metadata)
    }
}

impl fmt::Debug for Oidc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Oidc").field(&self.0.provider.issuer).finish()
    }
}

const NO_TOKEN_ENDPOINT: Fault = Fault::Broken("it names no token endpoint");

/// What the provider sends back with its answer, so that an answer to another browser is none.
pub(super) fn state_of(token: &Token) -> String {
    token.derive("state").reveal().to_owned()
}

fn nonce_of(token: &Token) -> Nonce {
    Nonce::new(token.derive("nonce").reveal().to_owned())
}

fn verifier_of(token: &Token) -> PkceCodeVerifier {
    PkceCodeVerifier::new(token.derive("code verifier").reveal().to_owned())
}

async fn within<T>(work: impl Future<Output = Result<T, Fault>>) -> Result<T, Fault> {
    tokio::time::timeout(WITHIN, work).await.unwrap_or(Err(Fault::Late))
}

/// Every provider takes the secret in the head unless it says otherwise.
fn auth_type(metadata: &Metadata) -> AuthType {
    let methods = metadata.token_endpoint_auth_methods_supported();
    match methods.filter(|methods| !methods.contains(&CoreClientAuthMethod::ClientSecretBasic)) {
        Some(methods) if methods.contains(&CoreClientAuthMethod::ClientSecretPost) => AuthType::RequestBody,
        _ => AuthType::BasicAuth,
    }
}

/// The crate takes for granted that a token fits into a header.
fn can_be_sent(token: &AccessToken) -> bool {
    token.secret().bytes().all(|byte| byte.is_ascii_graphic())
}

/// At most 255 ASCII characters (OpenID Connect Core, 2).
fn is_subject(text: &str) -> bool {
    !text.is_empty() && text.len() <= 255 && text.bytes().all(|byte| byte.is_ascii() && !byte.is_ascii_control())
}

fn discovery_fault(error: DiscoveryError<FetchError>) -> Fault {
    match error {
        DiscoveryError::Request(error) => Fault::Unreachable(error),
        DiscoveryError::Response(..) => Fault::Broken("there is no discovery document or key set at its address"),
        DiscoveryError::Parse(_) => Fault::Broken("its discovery document or key set cannot be read"),
        DiscoveryError::Validation(_) => {
            Fault::Broken("its discovery document names another issuer than [oidc] issuer_url")
        }
        _ => Fault::Broken("its discovery document cannot be used"),
    }
}

fn token_fault(error: RequestTokenError<FetchError, StandardErrorResponse<CoreErrorResponseType>>) -> Fault {
    match error {
        RequestTokenError::Request(error) => Fault::Unreachable(error),
        RequestTokenError::ServerResponse(answer) => Fault::Refused(match answer.error() {
            CoreErrorResponseType::InvalidClient => "invalid_client; are [oidc] client_id and client_secret right?",
            CoreErrorResponseType::InvalidGrant => "invalid_grant",
            CoreErrorResponseType::InvalidRequest => "invalid_request",
            CoreErrorResponseType::UnauthorizedClient => "unauthorized_client",
            CoreErrorResponseType::UnsupportedGrantType => "unsupported_grant_type",
            _ => "for a reason of its own",
        }),
        RequestTokenError::Parse(..) => Fault::Broken("its answer to the code cannot be read"),
        RequestTokenError::Other(_) => Fault::Broken("its answer to the code is none"),
    }
}

fn user_info_fault(error: UserInfoError<FetchError>) -> Fault {
    match error {
        UserInfoError::Request(error) => Fault::Unreachable(error),
        UserInfoError::ClaimsVerification(_) => Fault::Untrusted("its userinfo is about somebody else"),
        _ => Fault::Broken("its userinfo cannot be read"),
    }
}

/// The crate's own words hold what the token says.
fn claims_fault(error: ClaimsVerificationError) -> Fault {
    use ClaimsVerificationError as Claims;
    use SignatureVerificationError as Signature;
    Fault::Untrusted(match error {
        Claims::Expired(_) => "it has expired",
        Claims::InvalidAudience(_) => "it was made for another client (aud)",
        Claims::InvalidIssuer(_) => "another issuer made it",
        Claims::InvalidNonce(_) => "it belongs to another login (nonce)",
        Claims::SignatureVerification(Signature::NoSignature) => "it is not signed",
        Claims::SignatureVerification(Signature::DisallowedAlg(_)) => "its kind of signature is not allowed",
        Claims::SignatureVerification(Signature::NoMatchingKey) => "its key is none of the provider's",
        Claims::SignatureVerification(Signature::AmbiguousKeyId(_)) => "it does not say which key signed it",
        Claims::SignatureVerification(_) => "its signature does not hold",
        _ => "it is of a kind that is not known here",
    })
}
