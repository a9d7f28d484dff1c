//! Whose account somebody gets who has logged in at the provider, and who gets none.

use super::*;
use tollbridge::domain::audit::{AuditAction, AuditGroup};
use tollbridge::ledger::AuditFilter;

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
    assert_eq!(
        (setup.who_is(&expect_in(&linked)).await.as_str(), linked.header("location")),
        ("ann@example.org", "/keys")
    );
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
    setup
        .provider
        .log_in_as(Somebody { email_verified: json!("true"), ..Somebody::new("subject-of-ann", "Ann@Example.org") });
    assert_eq!(setup.who_is(&expect_in(&setup.log_in().await)).await, "ann@example.org");
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
        ledger.set_disabled(user, true, &Actor::command_line(), NOW_MS).await.unwrap();
        setup.provider.log_in_as(somebody);
        let shut_out = setup.log_in().await;
        expect_out(&shut_out, StatusCode::FORBIDDEN, NO_ACCOUNT, &user.0);
        assert_eq!(shut_out.text(), unknown.text());
    }
    // What is no address makes nobody the owner.
    setup.provider.log_in_as(Somebody::new("subject-of-eve", "owner"));
    expect_out(&setup.log_in().await, StatusCode::FORBIDDEN, NOT_VERIFIED, "owner");
    // What is not told there, admins read in the audit log.
    let filter = AuditFilter { group: Some(AuditGroup::Logins), limit: 50, ..AuditFilter::default() };
    let rows = ledger.audit_log(&filter).await.unwrap().entries;
    let refused = rows.iter().filter(|row| row.note.action == AuditAction::LoginFailed);
    let refused: Vec<&str> = refused.map(|row| row.note.detail.as_str()).collect();
    let no_account = "through the provider: no account that may be used";
    assert_eq!(refused, ["through the provider: the address is not verified", no_account, no_account, no_account]);
}

#[tokio::test]
async fn only_the_domain_itself_makes_members() {
    let setup = Setup::start().await;
    for email in
        ["eve@sub.example.org", "eve@example.org.evil.example", "eve@evilexample.org", "eve@example.org@evil.example"]
    {
        setup.provider.log_in_as(Somebody::new("subject-of-eve", email));
        expect_out(&setup.log_in().await, StatusCode::FORBIDDEN, NO_ACCOUNT, email);
    }
    assert_eq!(setup.accounts().await.len(), 1);
}

#[tokio::test]
async fn an_invitation_makes_an_account_without_a_password() {
    let setup = Setup::with_domains(&[]).await;
    let ledger = &setup.server.state.ledger;
    let invite = ledger.create_invite(Role::Admin, &Actor::command_line(), NOW_MS).await.unwrap();
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
    assert!(ledger.check_password("ann@example.org", WORDS, &Actor::command_line(), NOW_MS).await.unwrap().is_some());
}

#[tokio::test]
async fn who_is_logged_in_links_their_account_with_their_password_and_unlinks_it() {
    let setup = Setup::with_domains(&[]).await;
    let session =
        setup.server.state.ledger.open_session(&UserId::owner(), &Actor::command_line(), NOW_MS).await.unwrap();
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
