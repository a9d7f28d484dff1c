//! What the provider answers: it has to be for this browser, once, and right in everything; and it may fail.

use super::*;

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
    expect_out(
        &naming.end(&login.cookie, unnamed).await,
        StatusCode::BAD_REQUEST,
        OVER,
        "it says that it names itself",
    );
    assert_eq!((setup.provider.asked("token"), naming.provider.asked("token")), (0, 1));
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
