//! `/login/oidc`: logging in through another provider (OpenID Connect: code flow, PKCE, state, nonce). How the provider is asked
//! and believed is `provider`'s; whose account somebody gets is decided here, by the rule in docs/access.md.
//!
//! A login is tied to the browser by a cookie, from which state, nonce and code verifier are derived. The database holds only
//! its hash, so that several servers share the logins that are under way and none can be answered twice.

mod fetch;
pub mod provider;

use self::provider::{Fault, Oidc, Person, state_of};
use super::form::{Peer, Sent, client_address, fields, let_in, page, see_other, wait_page};
use super::gate::person;
use super::login::{BUSY, BUSY_WAIT_MS, local_path, too_often};
use super::{Principal, session_cookie};
use crate::app::door::{Door, LinkDoor, LoginDoor, ProviderDoor, ProviderProblem};
use crate::config::OidcProvider;
use crate::domain::account::Account;
use crate::domain::audit::Actor;
use crate::domain::usage::UserId;
use crate::http::error::ApiError;
use crate::http::state::AppState;
use crate::ledger::LedgerError;
use crate::ledger::invite::Joined;
use crate::ledger::oidc::{Admission, Identity, LOGIN_LASTS_MS, LoginUnderWay};
use crate::ledger::token::Token;
use axum::extract::{Query, State};
use axum::http::header::{HOST, RETRY_AFTER, SET_COOKIE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::Response;
use serde::Deserialize;

/// Seconds after which a provider that did not answer may be tried again.
const RETRY_AFTER_S: i64 = 30;

#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Begin {
    next: String,
    /// The token of an invitation.
    invite: String,
}

/// What the provider sends a browser back with.
#[derive(Default, Deserialize)]
#[serde(default)]
pub struct ProviderAnswer {
    code: String,
    state: String,
    error: String,
    iss: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub struct LinkForm {
    password: String,
}

/// Sends a browser to the provider.
pub async fn begin(
    State(state): State<AppState>,
    Query(Begin { next, invite }): Query<Begin>,
    peer: Peer,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let oidc = state.access.oidc.clone().ok_or(ApiError::NotFound)?;
    let (next, now_ms) = (local_path(&next), state.clock.now_ms());
    if let Some(elsewhere) = elsewhere(oidc.provider(), &headers, next, &invite) {
        return Ok(see_other(&elsewhere));
    }
    // Before the owner has a password, nobody logs in.
    if !state.ledger.needs_login(now_ms).await? {
        return Ok(see_other("/login"));
    }
    let address = client_address(peer, &headers, &state.access);
    if let Err(wait_ms) = state.access.limits.admit_link(address, now_ms) {
        let provider = state.access.provider_name();
        let door = LoginDoor { next, provider, problem: too_often(wait_ms), ..LoginDoor::default() };
        return Ok(wait_page(&state, &headers, wait_ms, Door::Login(door)));
    }
    if let Err(fault) = oidc.prepare(now_ms).await {
        return Ok(faulty(&state, &headers, &oidc, &fault));
    }
    let token = state.ledger.begin_login(next, Token::parse(&invite).as_ref(), now_ms).await?;
    match oidc.login_url(&token, now_ms).await {
        Ok(url) => Ok(with_cookie(see_other(&url), keep(&token, &state, &headers))),
        Err(fault) => Ok(faulty(&state, &headers, &oidc, &fault)),
    }
}

/// Takes a browser back from the provider, and lets in whom the rule lets in.
pub async fn end(
    State(state): State<AppState>,
    Query(answer): Query<ProviderAnswer>,
    peer: Peer,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let oidc = state.access.oidc.clone().ok_or(ApiError::NotFound)?;
    let now_ms = state.clock.now_ms();
    let over = || Ok(problem(&state, &headers, &oidc, StatusCode::BAD_REQUEST, ProviderProblem::Over));
    // Another browser's answer ends nothing: the login that this one has begun may still be answered.
    let Some(token) = session_cookie::read_provider_login(&headers, &state.access) else { return over() };
    if !is_state_of(&token, &answer.state) {
        return over();
    }
    let Some(login) = state.ledger.take_login(&token, now_ms).await? else { return over() };
    match oidc.sent(answer.iss.as_deref(), now_ms).await {
        Ok(true) => {}
        Ok(false) => return over(),
        Err(fault) => return Ok(faulty(&state, &headers, &oidc, &fault)),
    }
    if !answer.error.is_empty() || answer.code.is_empty() {
        return Ok(problem(&state, &headers, &oidc, StatusCode::UNAUTHORIZED, ProviderProblem::Declined));
    }
    let person = match oidc.redeem(answer.code, &token, now_ms).await {
        Ok(person) => person,
        Err(fault) => return Ok(faulty(&state, &headers, &oidc, &fault)),
    };
    let actor = Actor::nobody(client_address(peer, &headers, &state.access));
    let verdict = judge(&state, &headers, oidc.provider(), person, &login, &actor, now_ms).await?;
    enter(&state, &headers, &oidc, verdict, &login.next, &actor, now_ms).await
}

/// Links an account to who has logged in at the provider, for who knows the account's password.
pub async fn link(
    State(state): State<AppState>,
    peer: Peer,
    headers: HeaderMap,
    sent: Sent<LinkForm>,
) -> Result<Response, ApiError> {
    let oidc = state.access.oidc.clone().ok_or(ApiError::NotFound)?;
    let LinkForm { password } = fields(sent)?;
    let now_ms = state.clock.now_ms();
    let over = || Ok(problem(&state, &headers, &oidc, StatusCode::BAD_REQUEST, ProviderProblem::Over));
    let Some(token) = session_cookie::read_provider_login(&headers, &state.access) else { return over() };
    let Some(link) = state.ledger.pending_link(&token, now_ms).await? else { return over() };
    let again = |problem: String| link_door(&oidc, &link.login, &link.identity.email, problem);
    let limits = &state.access.limits;
    let address = client_address(peer, &headers, &state.access);
    if let Err(wait_ms) = limits.admit(address, &link.login, now_ms) {
        return Ok(wait_page(&state, &headers, wait_ms, again(too_often(wait_ms))));
    }
    let actor = Actor::nobody(address);
    match state.ledger.check_password(&link.login, &password, &actor, now_ms).await {
        Ok(Some(_)) => {}
        Ok(None) => {
            let problem = "The password is wrong.".to_owned();
            return Ok(page(&state, &headers, StatusCode::UNAUTHORIZED, again(problem)));
        }
        Err(LedgerError::Busy) => return Ok(wait_page(&state, &headers, BUSY_WAIT_MS, again(BUSY.to_owned()))),
        Err(error) => return Err(error.into()),
    }
    limits.forgive(&link.login);
    if !state.ledger.finish_link(&token, &link, &actor, now_ms).await? {
        return over();
    }
    tracing::info!(user_id = link.user_id.0, "linked to the provider, and logged in");
    let response = let_in(&state, &headers, &link.user_id, &actor, &link.next).await?;
    Ok(with_cookie(response, session_cookie::forget_provider_login(&headers, &state.access)))
}

/// The provider by its name, and who somebody was there when their account was linked; none without a provider, or if nobody has
/// logged in.
pub async fn own_link(
    state: &AppState,
    principal: &Principal,
) -> Result<Option<(String, Option<String>)>, LedgerError> {
    let (Some(oidc), Principal::Account(account)) = (&state.access.oidc, principal) else { return Ok(None) };
    let OidcProvider { name, issuer, .. } = oidc.provider();
    Ok(Some((name.clone(), state.ledger.linked_email(&account.user_id, issuer).await?)))
}

/// Ends the link of who acts. Says whether there was one that can be done without.
pub async fn unlink(state: &AppState, principal: &Principal, actor: &Actor) -> Result<bool, LedgerError> {
    let (Some(oidc), Principal::Account(account)) = (&state.access.oidc, principal) else { return Ok(false) };
    state.ledger.unlink(account, &oidc.provider().issuer, actor, state.clock.now_ms()).await
}

/// What somebody gets who has logged in at the provider.
enum Verdict {
    /// Their account.
    In(UserId),
    /// Their account, once they have shown its password.
    ShowPassword {
        account: Account,
        identity: Identity,
    },
    NotVerified,
    InviteIsOver,
    /// There is no account for them, or none that may be used. Which of the two is not told.
    NoAccount,
}

/// The rule of docs/access.md: who is linked is in. Otherwise the account is the one that this browser is logged in to, or the
/// one whose login is the verified address; or a new one, for an invitation or an allowed domain. An account that has a password
/// is linked only to who knows it: whoever made it may not be who has the address.
async fn judge(
    state: &AppState,
    headers: &HeaderMap,
    provider: &OidcProvider,
    somebody: Person,
    login: &LoginUnderWay,
    actor: &Actor,
    now_ms: i64,
) -> Result<Verdict, LedgerError> {
    let ledger = &state.ledger;
    if let Some(account) = ledger.linked_account(&provider.issuer, &somebody.subject).await? {
        let may_be_used = account.disabled_at_ms.is_none();
        return Ok(if may_be_used { Verdict::In(account.user_id) } else { Verdict::NoAccount });
    }
    let of_browser = match person(state, headers).await? {
        Some(Principal::Account(account)) if account.has_password => Some(account),
        _ => None,
    };
    let email = somebody.verified_email.and_then(|email| Account::check_login(&email).ok());
    // What has no domain is no address, but may be a login: the owner's.
    let Some(email) = email.filter(|email| email.contains('@')) else { return Ok(Verdict::NotVerified) };
    let account = match of_browser {
        Some(account) => Some(account),
        None => ledger.account(&email).await?,
    };
    let identity = Identity { issuer: provider.issuer.clone(), subject: somebody.subject, email };
    if let Some(account) = account {
        return judge_account(state, account, identity, actor, now_ms).await;
    }
    let admission = match &login.invite {
        Some(invite) => Admission::Invite(invite),
        None if is_in_domain(&identity.email, &provider.allowed_domains) => Admission::Domain,
        None => return Ok(Verdict::NoAccount),
    };
    match ledger.join_with_identity(admission, &identity.email, &identity, actor, now_ms).await? {
        Joined::Account(account) => Ok(Verdict::In(account.user_id)),
        Joined::InviteIsOver => Ok(Verdict::InviteIsOver),
        // Made at this very moment by somebody else.
        Joined::LoginIsTaken => Ok(Verdict::NoAccount),
    }
}

async fn judge_account(
    state: &AppState,
    account: Account,
    identity: Identity,
    actor: &Actor,
    now_ms: i64,
) -> Result<Verdict, LedgerError> {
    let is_linked = state.ledger.linked_email(&account.user_id, &identity.issuer).await?.is_some();
    if is_linked || account.disabled_at_ms.is_some() {
        return Ok(Verdict::NoAccount);
    }
    if account.has_password {
        return Ok(Verdict::ShowPassword { account, identity });
    }
    let is_linked = state.ledger.link(&account, &identity, &actor.logged_in_as(&account.user_id), now_ms).await?;
    Ok(if is_linked { Verdict::In(account.user_id) } else { Verdict::NoAccount })
}

async fn enter(
    state: &AppState,
    headers: &HeaderMap,
    oidc: &Oidc,
    verdict: Verdict,
    next: &str,
    actor: &Actor,
    now_ms: i64,
) -> Result<Response, ApiError> {
    let forget = session_cookie::forget_provider_login(headers, &state.access);
    let refuse = |what| problem(state, headers, oidc, StatusCode::FORBIDDEN, what);
    let response = match verdict {
        Verdict::In(user) => {
            tracing::info!(user_id = user.0, "logged in through the provider");
            let_in(state, headers, &user, actor, next).await?
        }
        Verdict::ShowPassword { account, identity } => {
            let token = state.ledger.begin_link(&account.user_id, &identity, next, now_ms).await?;
            let door = link_door(oidc, &account.login, &identity.email, String::new());
            return Ok(with_cookie(page(state, headers, StatusCode::OK, door), keep(&token, state, headers)));
        }
        Verdict::NotVerified => {
            note_refusal(state, "through the provider: the address is not verified", actor, now_ms).await?;
            refuse(ProviderProblem::NotVerified)
        }
        Verdict::InviteIsOver => page(state, headers, StatusCode::GONE, Door::InviteIsOver),
        Verdict::NoAccount => {
            tracing::warn!("a login through the provider was refused: there is no account for it");
            note_refusal(state, "through the provider: no account that may be used", actor, now_ms).await?;
            refuse(ProviderProblem::NoAccount)
        }
    };
    Ok(with_cookie(response, forget))
}

/// Whom the provider named is left out, as a name that nobody has is.
async fn note_refusal(state: &AppState, refusal: &str, actor: &Actor, now_ms: i64) -> Result<(), LedgerError> {
    state.ledger.note_failed_login(None, refusal, actor, now_ms).await
}

/// The address at which the provider's answer arrives, if this is another one: the cookie has to be there.
fn elsewhere(provider: &OidcProvider, headers: &HeaderMap, next: &str, invite: &str) -> Option<String> {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let (_, ours) = provider.base_url.split_once("://")?;
    if host.eq_ignore_ascii_case(ours) {
        return None;
    }
    let query = form_urlencoded::Serializer::new(String::new())
        .extend_pairs([("next", next), ("invite", invite)].iter().filter(|(_, value)| !value.is_empty()))
        .finish();
    Some(format!("{}/login/oidc?{query}", provider.base_url))
}

fn is_state_of(token: &Token, state: &str) -> bool {
    let expected = Token::parse(&state_of(token));
    Token::parse(state).zip(expected).is_some_and(|(sent, expected)| sent.is(&expected))
}

fn is_in_domain(email: &str, domains: &[String]) -> bool {
    email.rsplit_once('@').is_some_and(|(_, domain)| domains.iter().any(|allowed| allowed == domain))
}

fn link_door<'a>(oidc: &'a Oidc, login: &'a str, email: &'a str, problem: String) -> Door<'a> {
    Door::Link(LinkDoor { provider: &oidc.provider().name, login, email, problem })
}

fn problem(state: &AppState, headers: &HeaderMap, oidc: &Oidc, status: StatusCode, what: ProviderProblem) -> Response {
    let door = ProviderDoor { provider: &oidc.provider().name, problem: what };
    page(state, headers, status, Door::Provider(door))
}

/// Says that the provider is the reason, and why in the log.
fn faulty(state: &AppState, headers: &HeaderMap, oidc: &Oidc, fault: &Fault) -> Response {
    tracing::warn!(%fault, "nobody can log in through the provider");
    let (status, what) = match fault {
        Fault::Unreachable(_) | Fault::Late => (StatusCode::SERVICE_UNAVAILABLE, ProviderProblem::Unreachable),
        Fault::Broken(_) | Fault::Refused(_) | Fault::Untrusted(_) => {
            (StatusCode::BAD_GATEWAY, ProviderProblem::NotBelieved)
        }
    };
    let mut response = problem(state, headers, oidc, status, what);
    if status == StatusCode::SERVICE_UNAVAILABLE {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(RETRY_AFTER_S));
    }
    response
}

fn keep(token: &Token, state: &AppState, headers: &HeaderMap) -> Option<HeaderValue> {
    session_cookie::keep_provider_login(token, LOGIN_LASTS_MS / 1_000, headers, &state.access)
}

fn with_cookie(mut response: Response, cookie: Option<HeaderValue>) -> Response {
    if let Some(cookie) = cookie {
        response.headers_mut().append(SET_COOKIE, cookie);
    }
    response
}
