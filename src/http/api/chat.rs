//! `POST /api/chat`: one turn of the built-in chat, as an event stream: `start` with its ids, `text` as it is written,
//! `error` if the provider gives up, and at the end `usage` with what the turn cost.

use crate::capture::chat::{ChatEvent, ChatReader, ChatRequest, refusal};
use crate::capture::gateway::{CALL_ID, Caller, Refusal};
use crate::domain::chat::TurnUsage;
use crate::domain::price::PriceBook;
use crate::domain::usage::UsageRecord;
use crate::http::auth::Principal;
use crate::http::body::JsonBody;
use crate::http::error::ApiError;
use crate::http::state::AppState;
use axum::body::BodyDataStream;
use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures::{Stream, StreamExt};
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use tokio::sync::oneshot;

/// More of a refusal is not read.
const MAX_REFUSAL_BYTES: usize = 64 * 1024;

/// An answer under way. Dropping it hangs up on the provider.
struct Turn {
    /// `None` when it has ended.
    answer: Option<BodyDataStream>,
    reader: ChatReader,
    waiting: VecDeque<Event>,
    recorded: Option<oneshot::Receiver<Vec<UsageRecord>>>,
    prices: Arc<PriceBook>,
    call_id: String,
}

pub async fn send(
    State(state): State<AppState>,
    principal: Principal,
    JsonBody(body): JsonBody<Value>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, ApiError> {
    let request = ChatRequest::parse(&body)?;
    if !state.gateway.has_provider_key() {
        return Err(ApiError::NoProviderKey);
    }
    let (listener, recorded) = oneshot::channel();
    let caller = Caller { user_id: principal.user_id(), api_key_id: principal.api_key_id().map(str::to_owned) };
    let (now_ms, body, context) = (state.clock.now_ms(), request.to_provider(), request.context());
    let conversation_id = context.conversation_id.clone();
    let answer = state.gateway.chat(now_ms, caller, body, context, listener).await;
    if let Some(refusal) = answer.extensions().get::<Refusal>() {
        return Err(refusal.clone().into());
    }
    let status = answer.status();
    let call_id: String = answer.headers().get(CALL_ID).and_then(|id| id.to_str().ok()).unwrap_or_default().into();
    if !status.is_success() {
        // Read to its end, so that the call is recorded with the kind of the refusal.
        axum::body::to_bytes(answer.into_body(), MAX_REFUSAL_BYTES).await.ok();
        return Err(ApiError::Refused { status: status.as_u16(), message: refusal(status.as_u16()) });
    }
    let turn = Turn {
        answer: Some(answer.into_body().into_data_stream()),
        reader: ChatReader::default(),
        waiting: VecDeque::from([start_event(&call_id, conversation_id.as_deref())]),
        recorded: Some(recorded),
        prices: state.prices.clone(),
        call_id,
    };
    Ok(Sse::new(futures::stream::unfold(turn, next_event)).keep_alive(KeepAlive::default()))
}

async fn next_event(mut turn: Turn) -> Option<(Result<Event, Infallible>, Turn)> {
    loop {
        if let Some(event) = turn.waiting.pop_front() {
            return Some((Ok(event), turn));
        }
        match &mut turn.answer {
            Some(answer) => match answer.next().await {
                Some(Ok(bytes)) => turn.waiting.extend(turn.reader.push(&bytes).into_iter().map(shown)),
                Some(Err(_)) | None => {
                    turn.waiting.extend(turn.reader.finish().map(shown));
                    turn.answer = None;
                }
            },
            None => {
                let records = turn.recorded.take()?.await.ok()?;
                turn.waiting.push_back(usage_event(&turn.prices, &turn.call_id, records.first()?));
            }
        }
    }
}

fn shown(event: ChatEvent) -> Event {
    match event {
        ChatEvent::Text(text) => Event::default().event("text").data(json!({"text": text}).to_string()),
        ChatEvent::Error(message) => Event::default().event("error").data(json!({"message": message}).to_string()),
    }
}

fn start_event(call_id: &str, conversation_id: Option<&str>) -> Event {
    Event::default().event("start").data(json!({"callId": call_id, "conversationId": conversation_id}).to_string())
}

fn usage_event(prices: &PriceBook, call_id: &str, record: &UsageRecord) -> Event {
    let json = serde_json::to_string(&TurnUsage::of(prices, call_id, record)).unwrap_or_default();
    Event::default().event("usage").data(json)
}
