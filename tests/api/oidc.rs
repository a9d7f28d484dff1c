//! Logging in through another provider, as a browser without scripts does it, against a provider that these tests start.

mod accounts;
mod answers;

use super::login::{MINUTE_MS, pass};
use super::oidc_provider::{CLIENT_ID, CLIENT_SECRET, Signature, Somebody, TestProvider, Wrong};
use super::people::WORDS;
use super::server::{Answer, CapturedLog, NOW_MS, TestServer};
use axum::http::StatusCode;
use serde_json::json;
use tollbridge::config::OidcProvider;
use tollbridge::domain::account::{Account, NewPassword, Role};
use tollbridge::domain::audit::Actor;
use tollbridge::domain::secret::Secret;
use tollbridge::domain::usage::UserId;
use tollbridge::http::auth::Access;
use tollbridge::http::auth::oidc::provider::Oidc;
use tollbridge::ledger::Ledger;
use tollbridge::ledger::backup::back_up;
use tollbridge::ledger::invite::Joined;
use tollbridge::watch::notify::outbound::Outbound;

const FORM: [(&str, &str); 3] =
    [("content-type", "application/x-www-form-urlencoded"), ("accept", "text/html"), ("sec-fetch-site", "same-origin")];
const FROM_PROVIDER: [(&str, &str); 3] =
    [("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "navigate"), ("accept", "text/html")];
const NO_ACCOUNT: &str = "Example knows you, but nobody here may log in as that.";
const NOT_VERIFIED: &str = "Example does not say that it has verified your e-mail address.";
const OVER: &str = "This login is over.";
const NOT_BELIEVED: &str = "Example gave an answer that cannot be trusted";

struct Setup {
    server: TestServer,
    provider: TestProvider,
}

/// A login that is under way in one browser.
struct UnderWay {
    cookie: String,
    /// Where the browser is sent to.
    address: String,
}

impl Setup {
    /// The owner has a password. Whoever is from example.org gets an account.
    async fn start() -> Self {
        Self::with_domains(&["example.org"]).await
    }

    async fn with_domains(domains: &[&str]) -> Self {
        let provider = TestProvider::start().await;
        let server = server_with(&provider.issuer, domains).await;
        Self { server, provider }
    }

    async fn begin(&self, path: &str) -> UnderWay {
        let answer = self.server.get(path).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.text());
        let cookie = cookie_named("oidc", &answer).expect("the login is tied to the browser");
        UnderWay { cookie, address: answer.header("location").to_owned() }
    }

    /// The browser comes back from the provider.
    async fn end(&self, cookie: &str, address: &str) -> Answer {
        let mut headers = FROM_PROVIDER.to_vec();
        headers.push(("cookie", cookie));
        self.server.get_with(address, &headers).await
    }

    async fn log_in(&self) -> Answer {
        self.log_in_from("/login/oidc").await
    }

    async fn log_in_from(&self, path: &str) -> Answer {
        let login = self.begin(path).await;
        self.end(&login.cookie, &self.provider.authorize(&login.address)).await
    }

    async fn show_password(&self, cookie: &str, password: &str) -> Answer {
        let mut headers = FORM.to_vec();
        headers.push(("cookie", cookie));
        let form = form_urlencoded::Serializer::new(String::new()).append_pair("password", password).finish();
        self.server.post_with("/login/oidc/link", &headers, form).await
    }

    async fn accounts(&self) -> Vec<Account> {
        self.server.state.ledger.accounts().await.unwrap()
    }

    async fn who_is(&self, session: &str) -> String {
        let page = self.server.get_with("/keys", &[("cookie", session)]).await.text();
        let (_, rest) = page.split_once("data-session=\"").unwrap_or(("", "\""));
        rest.split('"').next().unwrap().to_owned()
    }

    /// Somebody who logs in with a password, as everybody did before.
    async fn join(&self, login: &str) -> UserId {
        let ledger = &self.server.state.ledger;
        let invite = ledger.create_invite(Role::Member, &Actor::command_line(), NOW_MS).await.unwrap();
        match ledger
            .accept_invite(&invite, login, &NewPassword::parse(WORDS).unwrap(), &Actor::command_line(), NOW_MS)
            .await
            .unwrap()
        {
            Joined::Account(account) => account.user_id,
            other => panic!("{other:?}"),
        }
    }
}

pub fn test_oidc(issuer: &str, domains: &[&str]) -> Oidc {
    let provider = OidcProvider {
        issuer: issuer.to_owned(),
        client_id: CLIENT_ID.into(),
        client_secret: Secret::new(CLIENT_SECRET),
        name: "Example".into(),
        scopes: vec!["email".into(), "profile".into()],
        allowed_domains: domains.iter().map(|domain| (*domain).to_owned()).collect(),
        base_url: "http://127.0.0.1:3000".into(),
    };
    Oidc::new(provider, Outbound::new(true, Vec::new()).unwrap())
}

async fn server_with(issuer: &str, domains: &[&str]) -> TestServer {
    let access = Access::default().with_oidc(Some(test_oidc(issuer, domains)));
    let server = TestServer::start_with(access).await;
    server
        .state
        .ledger
        .set_password(&UserId::owner(), &NewPassword::parse(WORDS).unwrap(), &Actor::command_line(), NOW_MS)
        .await
        .unwrap();
    server
}

/// A cookie that an answer sets, as the next request sends it.
fn cookie_named(name: &str, answer: &Answer) -> Option<String> {
    let set = answer.headers.get_all("set-cookie").into_iter().map(|value| value.to_str().unwrap());
    let pairs = set.map(|cookie| cookie.split(';').next().unwrap().to_owned());
    pairs.into_iter().find(|pair| pair.strip_prefix(name).is_some_and(|rest| rest.starts_with('=')))
}

fn expect_in(answer: &Answer) -> String {
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.text());
    cookie_named("sid", answer).expect("a session")
}

fn expect_out(answer: &Answer, status: StatusCode, words: &str, why: &str) {
    assert_eq!(answer.status, status, "{why}: {}", answer.text());
    assert!(answer.text().contains(words), "{why}: {}", answer.text());
    assert_eq!(cookie_named("sid", answer), None, "{why}");
    assert!(!answer.text().contains("kanarie") && !answer.text().contains("<script"), "{why}: {}", answer.text());
    assert!(answer.header("content-security-policy").starts_with("default-src 'none'; style-src 'self'"));
    assert_eq!(answer.header("cache-control"), "no-store");
}

#[tokio::test]
async fn who_logs_in_at_the_provider_has_a_session_and_goes_where_they_wanted_to() {
    let setup = Setup::start().await;
    let page = setup.server.get("/login?next=%2Fbudgets%3Fa%3Db").await.text();
    assert!(
        page.contains("href=\"/login/oidc?next=/budgets%3Fa%3Db\"") && page.contains("Log in with Example"),
        "{page}"
    );
    let answer = setup.server.get("/login/oidc?next=/budgets%3Fa%3Db").await;
    let set = answer.header("set-cookie");
    assert!(set.starts_with("oidc=") && set.ends_with("; Path=/; HttpOnly; SameSite=Lax; Max-Age=600"), "{set}");
    let answer = setup.log_in_from("/login/oidc?next=/budgets%3Fa%3Db").await;
    assert_eq!(answer.header("location"), "/budgets?a=b");
    assert_eq!(cookie_named("oidc", &answer), Some("oidc=".into()), "it is used");
    assert_eq!(setup.who_is(&expect_in(&answer)).await, "ann@example.org");
    let accounts = setup.accounts().await;
    let ann = accounts.iter().find(|account| account.login == "ann@example.org").unwrap();
    assert_eq!((accounts.len(), ann.role, ann.has_password), (2, Role::Member, false));
    // From now on the provider's own id counts, and the address may be anybody's.
    setup.provider.log_in_as(Somebody { email_verified: json!(false), ..Somebody::new("subject-of-ann", "owner") });
    let session = expect_in(&setup.log_in().await);
    assert_eq!(setup.who_is(&session).await, "ann@example.org");
    assert_eq!(setup.accounts().await.len(), 2);
    assert_eq!(setup.provider.asked("discovery"), 1, "it is asked once an hour");
    pass(&setup.server, 61 * MINUTE_MS);
    setup.server.get("/login/oidc").await;
    assert_eq!(setup.provider.asked("discovery"), 2);
}

#[tokio::test]
async fn each_login_through_the_provider_has_a_new_session_and_ends_the_former_one() {
    let setup = Setup::start().await;
    let first = expect_in(&setup.log_in().await);
    let login = setup.begin("/login/oidc").await;
    let both = format!("{first}; {}", login.cookie);
    let second = expect_in(&setup.end(&both, &setup.provider.authorize(&login.address)).await);
    assert_ne!(first, second);
    assert_eq!((setup.who_is(&first).await.as_str(), setup.who_is(&second).await.as_str()), ("", "ann@example.org"));
}

#[tokio::test]
async fn a_login_through_the_provider_leads_to_no_other_site() {
    let setup = Setup::start().await;
    for next in ["https://evil.example", "//evil.example", "/\\evil.example", "/logout", "/login/oidc"] {
        let next: String = form_urlencoded::byte_serialize(next.as_bytes()).collect();
        let answer = setup.log_in_from(&format!("/login/oidc?next={next}")).await;
        assert_eq!((answer.status, answer.header("location")), (StatusCode::SEE_OTHER, "/"), "{next}");
    }
}

#[tokio::test]
async fn beginning_is_limited_and_happens_at_the_address_that_the_provider_knows() {
    let setup = Setup::start().await;
    let elsewhere = setup.server.get_with("/login/oidc?next=/keys", &[("host", "localhost:3000")]).await;
    assert_eq!(elsewhere.header("location"), "http://127.0.0.1:3000/login/oidc?next=%2Fkeys");
    assert_eq!(elsewhere.header("set-cookie"), "");
    for _ in 0..10 {
        setup.begin("/login/oidc").await;
        pass(&setup.server, 100);
    }
    let refused = setup.server.get("/login/oidc").await;
    assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS);
    assert!(refused.text().contains("Too many attempts."));
}

#[tokio::test]
async fn without_a_provider_there_is_nothing_of_it_and_without_the_owners_password_neither() {
    let server = TestServer::start().await;
    assert_eq!(server.get("/login/oidc").await.status, StatusCode::NOT_FOUND);
    assert_eq!(server.get("/login/oidc/callback?code=x&state=y").await.status, StatusCode::NOT_FOUND);
    server
        .state
        .ledger
        .set_password(&UserId::owner(), &NewPassword::parse(WORDS).unwrap(), &Actor::command_line(), NOW_MS)
        .await
        .unwrap();
    assert!(!server.get("/login").await.text().contains("/login/oidc"));
    let provider = TestProvider::start().await;
    let with_provider = server_with(&provider.issuer, &["example.org"]).await;
    let fresh = TestServer::start_with(with_provider.state.access.clone()).await;
    assert_eq!(fresh.get("/login/oidc").await.header("location"), "/login");
    assert_eq!(provider.asked("discovery"), 0);
}

#[tokio::test]
async fn two_servers_share_the_logins_that_are_under_way_and_a_backup_keeps_the_links() {
    let setup = Setup::start().await;
    let login = setup.begin("/login/oidc").await;
    let answer = setup.provider.authorize(&login.address);
    // Another process on the same database, with a memory of its own.
    let url = setup.server.state.config.database_url();
    let other = Ledger::open(url.reveal(), &setup.server.state.config.zone).await.unwrap();
    let sid = login.cookie.strip_prefix("oidc=").unwrap();
    let token = tollbridge::ledger::token::Token::parse(sid).unwrap();
    assert!(other.take_login(&token, NOW_MS).await.unwrap().is_some());
    expect_out(&setup.end(&login.cookie, &answer).await, StatusCode::BAD_REQUEST, OVER, "the other one has answered");
    expect_in(&setup.log_in().await);
    let folder = tempfile::tempdir().unwrap();
    let data = &setup.server.state.config.settings.server.data_dir;
    let copy = folder.path().join("copy.db");
    back_up(&data.join("tollbridge.db"), &data.join("spool.db"), &copy, NOW_MS).await.unwrap();
    let copy = Ledger::open_as_it_is(&format!("sqlite:{}", copy.display())).await.unwrap();
    let linked = copy.linked_account(&setup.provider.issuer, "subject-of-ann").await.unwrap();
    assert_eq!(linked.unwrap().login, "ann@example.org");
}

#[tokio::test]
async fn neither_the_clients_secret_nor_a_token_of_the_provider_is_kept_or_told() {
    let log = CapturedLog::default();
    let _until_the_end = log.listen();
    let setup = Setup::start().await;
    expect_in(&setup.log_in().await);
    for wrong in [Wrong::TokenError, Wrong::TokenNoJson, Wrong::Nonce, Wrong::TokenRedirect, Wrong::NoIdToken] {
        setup.provider.misbehave(wrong);
        assert_eq!(setup.log_in().await.status, StatusCode::BAD_GATEWAY);
    }
    let login = setup.begin("/login/oidc").await;
    let answer = setup.provider.authorize(&login.address).replace("code=", "code=kanarie-unknown");
    assert_eq!(setup.end(&login.cookie, &answer).await.status, StatusCode::BAD_GATEWAY);
    let logged = log.text();
    assert!(logged.contains("invalid_grant") && logged.contains("it belongs to another login"), "{logged}");
    let mut written = logged.into_bytes();
    let data = &setup.server.state.config.settings.server.data_dir;
    for file in ["tollbridge.db", "tollbridge.db-wal", "spool.db", "spool.db-wal"] {
        written.extend(std::fs::read(data.join(file)).unwrap_or_default());
    }
    let written = String::from_utf8_lossy(&written);
    assert!(written.contains("subject-of-ann"), "it was looked where things are");
    assert!(!written.contains("kanarie"), "secrets begin so");
    for given in setup.provider.given() {
        assert!(!written.contains(&given) && !given.split('.').any(|part| part.len() > 20 && written.contains(part)));
    }
    assert!(!written.contains(login.cookie.strip_prefix("oidc=").unwrap()), "of the browser's part only the hash");
}
