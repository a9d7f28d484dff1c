//! Answers that come compressed although plain ones were asked for: the client gets the bytes as they are, and the usage in
//! them is read.

use super::answers::{EVENTS, MESSAGE, REQUEST, STREAM_REQUEST};
use super::fake_provider::{FakeProvider, Step, chunk, end_of_chunks, stream_head};
use super::faults::memory_kib;
use super::gateway_server::{GatewayServer, Setup};
use std::io::Write;
use std::time::Duration;
use tollbridge::domain::money::NanoUsd;
use tollbridge::domain::usage::PricingState;

const CODINGS: [&str; 3] = ["gzip", "br", "zstd"];

/// Flushed after each part, as by a server that streams.
fn coded(coding: &str, parts: &[&str]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder: Box<dyn Write> = match coding {
        "gzip" => Box::new(flate2::write::GzEncoder::new(&mut bytes, flate2::Compression::default())),
        "br" => Box::new(brotli::CompressorWriter::new(&mut bytes, 4096, 5, 22)),
        _ => Box::new(zstd::Encoder::new(&mut bytes, 3).unwrap().auto_finish()),
    };
    for part in parts {
        encoder.write_all(part.as_bytes()).unwrap();
        encoder.flush().unwrap();
    }
    drop(encoder);
    bytes
}

fn whole_answer(status: u16, coding: &str, body: &[u8]) -> Step {
    let head = format!(
        "HTTP/1.1 {status} Whatever\r\ncontent-type: application/json\r\ncontent-encoding: {coding}\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    Step::Send([head.as_bytes(), body].concat())
}

#[tokio::test]
async fn a_compressed_stream_is_read_however_it_is_cut_and_passes_untouched() {
    for coding in CODINGS {
        let body = coded(coding, &EVENTS);
        for piece in [1, 7, body.len()] {
            let provider = FakeProvider::start().await;
            let server = GatewayServer::before(&provider).await;
            let mut script = vec![stream_head(&[("content-encoding", coding)])];
            script.extend(body.chunks(piece).map(chunk));
            script.push(end_of_chunks());
            provider.play(script);
            let answered = server.post("/v1/messages", &[("accept-encoding", coding)], STREAM_REQUEST).await;
            assert!(answered.body == body && answered.is_complete, "{coding} in pieces of {piece}");
            assert_eq!(answered.header("content-encoding"), Some(coding));
            let event = server.event().await;
            // 25 × $3 + 12 × $15 per million.
            assert_eq!((event.cost, event.pricing_state), (Some(NanoUsd(255_000)), PricingState::Exact), "{coding}");
            assert!(event.record.outcome.first_token_ms.is_some());
        }
    }
}

#[tokio::test]
async fn a_compressed_message_or_error_is_read() {
    for coding in CODINGS {
        let provider = FakeProvider::start().await;
        let server = GatewayServer::before(&provider).await;
        let message = coded(coding, &[MESSAGE]);
        let error = coded(coding, &[r#"{"type":"error","error":{"type":"overloaded_error","message":"x"}}"#]);
        provider.play(vec![whole_answer(200, coding, &message)]);
        assert!(server.post("/v1/messages", &[], REQUEST).await.body == message, "{coding}");
        provider.play(vec![whole_answer(529, coding, &error)]);
        assert!(server.post("/v1/messages", &[], REQUEST).await.body == error, "{coding}");
        let events = server.events(2).await;
        assert_eq!((events[0].cost, events[0].pricing_state), (Some(NanoUsd(10_500_000)), PricingState::Exact));
        assert_eq!(events[1].record.outcome.error_message.as_deref(), Some("overloaded_error"), "{coding}");
    }
}

#[tokio::test]
async fn compressed_results_of_a_batch_are_read() {
    let result = r#"{"custom_id":"one","result":{"type":"succeeded","message":{"id":"msg_b1","type":"message","model":"claude-haiku-4-5","content":[],"stop_reason":"end_turn","usage":{"input_tokens":1000,"output_tokens":0}}}}"#;
    for coding in CODINGS {
        let body = coded(coding, &[result]);
        let answer = whole_answer(200, coding, &body);
        let provider = FakeProvider::behaving(move |_| vec![answer.clone()]).await;
        let server = GatewayServer::before(&provider).await;
        assert!(server.get("/v1/messages/batches/msgbatch_1/results", &[]).await.body == body, "{coding}");
        assert_eq!(server.event().await.cost, Some(NanoUsd(500_000)), "{coding}");
    }
}

#[tokio::test]
async fn what_only_says_that_it_is_compressed_passes_untouched_and_unread() {
    for coding in [CODINGS[0], CODINGS[1], CODINGS[2], "deflate", "gzip, br"] {
        let provider = FakeProvider::start().await;
        let server = GatewayServer::before(&provider).await;
        let garbage: Vec<u8> = (0_u32..4_000).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
        provider.play(vec![whole_answer(200, coding, &garbage)]);
        let answered = server.post("/v1/messages", &[], REQUEST).await;
        assert!(answered.body == garbage && answered.is_complete, "{coding}");
        let event = server.event().await;
        assert!(event.record.outcome.success, "{coding}: the call went well, only the reading did not");
        assert_eq!((event.cost, event.pricing_state), (None, PricingState::NoUsage), "{coding}");
    }
}

#[tokio::test]
async fn a_compressed_stream_that_turns_to_garbage_keeps_what_was_read() {
    for coding in CODINGS {
        let provider = FakeProvider::start().await;
        let server = GatewayServer::before(&provider).await;
        let whole = coded(coding, &EVENTS);
        let begun = &whole[..coded(coding, &EVENTS[..4]).len() - 9];
        let body = [begun, &[0xff; 512][..]].concat();
        let pause = Step::Wait(Duration::from_millis(50));
        let head = stream_head(&[("content-encoding", coding)]);
        provider.play(vec![head, chunk(begun), pause, chunk(&body[begun.len()..]), end_of_chunks()]);
        assert!(server.post("/v1/messages", &[], STREAM_REQUEST).await.body == body, "{coding}");
        let event = server.event().await;
        assert!(event.record.outcome.success, "{coding}: nothing says that the call did not go well");
        assert_eq!((event.record.tokens.input, event.pricing_state), (25, PricingState::Estimated), "{coding}");
    }
}

#[tokio::test]
async fn no_ping_is_put_into_a_compressed_stream() {
    let provider = FakeProvider::start().await;
    let mut setup = Setup::default();
    setup.limits.ping_after = Duration::from_millis(100);
    let server = GatewayServer::with(&provider.url(), setup).await;
    let body = coded("gzip", &EVENTS);
    let begun = coded("gzip", &EVENTS[..1]).len() - 10;
    let mut script = vec![stream_head(&[("content-encoding", "gzip")]), chunk(&body[..begun])];
    script.extend([Step::Wait(Duration::from_millis(500)), chunk(&body[begun..]), end_of_chunks()]);
    provider.play(script);
    assert!(server.post("/v1/messages", &[], STREAM_REQUEST).await.body == body);
    assert_eq!(server.event().await.pricing_state, PricingState::Exact);
}

#[tokio::test]
async fn a_bomb_passes_and_fills_no_memory() {
    // By RFC 8878: magic number, a window of 8 MiB, a raw block, and 256 blocks a KiB that each say "128 KiB of spaces".
    let block = |size: usize, kind: usize| ((size << 3 | kind << 1) as u32).to_le_bytes()[..3].to_vec();
    let mut bomb = vec![0x28, 0xb5, 0x2f, 0xfd, 0x00, 13 << 3];
    bomb.extend([&block(EVENTS[0].len(), 0), EVENTS[0].as_bytes()].concat());
    (0..4_096).for_each(|_| bomb.extend([&block(128 * 1024, 1)[..], b" "].concat()));
    let provider = FakeProvider::start().await;
    let server = GatewayServer::before(&provider).await;
    provider.play(vec![stream_head(&[("content-encoding", "zstd")]), chunk(&bomb), end_of_chunks()]);
    let before = memory_kib("VmHWM");
    let answered = server.post("/v1/messages", &[], STREAM_REQUEST).await;
    assert!(answered.body == bomb && answered.is_complete);
    let grown = memory_kib("VmHWM").saturating_sub(before);
    assert!(grown < 24 * 1024, "512 MiB, of which {grown} KiB were in memory at a time");
    assert_eq!(server.event().await.record.tokens.input, 25, "what came before it is read");
}
