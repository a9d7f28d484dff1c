//! Logging in and out, the set-up link and invitations, as a browser without scripts does it.

use super::people::{Person, TestPeople, WORDS};
use super::server::{Answer, HOST, NOW_MS, TestServer, request};
use axum::body::Body;
use axum::http::{Method, StatusCode};
use std::sync::atomic::Ordering;
use tollbridge::config::PublicUrl;
use tollbridge::domain::account::{NewPassword, Role};
use tollbridge::domain::audit::Actor;
use tollbridge::domain::usage::UserId;
use tollbridge::http::auth::Access;
use tollbridge::http::state::Clock;

const FORM: [(&str, &str); 3] =
    [("content-type", "application/x-www-form-urlencoded"), ("accept", "text/html"), ("sec-fetch-site", "same-origin")];
pub const MINUTE_MS: i64 = 60_000;
const WRONG: &str = "The name or the password is wrong.";

async fn log_in(server: &TestServer, login: &str, password: &str, next: &str) -> Answer {
    let form = form_urlencoded::Serializer::new(String::new())
        .extend_pairs([("login", login), ("password", password), ("next", next)])
        .finish();
    server.post_with("/login", &FORM, form).await
}

/// The cookie that an answer sets, as the next request sends it.
fn cookie_of(answer: &Answer) -> String {
    answer.header("set-cookie").split(';').next().unwrap().to_owned()
}

async fn get_as(server: &TestServer, cookie: &str, path: &str) -> Answer {
    server.get_with(path, &[("cookie", cookie)]).await
}

pub fn pass(server: &TestServer, ms: i64) {
    let Clock::Fixed(clock) = &server.state.clock else { panic!("the clock runs") };
    clock.fetch_add(ms, Ordering::Relaxed);
}

async fn with_password() -> TestServer {
    let server = TestServer::start().await;
    server
        .state
        .ledger
        .set_password(&UserId::owner(), &NewPassword::parse(WORDS).unwrap(), &Actor::command_line(), NOW_MS)
        .await
        .unwrap();
    server
}

#[tokio::test]
async fn on_this_machine_nobody_logs_in_until_the_owner_has_a_password() {
    let server = TestServer::start().await;
    assert_eq!(server.get("/").await.status, StatusCode::OK);
    assert_eq!(server.get("/login?next=/keys").await.header("location"), "/keys");
    assert!(!server.get("/").await.text().contains("data-session"));
    server
        .state
        .ledger
        .set_password(&UserId::owner(), &NewPassword::parse(WORDS).unwrap(), &Actor::command_line(), NOW_MS)
        .await
        .unwrap();
    let refused = server.get("/?range=week&model=opus").await;
    assert_eq!(
        (refused.status, refused.header("location")),
        (StatusCode::SEE_OTHER, "/login?next=%2F%3Frange%3Dweek%26model%3Dopus")
    );
    assert_eq!(server.get("/api/analytics/tokens").await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_proxy_in_between_is_not_this_machine() {
    let server = TestServer::start().await;
    for proxied in [("x-forwarded-for", "192.0.2.1"), ("forwarded", "for=192.0.2.1"), ("x-real-ip", "192.0.2.1")] {
        assert_eq!(server.get_with("/", &[proxied]).await.status, StatusCode::SEE_OTHER, "{proxied:?}");
        assert_eq!(server.get_with("/api/prices", &[proxied]).await.status, StatusCode::UNAUTHORIZED, "{proxied:?}");
        let call = server.post_with("/v1/messages", &[proxied, ("x-api-key", "sk-ant")], "{}").await;
        assert_eq!(call.status, StatusCode::UNAUTHORIZED, "{proxied:?}");
        assert!(server.get_with("/login", &[proxied]).await.text().contains("The owner has no password yet."));
    }
}

#[tokio::test]
async fn the_password_leads_to_where_somebody_wanted_to_go() {
    let server = with_password().await;
    let page = server.get("/login?next=%2Fbudgets").await;
    assert!(page.text().contains("name=\"next\" value=\"/budgets\""), "{}", page.text());
    assert!(page.header("content-security-policy").starts_with("default-src 'none'; style-src 'self'"));
    assert_eq!(page.header("cache-control"), "no-store");
    let answer = log_in(&server, " Owner ", WORDS, "/budgets").await;
    assert_eq!((answer.status, answer.header("location")), (StatusCode::SEE_OTHER, "/budgets"), "{}", answer.text());
    let set = answer.header("set-cookie");
    assert!(set.starts_with("sid=") && set.ends_with("; Path=/; HttpOnly; SameSite=Lax"), "{set}");
    let page = get_as(&server, &cookie_of(&answer), "/budgets").await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(page.text().contains("data-session=\"owner\"") && page.text().contains("action=\"/logout\""));
    let elsewhere = log_in(&server, "owner", WORDS, "https://evil.example/").await;
    assert_eq!(elsewhere.header("location"), "/");
}

#[tokio::test]
async fn whether_a_name_exists_is_not_told() {
    let server = with_password().await;
    let wrong_password = log_in(&server, "owner", "not the right words", "/").await;
    let wrong_name = log_in(&server, "nobody", "not the right words", "/").await;
    for answer in [&wrong_password, &wrong_name] {
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
        assert!(answer.text().contains(WRONG) && answer.header("set-cookie").is_empty());
        assert!(!answer.text().contains("not the right words"), "a password never comes back");
    }
    assert_eq!(wrong_password.text().replace("owner", "nobody"), wrong_name.text());
}

/// A peer kept the session's id from before the login.
#[tokio::test]
async fn attack_23_each_login_has_a_new_id_and_ends_the_former_session() {
    let server = with_password().await;
    let first = cookie_of(&log_in(&server, "owner", WORDS, "/").await);
    let form = format!("login=owner&password={}", WORDS.replace(' ', "+"));
    let mut headers = FORM.to_vec();
    headers.push(("cookie", &first));
    let second = cookie_of(&server.post_with("/login", &headers, form).await);
    assert_ne!(first, second);
    assert_eq!(get_as(&server, &first, "/keys").await.status, StatusCode::SEE_OTHER);
    assert_eq!(get_as(&server, &second, "/keys").await.status, StatusCode::OK);
    // An id that nobody was given is none.
    let planted = format!("sid={}", "0".repeat(64));
    assert_eq!(get_as(&server, &planted, "/keys").await.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn logging_out_a_new_password_and_time_end_a_session() {
    let people = TestPeople::start().await;
    let server = &people.server;
    let cookie = people.cookie(Person::Member).await;
    assert_eq!(get_as(server, &cookie, "/keys").await.status, StatusCode::OK);
    let mut headers = FORM.to_vec();
    headers.push(("cookie", &cookie));
    let answer = server.post_with("/logout", &headers, "").await;
    assert_eq!(answer.header("location"), "/login");
    assert!(
        answer.header("set-cookie").starts_with("sid=; Path=/") && answer.header("set-cookie").contains("Max-Age=0")
    );
    assert_eq!(get_as(server, &cookie, "/keys").await.status, StatusCode::SEE_OTHER, "not only the cookie is gone");

    let cookie = people.cookie(Person::Member).await;
    let password = NewPassword::parse("other words of mine").unwrap();
    server
        .state
        .ledger
        .set_password(people.user(Person::Member), &password, &Actor::command_line(), NOW_MS)
        .await
        .unwrap();
    assert_eq!(get_as(server, &cookie, "/keys").await.status, StatusCode::SEE_OTHER);

    let cookie = people.cookie(Person::Member).await;
    pass(server, 29 * MINUTE_MS);
    assert_eq!(get_as(server, &cookie, "/keys").await.status, StatusCode::OK);
    pass(server, 29 * MINUTE_MS);
    // What a page hears by itself is no use of it.
    let by_page = [("cookie", cookie.as_str()), ("sec-fetch-site", "same-origin")];
    let live = server.begin(request(Method::GET, "/api/live", &by_page, Body::empty())).await;
    assert_eq!(live.status(), StatusCode::OK);
    for name in ["get_recorder", "get_recorder_news", "get_arrivals"] {
        let headers = [("content-type", "application/json"), by_page[0], by_page[1]];
        let answer = server.post_with(&server.action_of_name(name), &headers, "{}").await;
        assert_eq!(answer.status, StatusCode::OK, "{name}");
    }
    pass(server, MINUTE_MS);
    assert_eq!(get_as(server, &cookie, "/keys").await.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn attack_22_another_site_can_neither_log_in_nor_out() {
    let server = with_password().await;
    for path in ["/login", "/login/oidc/link", "/logout", "/setup", "/join"] {
        for from in [("sec-fetch-site", "cross-site"), ("origin", "https://evil.example"), ("accept", "*/*")] {
            let headers = [FORM[0], from];
            assert_eq!(
                server.post_with(path, &headers, "login=owner").await.status,
                StatusCode::FORBIDDEN,
                "{path} {from:?}"
            );
        }
    }
}

#[tokio::test]
async fn attack_24_guessing_has_to_wait_longer_and_longer_even_with_the_right_word() {
    let server = with_password().await;
    for _ in 0..5 {
        assert_eq!(log_in(&server, "owner", "not the right words", "/").await.status, StatusCode::UNAUTHORIZED);
        pass(&server, 1_000);
    }
    let refused = log_in(&server, "owner", WORDS, "/").await;
    assert_eq!((refused.status, refused.header("retry-after")), (StatusCode::TOO_MANY_REQUESTS, "29"));
    assert!(refused.text().contains("Try again in 29 seconds."), "{}", refused.text());
    pass(&server, 29_000);
    assert_eq!(log_in(&server, "owner", WORDS, "/").await.status, StatusCode::SEE_OTHER);
    assert_eq!(log_in(&server, "owner", "not the right words", "/").await.status, StatusCode::UNAUTHORIZED, "forgiven");
}

#[tokio::test]
async fn a_form_sent_by_who_is_logged_out_is_answered_with_the_login() {
    let server = with_password().await;
    let action = server.action_of_name("save_budget");
    let headers = [FORM[0], FORM[1], FORM[2], ("referer", "http://127.0.0.1:3000/budgets?saved=1")];
    let answer = server.post_with(&action, &headers, "limit=1").await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    assert!(answer.text().contains("value=\"/budgets?saved=1\""), "{}", answer.text());
    let by_script = [FORM[0], FORM[2], ("accept", "application/json")];
    assert_eq!(server.post_with(&action, &by_script, "limit=1").await.json()["kind"], "logged_out");
}

fn public() -> Access {
    Access::new(HOST.parse().unwrap(), Some(PublicUrl::parse("https://tolls.example.org").unwrap()))
}

#[tokio::test]
async fn a_server_that_others_can_reach_serves_the_setup_page_and_nothing_else() {
    let server = TestServer::start_with(public()).await;
    for path in ["/", "/keys", "/start"] {
        assert_eq!(server.get(path).await.status, StatusCode::SEE_OTHER, "{path}");
    }
    assert_eq!(server.get("/api/prices").await.status, StatusCode::UNAUTHORIZED);
    let call = server.post_with("/v1/messages", &[("x-api-key", "sk-ant")], "{}").await;
    assert_eq!(
        (call.status, &call.json()["error"]["type"]),
        (StatusCode::UNAUTHORIZED, &"authentication_error".into())
    );
    assert!(server.get("/login").await.text().contains("The owner has no password yet."));

    let token = server.state.access.setup().open(NOW_MS);
    let link = format!("/setup?token={}", token.reveal());
    assert!(server.get(&link).await.text().contains("autocomplete=\"new-password\""));
    let set_up = async |password: &str, again: &str| {
        let form = format!(
            "token={}&password={}&again={}",
            token.reveal(),
            password.replace(' ', "+"),
            again.replace(' ', "+")
        );
        server.post_with("/setup", &FORM, form).await
    };
    let short = set_up("short", "short").await;
    assert_eq!(short.status, StatusCode::BAD_REQUEST);
    assert!(short.text().contains("Must have at least 15 characters"));
    assert!(set_up(WORDS, "four words of mind").await.text().contains("Was not typed the same twice."));
    let done = set_up(WORDS, WORDS).await;
    assert_eq!((done.status, done.header("location")), (StatusCode::SEE_OTHER, "/"));
    assert_eq!(get_as(&server, &cookie_of(&done), "/keys").await.status, StatusCode::OK);
    assert_eq!(server.get(&link).await.status, StatusCode::GONE);
    assert_eq!(set_up("other words of mine", "other words of mine").await.status, StatusCode::GONE);
    assert!(
        server.state.ledger.check_password("owner", WORDS, &Actor::command_line(), NOW_MS).await.unwrap().is_some()
    );
}

#[tokio::test]
async fn the_public_address_has_a_cookie_of_its_own_that_only_https_carries() {
    let server = TestServer::start_with(public()).await;
    server
        .state
        .ledger
        .set_password(&UserId::owner(), &NewPassword::parse(WORDS).unwrap(), &Actor::command_line(), NOW_MS)
        .await
        .unwrap();
    let form = format!("login=owner&password={}", WORDS.replace(' ', "+"));
    let headers = [FORM[0], ("host", "tolls.example.org"), ("origin", "https://tolls.example.org")];
    let answer = server.post_with("/login", &headers, form.clone()).await;
    let set = answer.header("set-cookie");
    assert!(set.starts_with("__Host-sid=") && set.ends_with("; Path=/; Secure; HttpOnly; SameSite=Lax"), "{set}");
    assert_eq!(answer.header("strict-transport-security"), "max-age=63072000; includeSubDomains");
    let cookie = cookie_of(&answer);
    let public_host = ("host", "tolls.example.org");
    assert_eq!(server.get_with("/keys", &[public_host, ("cookie", &cookie)]).await.status, StatusCode::OK);
    let weaker = cookie.replace("__Host-", "");
    assert_eq!(server.get_with("/keys", &[public_host, ("cookie", &weaker)]).await.status, StatusCode::SEE_OTHER);
    for origin in ["http://tolls.example.org", "http://127.0.0.1:3000"] {
        let headers = [FORM[0], public_host, ("origin", origin)];
        assert_eq!(server.post_with("/login", &headers, form.clone()).await.status, StatusCode::FORBIDDEN, "{origin}");
    }
}

#[tokio::test]
async fn an_invitation_makes_one_account_and_lets_in() {
    let server = with_password().await;
    let invite = server.state.ledger.create_invite(Role::Member, &Actor::command_line(), NOW_MS).await.unwrap();
    let page = server.get(&format!("/join?token={}", invite.reveal())).await;
    assert!(page.status.is_success() && page.text().contains("You are invited"));
    let join = async |login: &str, password: &str| {
        let form = format!("token={}&login={login}&password={password}&again={password}", invite.reveal());
        server.post_with("/join", &FORM, form).await
    };
    let words = WORDS.replace(' ', "+");
    let wrong = join("an+n", "short").await;
    assert_eq!(wrong.status, StatusCode::BAD_REQUEST);
    assert!(wrong.text().contains("May hold no blanks") && wrong.text().contains("Must have at least 15 characters"));
    let taken = join("owner", &words).await;
    assert_eq!(taken.status, StatusCode::CONFLICT);
    assert!(taken.text().contains("Is taken"));
    let joined = join("Ann@Example.org", &words).await;
    assert_eq!(joined.status, StatusCode::SEE_OTHER, "{}", joined.text());
    let page = get_as(&server, &cookie_of(&joined), "/keys").await.text();
    assert!(page.contains("data-session=\"ann@example.org\""));
    assert_eq!(join("bob", &words).await.status, StatusCode::GONE);
}

/// A peer took the role, and who was meant, from the form.
#[tokio::test]
async fn attack_04_an_invitation_gives_the_role_that_it_was_made_with_and_no_other() {
    let server = with_password().await;
    let invite = server.state.ledger.create_invite(Role::Member, &Actor::command_line(), NOW_MS).await.unwrap();
    let words = WORDS.replace(' ', "+");
    let form = format!(
        "token={}&login=eve&password={words}&again={words}&role=admin&user_id=owner&userId=owner",
        invite.reveal()
    );
    let joined = server.post_with("/join", &FORM, form).await;
    assert_eq!(joined.status, StatusCode::SEE_OTHER, "{}", joined.text());
    let accounts = server.state.ledger.accounts().await.unwrap();
    let eve = accounts.iter().find(|account| account.login == "eve").unwrap();
    assert_eq!((eve.role, eve.user_id == UserId::owner()), (Role::Member, false));
    assert!(
        server.state.ledger.check_password("owner", WORDS, &Actor::command_line(), NOW_MS).await.unwrap().is_some(),
        "the owner's is as it was"
    );
}

/// What stands in the ledger of an invitation or a session is a hash, and a hash opens nothing.
#[tokio::test]
async fn attack_05_a_link_or_a_cookie_near_a_real_one_opens_nothing() {
    let server = with_password().await;
    let invite = server.state.ledger.create_invite(Role::Admin, &Actor::command_line(), NOW_MS).await.unwrap();
    let session = cookie_of(&log_in(&server, "owner", WORDS, "/").await);
    let last = |text: &str| if text.ends_with('0') { "1" } else { "0" };
    let near = |text: &str| format!("{}{}", &text[..text.len() - 1], last(text));
    let link = invite.reveal();
    let words = WORDS.replace(' ', "+");
    for token in [near(link), link[..link.len() - 1].to_owned(), format!("{link}0"), String::new()] {
        let form = format!("token={token}&login=eve&password={words}&again={words}");
        assert_eq!(server.post_with("/join", &FORM, form).await.status, StatusCode::GONE, "{token}");
    }
    for cookie in [near(&session), session[..session.len() - 1].to_owned(), format!("{session}0"), "sid=".into()] {
        assert_eq!(get_as(&server, &cookie, "/keys").await.status, StatusCode::SEE_OTHER, "{cookie}");
    }
    assert_eq!(get_as(&server, &session, "/keys").await.status, StatusCode::OK, "the real one still opens");
    assert_eq!(server.state.ledger.accounts().await.unwrap().len(), 1);
}
