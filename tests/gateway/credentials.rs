//! Whose key goes where.

use super::answers::{MESSAGE, REQUEST};
use super::fake_provider::{FakeProvider, Step, json_answer};
use super::gateway_server::{GatewayServer, Setup, request, send};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tollbridge::domain::api_key::{ApiKey, KeyScope};
use tollbridge::domain::audit::Actor;
use tollbridge::domain::usage::UserId;

fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as i64
}

/// A key of a user other than the owner, and its text.
async fn new_key(server: &GatewayServer, scope: KeyScope) -> (ApiKey, String) {
    let created = server
        .ledger
        .create_key(&UserId("ann".into()), "laptop", &[scope], &Actor::command_line(), now_ms())
        .await
        .unwrap();
    (created.key, created.text.reveal().to_owned())
}

#[tokio::test]
async fn our_key_decides_whose_call_it_is_and_goes_no_further() {
    let provider = FakeProvider::start().await;
    let server =
        GatewayServer::with(&provider.url(), Setup { provider_key: Some("sk-server"), ..Setup::default() }).await;
    let (key, text) = new_key(&server, KeyScope::Proxy).await;
    let bearer = format!("Bearer {text}");
    assert_eq!(server.post("/v1/messages", &[("x-api-key", text.as_str())], REQUEST).await.status, 200);
    assert_eq!(server.post("/v1/messages", &[("authorization", bearer.as_str())], REQUEST).await.status, 200);
    // The client's own credential for the provider, and our key beside it.
    let beside = [("authorization", "Bearer sk-ant-oat01-x"), ("x-tollbridge-key", text.as_str())];
    assert_eq!(server.post("/v1/messages", &beside, REQUEST).await.status, 200);

    let events = server.events(3).await;
    assert!(events.iter().all(|event| event.record.user_id == key.user_id));
    assert!(events.iter().all(|event| event.record.api_key_id.as_deref() == Some(key.id.as_str())));
    let seen = provider.seen();
    assert_eq!(seen[0].header("x-api-key"), ["sk-server"]);
    assert_eq!(seen[1].header("x-api-key"), ["sk-server"]);
    assert_eq!((seen[2].header("x-api-key"), seen[2].header("authorization")), (vec![], vec!["Bearer sk-ant-oat01-x"]));
    assert!(!format!("{seen:?}").contains(&text));
}

/// Row 15 of the attacks: what `Connection` names goes no further, but only of what the client sent.
#[tokio::test]
async fn a_client_cannot_name_the_servers_key_away() {
    let provider = FakeProvider::start().await;
    let server =
        GatewayServer::with(&provider.url(), Setup { provider_key: Some("sk-server"), ..Setup::default() }).await;
    let raw = format!(
        "POST /v1/messages HTTP/1.1\r\nhost: {}\r\nconnection: close, x-api-key\r\ncontent-length: {}\r\n\r\n{REQUEST}",
        server.address,
        REQUEST.len()
    );
    assert_eq!(send(server.address, raw.as_bytes()).await.status, 200);
    assert_eq!(provider.seen()[0].header("x-api-key"), ["sk-server"]);
}

#[tokio::test]
async fn once_there_are_keys_nobody_passes_without_one() {
    let provider = FakeProvider::start().await;
    let server = GatewayServer::before(&provider).await;
    let (_, ingest_only) = new_key(&server, KeyScope::Ingest).await;
    let answered = server.post("/v1/messages", &[], REQUEST).await;
    assert_eq!((answered.status, answered.error_type().as_str()), (401, "authentication_error"));
    let answered = server.post("/v1/messages", &[("x-tollbridge-key", ingest_only.as_str())], REQUEST).await;
    assert_eq!((answered.status, answered.error_type().as_str()), (403, "permission_error"));
    assert!(provider.seen().is_empty());
    server.events(0).await;
}

#[tokio::test]
async fn a_revoked_key_stops_within_a_second() {
    let provider = FakeProvider::start().await;
    let server = GatewayServer::before(&provider).await;
    let (key, text) = new_key(&server, KeyScope::Proxy).await;
    let sent = [("x-api-key", "sk-ant-x"), ("x-tollbridge-key", text.as_str())];
    assert_eq!(server.post("/v1/messages", &sent, REQUEST).await.status, 200);
    assert!(server.ledger.revoke_key(&key.user_id, &key.id, &Actor::command_line(), now_ms()).await.unwrap());
    tokio::time::sleep(Duration::from_millis(950)).await;
    assert_eq!(server.post("/v1/messages", &sent, REQUEST).await.status, 401);
    assert_eq!(provider.seen().len(), 1);
}

#[tokio::test]
async fn the_clients_own_credential_passes_through() {
    let provider = FakeProvider::start().await;
    let server =
        GatewayServer::with(&provider.url(), Setup { provider_key: Some("sk-server"), ..Setup::default() }).await;
    server.post("/v1/messages", &[("authorization", "Bearer sk-ant-oat01-x")], REQUEST).await;
    server.post("/v1/messages", &[("x-api-key", "sk-ant-api03-y")], REQUEST).await;
    let seen = provider.seen();
    assert_eq!((seen[0].header("authorization"), seen[0].header("x-api-key")), (vec!["Bearer sk-ant-oat01-x"], vec![]));
    assert_eq!((seen[1].header("authorization"), seen[1].header("x-api-key")), (vec![], vec!["sk-ant-api03-y"]));
}

#[tokio::test]
async fn a_client_without_one_uses_the_servers_and_does_not_see_its_limits() {
    let provider = FakeProvider::start().await;
    let server =
        GatewayServer::with(&provider.url(), Setup { provider_key: Some("sk-server"), ..Setup::default() }).await;
    let limits = [("anthropic-ratelimit-requests-remaining", "3"), ("retry-after", "9")];
    provider.play(vec![Step::Send(json_answer(200, &limits, MESSAGE))]);
    let answered = server.post("/v1/messages", &[("no-credential", "1")], REQUEST).await;
    assert_eq!(provider.seen()[0].header("x-api-key"), ["sk-server"]);
    assert_eq!(answered.header("anthropic-ratelimit-requests-remaining"), None);
    assert_eq!(answered.header("retry-after"), Some("9"));
}

#[tokio::test]
async fn without_any_credential_the_answer_says_what_is_missing() {
    let provider = FakeProvider::start().await;
    let server = GatewayServer::before(&provider).await;
    let answered = server.post("/v1/messages", &[("no-credential", "1")], REQUEST).await;
    assert_eq!((answered.status, answered.error_type().as_str()), (401, "authentication_error"));
    assert!(answered.text().contains("ANTHROPIC_API_KEY"));
    assert!(provider.seen().is_empty());
    server.events(0).await;
}

#[tokio::test]
async fn an_unknown_key_of_ours_is_refused_and_goes_no_further() {
    let provider = FakeProvider::start().await;
    let server =
        GatewayServer::with(&provider.url(), Setup { provider_key: Some("sk-server"), ..Setup::default() }).await;
    for sent in [
        ("x-api-key", "tb_unknown"),
        ("authorization", "Bearer tb_unknown"),
        ("x-tollbridge-key", "' OR pg_sleep(8)--"),
    ] {
        let answered = server.post("/v1/messages", &[sent], REQUEST).await;
        assert_eq!((answered.status, answered.error_type().as_str()), (401, "authentication_error"), "{sent:?}");
        assert!(!answered.text().contains(sent.1));
    }
    assert!(provider.seen().is_empty());
}

#[tokio::test]
async fn two_of_one_credential_are_refused() {
    let provider = FakeProvider::start().await;
    let server = GatewayServer::before(&provider).await;
    for sent in [[("x-api-key", "a"), ("x-api-key", "b")], [("x-api-key", "a"), ("x_api_key", "b")]] {
        let answered = server.post("/v1/messages", &sent, REQUEST).await;
        assert_eq!((answered.status, answered.error_type().as_str()), (400, "invalid_request_error"));
    }
    assert!(provider.seen().is_empty());
}

#[tokio::test]
async fn a_page_of_another_site_is_refused_and_so_is_another_host() {
    let provider = FakeProvider::start().await;
    let server =
        GatewayServer::with(&provider.url(), Setup { provider_key: Some("sk-server"), ..Setup::default() }).await;
    for sent in [("sec-fetch-site", "cross-site"), ("sec-fetch-site", "same-site"), ("origin", "https://evil.example")]
    {
        for answered in [
            server.post("/v1/messages", &[sent, ("no-credential", "1")], REQUEST).await,
            server.get("/v1/models", &[sent, ("no-credential", "1")]).await,
        ] {
            assert_eq!((answered.status, answered.error_type().as_str()), (403, "permission_error"), "{sent:?}");
        }
    }
    let rebound = request("POST", "/v1/messages", "127.0.0.1:1".parse().unwrap(), &[], REQUEST);
    let answered = send(server.address, &rebound).await;
    assert_eq!((answered.status, answered.error_type().as_str()), (421, "permission_error"));
    assert!(provider.seen().is_empty());
}

#[tokio::test]
async fn nothing_in_a_request_chooses_the_upstream() {
    let provider = FakeProvider::start().await;
    let server = GatewayServer::before(&provider).await;
    let sent = [
        ("x-portkey-custom-host", "http://127.0.0.1:1"),
        ("x-forwarded-host", "evil.example"),
        ("x-tollbridge-upstream", "http://127.0.0.1:1"),
    ];
    let body = REQUEST.replace("{\"model\"", "{\"api_base\":\"http://127.0.0.1:1\",\"model\"");
    assert_eq!(server.post("/v1/messages?api_base=http://127.0.0.1:1", &sent, &body).await.status, 200);
    assert_eq!(provider.seen()[0].header("host"), [provider.address.to_string()]);
    let absolute = String::from_utf8(request("POST", "/v1/messages", server.address, &[], REQUEST)).unwrap();
    let absolute = absolute.replacen("/v1/messages", "http://evil.example/v1/messages", 1);
    let answered = send(server.address, absolute.as_bytes()).await;
    assert_eq!(
        (answered.status, answered.error_type().as_str()),
        (400, "invalid_request_error"),
        "it contradicts the Host"
    );
}
