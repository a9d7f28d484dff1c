//! Attacks on peers that need real sockets; the numbers are those of docs/security.md.

use super::answers::REQUEST;
use super::fake_provider::FakeProvider;
use super::gateway_server::{GatewayServer, send};

/// Two readings of where a request ends are how one is hidden in another.
#[tokio::test]
async fn attack_14_no_request_hides_in_another() {
    let provider = FakeProvider::start().await;
    let server = GatewayServer::before(&provider).await;
    let host = server.address;
    let hidden = format!(
        "POST /v1/messages?hidden HTTP/1.1\r\nhost: {host}\r\nx-api-key: k\r\ncontent-length: {}\r\n\r\n{REQUEST}",
        REQUEST.len()
    );
    let head = |lines: &str| format!("POST /v1/messages HTTP/1.1\r\nhost: {host}\r\nx-api-key: k\r\n{lines}\r\n");
    let whole = REQUEST.len() + hidden.len();
    let short = REQUEST.len();
    let attacks = [
        head(&format!("content-length: {short}\r\ncontent-length: {whole}\r\n")) + REQUEST + &hidden,
        head(&format!("content-length: {short}, {whole}\r\n")) + REQUEST + &hidden,
        head(&format!("content-length: +{short}\r\n")) + REQUEST + &hidden,
        head("transfer-encoding: chunked, identity\r\n") + "0\r\n\r\n" + &hidden,
        head("transfer-encoding: xchunked\r\n") + "0\r\n\r\n" + &hidden,
        head("transfer-encoding: chunked\r\n").replace("HTTP/1.1", "HTTP/1.0") + "0\r\n\r\n" + &hidden,
        head("transfer-encoding: chunked\r\n") + "10000000000000000\r\n" + &hidden,
        head("transfer-encoding: chunked\r\n") + "-1\r\n" + &hidden,
        head("transfer-encoding : chunked\r\n") + "0\r\n\r\n" + &hidden,
        head(&format!("x-folded: a\r\n content-length: {short}\r\n")) + REQUEST + &hidden,
    ];
    let mut passed = Vec::new();
    // A length beside chunks means nothing (RFC 9112, 6.3): the chunks tell where the request ends, and the connection with it.
    let two_ends = [
        head(&format!("content-length: {whole}\r\ntransfer-encoding: chunked\r\n")) + "0\r\n\r\n" + &hidden,
        head(&format!("transfer-encoding: chunked\r\ncontent-length: {whole}\r\n")) + "0\r\n\r\n" + &hidden,
    ];
    for attack in two_ends {
        let answer = send(server.address, attack.as_bytes()).await;
        assert_eq!((answer.status, answer.header("connection")), (200, Some("close")));
    }
    assert_eq!(provider.seen().iter().map(|request| request.body.len()).collect::<Vec<_>>(), [0, 0]);
    for attack in attacks {
        let answer = send(server.address, attack.as_bytes()).await;
        if answer.status != 400 {
            passed.push(format!("{} to {:?}", answer.status, &attack[..160.min(attack.len())]));
        }
    }
    assert!(passed.is_empty(), "{passed:#?}");
    let seen = provider.seen();
    assert!(seen.len() == 2 && seen.iter().all(|request| !request.target.contains("hidden")), "{seen:?}");
}
