//! Logging in through another provider, as a browser without scripts does it, against a provider that these tests start.

use super::login::{MINUTE_MS, pass};
use super::oidc_provider::{CLIENT_ID, CLIENT_SECRET, Signature, Somebody, TestProvider, Wrong};
use super::people::WORDS;
use super::server::{Answer, CapturedLog, NOW_MS, TestServer};
use axum::http::StatusCode;
use serde_json::json;
use tollbridge::config::OidcProvider;
use tollbridge::domain::account::{Account, NewPassword, Role};
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
        let invite = ledger.create_invite(Role::Member, &UserId::owner(), NOW_MS).await.unwrap();
        match ledger.accept_invite(&invite, login, &NewPassword::parse(WORDS).unwrap(), NOW_MS).await.unwrap() {
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
    server.state.ledger.set_password(&UserId::owner(), &NewPassword::parse(WORDS).unwrap()).await.unwrap();
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
    assert!(page.contains("href=\"/login/oidc?next=/budgets%3Fa%3Db\"") && page.contains("Log in with Example"), "{page}");
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

/// Somebody made the account before, under an address that is not theirs, and waits for its holder to use it.
#[tokio::test]
async fn an_account_with_a_password_is_linked_by_verified_address_to_who_knows_the_password() {
    let setup = Setup::start().await;
    setup.join("ann@example.org").await;
    let asked = setup.log_in_from("/login/oidc?next=/keys").await;
    expect_out(&asked, StatusCode::OK, "show once that this account is yours", "the password is asked for");
    let cookie = cookie_named("oidc", &asked).unwrap();
    expect_out(&setup.show_password(&cookie, "words of a guess").await, StatusCode::UNAUTHORIZED, "wrong", "a guess");
    let elsewhere = format!("oidc={}", "0".repeat(64));
    expect_out(&setup.show_password(&elsewhere, WORDS).await, StatusCode::BAD_REQUEST, OVER, "another browser");
    expect_out(&setup.log_in().await, StatusCode::OK, "show once", "nothing is linked yet");
    let linked = setup.show_password(&cookie, WORDS).await;
    assert_eq!((setup.who_is(&expect_in(&linked)).await.as_str(), linked.header("location")), ("ann@example.org", "/keys"));
    expect_out(&setup.show_password(&cookie, WORDS).await, StatusCode::BAD_REQUEST, OVER, "it counts once");
    setup.provider.log_in_as(Somebody::new("subject-of-ann", "ann.new@elsewhere.example"));
    assert_eq!(setup.who_is(&expect_in(&setup.log_in().await)).await, "ann@example.org");
    setup.provider.log_in_as(Somebody::new("the address has another holder now", "ann@example.org"));
    expect_out(&setup.log_in().await, StatusCode::FORBIDDEN, NO_ACCOUNT, "one link for each account");
}

#[tokio::test]
async fn guessing_the_password_of_an_account_to_be_linked_has_to_wait() {
    let setup = Setup::start().await;
    setup.join("ann@example.org").await;
    let cookie = cookie_named("oidc", &setup.log_in().await).unwrap();
    for _ in 0..5 {
        assert_eq!(setup.show_password(&cookie, "words of a guess").await.status, StatusCode::UNAUTHORIZED);
        pass(&setup.server, 1_000);
    }
    let refused = setup.show_password(&cookie, WORDS).await;
    assert_eq!((refused.status, refused.header("retry-after")), (StatusCode::TOO_MANY_REQUESTS, "29"));
}

#[tokio::test]
async fn a_token_that_is_not_right_in_everything_lets_nobody_in() {
    for wrong in [
        Wrong::Nonce,
        Wrong::NoNonce,
        Wrong::Audience,
        Wrong::OneMoreAudience,
        Wrong::AuthorizedParty,
        Wrong::Expired,
        Wrong::Issuer,
        Wrong::NotSigned,
        Wrong::SignedWithPublicKey,
        Wrong::SignedWithSecret,
        Wrong::SignedWithForeignKey,
        Wrong::UnknownKey,
        Wrong::ChangedAfterSigning,
        Wrong::NoIdToken,
        Wrong::NoSubject,
        Wrong::TokenError,
        Wrong::TokenNoJson,
        Wrong::TokenRedirect,
    ] {
        let setup = Setup::start().await;
        setup.provider.misbehave(wrong);
        let answer = setup.log_in().await;
        expect_out(&answer, StatusCode::BAD_GATEWAY, NOT_BELIEVED, &format!("{wrong:?}"));
        assert_eq!(setup.accounts().await.len(), 1, "{wrong:?}");
        assert_eq!(setup.provider.asked("token"), 1, "{wrong:?}: neither repeated nor followed");
        setup.provider.misbehave(Wrong::Nothing);
        expect_in(&setup.log_in().await);
    }
}

#[tokio::test]
async fn an_address_that_is_not_verified_counts_for_nothing() {
    let setup = Setup::start().await;
    for (email, verified) in [
        (Some("ann@example.org"), json!(false)),
        (Some("ann@example.org"), json!("false")),
        (Some("ann@example.org"), json!(null)),
        (None, json!(true)),
        (Some("no address\nat all"), json!(true)),
    ] {
        let somebody = Somebody::new("subject-of-ann", "");
        let why = format!("{email:?} {verified}");
        let somebody = Somebody { email: email.map(str::to_owned), email_verified: verified, ..somebody };
        setup.provider.log_in_as(somebody);
        expect_out(&setup.log_in().await, StatusCode::FORBIDDEN, NOT_VERIFIED, &why);
        // Slowly enough for the limit of one address.
        pass(&setup.server, 2 * MINUTE_MS);
    }
    assert_eq!(setup.accounts().await.len(), 1);
    // Some providers write it as a text.
    setup.provider.log_in_as(Somebody {
        email_verified: json!("true"),
        ..Somebody::new("subject-of-ann", "Ann@Example.org")
    });
    assert_eq!(setup.who_is(&expect_in(&setup.log_in().await)).await, "ann@example.org");
}

#[tokio::test]
async fn an_address_that_only_the_userinfo_tells_counts_if_it_is_about_the_same_person() {
    let setup = Setup::start().await;
    let ann = Somebody { in_user_info: true, ..Somebody::new("subject-of-ann", "ann@example.org") };
    setup.provider.log_in_as(ann);
    setup.provider.misbehave(Wrong::UserInfoOfAnother);
    expect_out(&setup.log_in().await, StatusCode::BAD_GATEWAY, NOT_BELIEVED, "about somebody else");
    setup.provider.misbehave(Wrong::Nothing);
    assert_eq!(setup.who_is(&expect_in(&setup.log_in().await)).await, "ann@example.org");
    assert_eq!(setup.provider.asked("userinfo"), 2);
}

/// Whoever attacks has logged in at the provider and sends the answer to somebody else.
#[tokio::test]
async fn an_answer_to_another_browser_is_refused_and_its_code_stays_unused() {
    let setup = Setup::start().await;
    let (attacker, victim) = (setup.begin("/login/oidc").await, setup.begin("/login/oidc").await);
    let planted = setup.provider.authorize(&attacker.address);
    expect_out(&setup.end(&victim.cookie, &planted).await, StatusCode::BAD_REQUEST, OVER, "another browser's");
    expect_out(&setup.end("theme=dark", &planted).await, StatusCode::BAD_REQUEST, OVER, "no login was begun");
    let without_state = planted.replace("state=", "stat=");
    expect_out(&setup.end(&attacker.cookie, &without_state).await, StatusCode::BAD_REQUEST, OVER, "no state");
    assert_eq!(setup.provider.asked("token"), 0);
    let own = setup.provider.authorize(&victim.address);
    assert_eq!(setup.who_is(&expect_in(&setup.end(&victim.cookie, &own).await)).await, "ann@example.org");
}

#[tokio::test]
async fn an_answer_counts_once_and_for_ten_minutes() {
    let setup = Setup::start().await;
    let login = setup.begin("/login/oidc").await;
    let answer = setup.provider.authorize(&login.address);
    expect_in(&setup.end(&login.cookie, &answer).await);
    expect_out(&setup.end(&login.cookie, &answer).await, StatusCode::BAD_REQUEST, OVER, "the same again");
    assert_eq!(setup.provider.asked("token"), 1);
    let late = setup.begin("/login/oidc").await;
    pass(&setup.server, 10 * MINUTE_MS);
    let answer = setup.provider.authorize(&late.address);
    expect_out(&setup.end(&late.cookie, &answer).await, StatusCode::BAD_REQUEST, OVER, "too late");
    // What the provider says of a refusal is not repeated.
    let refused = setup.begin("/login/oidc").await;
    let answer = setup.provider.authorize(&refused.address).replace("code=", "error=kanarie%3Cscript%3E&x=");
    let page = setup.end(&refused.cookie, &answer).await;
    expect_out(&page, StatusCode::UNAUTHORIZED, "Example did not log you in.", "refused there");
}

#[tokio::test]
async fn another_providers_answer_is_told_by_the_issuer_that_it_names() {
    let setup = Setup::start().await;
    let login = setup.begin("/login/oidc").await;
    let answer = setup.provider.authorize(&login.address) + "&iss=https%3A%2F%2Fevil.example";
    expect_out(&setup.end(&login.cookie, &answer).await, StatusCode::BAD_REQUEST, OVER, "another issuer");
    let naming = Setup::start().await;
    naming.provider.name_itself();
    expect_in(&naming.log_in().await);
    let login = naming.begin("/login/oidc").await;
    let unnamed = naming.provider.authorize(&login.address);
    let (unnamed, _) = unnamed.split_once("&iss=").unwrap();
    expect_out(&naming.end(&login.cookie, unnamed).await, StatusCode::BAD_REQUEST, OVER, "it says that it names itself");
    assert_eq!((setup.provider.asked("token"), naming.provider.asked("token")), (0, 1));
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
async fn whether_there_is_an_account_or_who_is_shut_out_is_not_told() {
    let setup = Setup::with_domains(&[]).await;
    let unknown = setup.log_in().await;
    expect_out(&unknown, StatusCode::FORBIDDEN, NO_ACCOUNT, "nobody");
    let ledger = &setup.server.state.ledger;
    let ann = setup.join("ann@example.org").await;
    let cookie = cookie_named("oidc", &setup.log_in().await).unwrap();
    expect_in(&setup.show_password(&cookie, WORDS).await);
    let bob = setup.join("bob@example.org").await;
    for (user, somebody) in [
        (&ann, Somebody::new("subject-of-ann", "ann@example.org")),
        (&bob, Somebody::new("subject-of-bob", "bob@example.org")),
    ] {
        ledger.set_disabled(user, Some(NOW_MS)).await.unwrap();
        setup.provider.log_in_as(somebody);
        let shut_out = setup.log_in().await;
        expect_out(&shut_out, StatusCode::FORBIDDEN, NO_ACCOUNT, &user.0);
        assert_eq!(shut_out.text(), unknown.text());
    }
    // What is no address makes nobody the owner.
    setup.provider.log_in_as(Somebody::new("subject-of-eve", "owner"));
    expect_out(&setup.log_in().await, StatusCode::FORBIDDEN, NOT_VERIFIED, "owner");
}

#[tokio::test]
async fn only_the_domain_itself_makes_members() {
    let setup = Setup::start().await;
    for email in ["eve@sub.example.org", "eve@example.org.evil.example", "eve@evilexample.org", "eve@example.org@evil.example"] {
        setup.provider.log_in_as(Somebody::new("subject-of-eve", email));
        expect_out(&setup.log_in().await, StatusCode::FORBIDDEN, NO_ACCOUNT, email);
    }
    assert_eq!(setup.accounts().await.len(), 1);
}

#[tokio::test]
async fn an_invitation_makes_an_account_without_a_password() {
    let setup = Setup::with_domains(&[]).await;
    let ledger = &setup.server.state.ledger;
    let invite = ledger.create_invite(Role::Admin, &UserId::owner(), NOW_MS).await.unwrap();
    let page = setup.server.get(&format!("/join?token={}", invite.reveal())).await.text();
    let link = format!("/login/oidc?invite={}", invite.reveal());
    assert!(page.contains(&format!("href=\"{link}\"")) && page.contains("Join with Example"), "{page}");
    let session = expect_in(&setup.log_in_from(&link).await);
    let ann = setup.accounts().await.into_iter().find(|account| account.login == "ann@example.org").unwrap();
    assert_eq!((ann.role, ann.has_password), (Role::Admin, false));
    setup.provider.log_in_as(Somebody::new("subject-of-bob", "bob@example.org"));
    let again = setup.log_in_from(&link).await;
    assert_eq!((again.status, setup.accounts().await.len()), (StatusCode::GONE, 2), "it was for one");
    // What needs the password needs a fresh login of who has none.
    let invite = setup.server.action_of_name("invite_person");
    let mut headers = vec![FORM[0], ("accept", "application/json"), FORM[2], ("cookie", session.as_str())];
    let fresh = setup.server.post_with(&invite, &headers, "role=member").await;
    assert_eq!(fresh.status, StatusCode::OK, "{}", fresh.text());
    pass(&setup.server, 6 * MINUTE_MS);
    for typed in ["", WORDS] {
        let form = format!("role=member&your_password={}", typed.replace(' ', "+"));
        let stale = setup.server.post_with(&invite, &headers, form).await;
        assert!(stale.text().contains("log out and in again"), "{typed}: {}", stale.text());
    }
    // A password can be set then, and the link be ended.
    let set = setup.server.action_of_name("change_password");
    let form = format!("password={0}&again={0}", WORDS.replace(' ', "+"));
    assert_eq!(setup.server.post_with(&set, &headers, form.clone()).await.status, StatusCode::BAD_REQUEST);
    setup.provider.log_in_as(Somebody::new("subject-of-ann", "ann@example.org"));
    let session = expect_in(&setup.log_in().await);
    headers[3] = ("cookie", session.as_str());
    let unlink = setup.server.action_of_name("unlink_provider");
    assert_eq!(setup.server.post_with(&unlink, &headers, "").await.status, StatusCode::NOT_FOUND, "no other way in");
    assert_eq!(setup.server.post_with(&set, &headers, form).await.status, StatusCode::OK);
    assert!(ledger.check_password("ann@example.org", WORDS).await.unwrap().is_some());
}

#[tokio::test]
async fn who_is_logged_in_links_their_account_with_their_password_and_unlinks_it() {
    let setup = Setup::with_domains(&[]).await;
    let session = setup.server.state.ledger.open_session(&UserId::owner(), NOW_MS).await.unwrap();
    let session = format!("sid={}", session.reveal());
    let settings = setup.server.get_with("/settings", &[("cookie", &session)]).await.text();
    assert!(settings.contains("href=\"/login/oidc?next=/settings\""), "{settings}");
    let login = setup.begin("/login/oidc?next=/settings").await;
    let both = format!("{session}; {}", login.cookie);
    let asked = setup.end(&both, &setup.provider.authorize(&login.address)).await;
    expect_out(&asked, StatusCode::OK, "<strong>owner</strong>", "not even then without the password");
    let cookie = format!("{session}; {}", cookie_named("oidc", &asked).unwrap());
    let linked = setup.show_password(&cookie, WORDS).await;
    let session = expect_in(&linked);
    assert_eq!(linked.header("location"), "/settings");
    let settings = setup.server.get_with("/settings", &[("cookie", &session)]).await.text();
    assert!(settings.contains("where you were ann@example.org"), "{settings}");
    assert_eq!(setup.who_is(&expect_in(&setup.log_in().await)).await, "owner");
    let unlink = setup.server.action_of_name("unlink_provider");
    let headers = [FORM[0], ("accept", "application/json"), FORM[2], ("cookie", session.as_str())];
    assert_eq!(setup.server.post_with(&unlink, &headers, "").await.status, StatusCode::OK);
    expect_out(&setup.log_in().await, StatusCode::FORBIDDEN, NO_ACCOUNT, "the link is gone");
}

#[tokio::test]
async fn a_provider_that_is_down_leaves_the_password() {
    let nobody_listens = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let issuer = format!("http://{}", nobody_listens.local_addr().unwrap());
    drop(nobody_listens);
    let server = server_with(&issuer, &[]).await;
    let answer = server.get("/login/oidc").await;
    expect_out(&answer, StatusCode::SERVICE_UNAVAILABLE, "Example cannot be reached just now.", "nobody is there");
    assert_eq!(answer.header("retry-after"), "30");
    let form = format!("login=owner&password={}", WORDS.replace(' ', "+"));
    expect_in(&server.post_with("/login", &FORM, form).await);
}

#[tokio::test]
async fn a_provider_that_says_nothing_too_much_or_the_wrong_thing_is_left() {
    for (wrong, status) in [
        (Wrong::DiscoveryError, StatusCode::BAD_GATEWAY),
        (Wrong::DiscoveryOfAnother, StatusCode::BAD_GATEWAY),
        (Wrong::DiscoveryUnencrypted, StatusCode::BAD_GATEWAY),
        (Wrong::DiscoveryHangs, StatusCode::SERVICE_UNAVAILABLE),
    ] {
        let setup = Setup::start().await;
        setup.provider.misbehave(wrong);
        let words = if status == StatusCode::BAD_GATEWAY { NOT_BELIEVED } else { "cannot be reached" };
        expect_out(&setup.server.get("/login/oidc").await, status, words, &format!("{wrong:?}"));
        setup.provider.misbehave(Wrong::Nothing);
        expect_in(&setup.log_in().await);
    }
    for wrong in [Wrong::TokenEndless, Wrong::TokenHangs] {
        let setup = Setup::start().await;
        setup.provider.misbehave(wrong);
        let answer = setup.log_in().await;
        expect_out(&answer, StatusCode::SERVICE_UNAVAILABLE, "cannot be reached", &format!("{wrong:?}"));
    }
}

#[tokio::test]
async fn every_kind_of_key_is_known_and_a_new_one_is_fetched() {
    let setup = Setup::start().await;
    for signature in [Signature::Rs256, Signature::Es256, Signature::EdDsa] {
        setup.provider.sign_with(signature);
        expect_in(&setup.log_in().await);
    }
    assert_eq!(setup.provider.asked("keys"), 1);
    setup.provider.change_keys();
    for _ in 0..2 {
        expect_out(&setup.log_in().await, StatusCode::BAD_GATEWAY, NOT_BELIEVED, "not asked more than once a minute");
    }
    assert_eq!(setup.provider.asked("keys"), 1);
    pass(&setup.server, MINUTE_MS);
    expect_in(&setup.log_in().await);
    assert_eq!(setup.provider.asked("keys"), 2);
}

#[tokio::test]
async fn the_secret_goes_in_the_body_where_the_provider_asks_for_that() {
    let setup = Setup::start().await;
    setup.provider.take_secret_in_body();
    expect_in(&setup.log_in().await);
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
    server.state.ledger.set_password(&UserId::owner(), &NewPassword::parse(WORDS).unwrap()).await.unwrap();
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
    let other = Ledger::open(url.reveal(), &setup.server.state.config.zone().unwrap()).await.unwrap();
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
