//! Asking, in the browser: one question at a time, its answer read as it comes. Stopping hangs up, which ends the call at
//! the provider too.

use super::Conversation;
use crate::app::server_fns::chat::get_turn_usage;
use crate::app::state::chat_events::{EventReader, TurnEvent, refusal_in};
use crate::app::state::conversation::{Question, Turn, TurnState, history};
use js_sys::{Reflect, Uint8Array};
use leptos::prelude::*;
use std::time::Duration;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::{AbortController, AbortSignal, Headers, ReadableStreamDefaultReader, RequestInit, Response};

const ADDRESS: &str = "/api/chat";
const UNREACHED: &str = "the server did not answer";
const BROKEN_OFF: &str = "the connection broke off";
/// After a stop, the ledger has the call within a moment; then it is asked for what it cost.
const USAGE_PAUSES_MS: [u64; 5] = [300, 700, 1_500, 3_000, 6_000];
/// Who has scrolled further up than this reads something else.
const NEAR_END_PX: f64 = 160.0;

pub(super) fn callbacks(conversation: Conversation) -> (Callback<()>, Callback<()>) {
    let under_way = StoredValue::new_local(None::<AbortController>);
    let on_send = Callback::new(move |()| {
        let question = conversation.draft.try_update(std::mem::take).unwrap_or_default();
        let (Some(turn), Ok(hang_up)) = (begin(conversation, question), AbortController::new()) else { return };
        let signal = hang_up.signal();
        under_way.set_value(Some(hang_up));
        spawn_local(async move {
            follow(conversation, &turn, &signal).await;
            under_way.try_set_value(None);
        });
    });
    let hang_up = move || {
        if let Some(Some(controller)) = under_way.try_update_value(Option::take) {
            controller.abort();
        }
    };
    on_cleanup(hang_up);
    (on_send, Callback::new(move |()| hang_up()))
}

/// Puts the question on the page.
fn begin(conversation: Conversation, question: String) -> Option<Turn> {
    let number = conversation.begun.try_update_value(|begun| {
        *begun += 1;
        *begun
    })?;
    let turn = Turn::new(number, question);
    conversation.turns.update(|turns| turns.push(turn.clone()));
    request_animation_frame(scroll_to_end);
    Some(turn)
}

/// Asks and reads to the end, whichever that is.
async fn follow(conversation: Conversation, turn: &Turn, signal: &AbortSignal) {
    let mut call_id = None;
    let ended = ask(conversation, turn, signal, &mut call_id).await;
    let state = match ended {
        _ if signal.aborted() => TurnState::Stopped,
        Err(reason) => TurnState::Failed(reason),
        // What the provider told of a failure has been noted already.
        Ok(()) => match turn.state.get_untracked() {
            TurnState::Answering => TurnState::Done,
            failed => failed,
        },
    };
    turn.state.set(state);
    if let Some(id) = call_id.filter(|_| turn.usage.with_untracked(Option::is_none)) {
        find_usage(turn, &id).await;
    }
}

async fn ask(
    conversation: Conversation,
    turn: &Turn,
    signal: &AbortSignal,
    call_id: &mut Option<String>,
) -> Result<(), String> {
    let response = send(&body_of(conversation, turn), signal).await.map_err(|_| UNREACHED.to_owned())?;
    if !response.ok() {
        return Err(reason_of(&response).await.unwrap_or_else(|| UNREACHED.to_owned()));
    }
    let stream = response.body().ok_or_else(|| BROKEN_OFF.to_owned())?;
    let reader: ReadableStreamDefaultReader = stream.get_reader().unchecked_into();
    let mut events = EventReader::default();
    loop {
        let read = JsFuture::from(reader.read()).await.map_err(|_| BROKEN_OFF.to_owned())?;
        let Some(bytes) = bytes_in(&read) else { break };
        for event in events.push(&bytes) {
            note(conversation, turn, call_id, event);
        }
    }
    Ok(())
}

async fn send(body: &str, signal: &AbortSignal) -> Result<Response, JsValue> {
    let headers = Headers::new()?;
    headers.set("content-type", "application/json")?;
    let request = RequestInit::new();
    request.set_method("POST");
    request.set_headers(&headers);
    request.set_body(&body.into());
    request.set_signal(Some(signal));
    JsFuture::from(window().fetch_with_str_and_init(ADDRESS, &request)).await?.dyn_into()
}

fn body_of(conversation: Conversation, turn: &Turn) -> String {
    let (model, id) = (conversation.model.get_untracked(), conversation.id.get_untracked());
    let history = conversation.turns.with_untracked(|turns| {
        let before: Vec<Turn> = turns.iter().filter(|other| other.number < turn.number).cloned().collect();
        history(&before)
    });
    let question = Question { message: &turn.question, model: &model, conversation_id: id.as_deref(), history };
    serde_json::to_string(&question).unwrap_or_default()
}

fn note(conversation: Conversation, turn: &Turn, call_id: &mut Option<String>, event: TurnEvent) {
    match event {
        TurnEvent::Start(start) => {
            *call_id = Some(start.call_id);
            conversation.id.try_set(start.conversation_id);
        }
        TurnEvent::Text(text) => {
            let was_near_end = is_near_end();
            turn.answer.update(|answer| answer.push_str(&text));
            if was_near_end {
                request_animation_frame(scroll_to_end);
            }
        }
        TurnEvent::Error(reason) => turn.state.set(TurnState::Failed(reason)),
        TurnEvent::Usage(usage) => {
            turn.usage.set(Some(*usage));
            request_animation_frame(scroll_to_end);
        }
    }
}

async fn find_usage(turn: &Turn, call_id: &str) {
    for pause_ms in USAGE_PAUSES_MS {
        sleep(Duration::from_millis(pause_ms)).await;
        if let Ok(Some(usage)) = get_turn_usage(call_id.to_owned()).await {
            turn.usage.set(Some(usage));
            return;
        }
    }
}

async fn sleep(duration: Duration) {
    let mut start = |resolve: js_sys::Function, _| {
        set_timeout(
            move || {
                // A promise is settled by whatever it is called with.
                let _ = resolve.call0(&JsValue::NULL);
            },
            duration,
        );
    };
    // It is never rejected.
    let _ = JsFuture::from(js_sys::Promise::new(&mut start)).await;
}

async fn reason_of(response: &Response) -> Option<String> {
    let text = JsFuture::from(response.text().ok()?).await.ok()?;
    refusal_in(&text.as_string()?)
}

/// The bytes of a piece of the stream; none at its end.
fn bytes_in(read: &JsValue) -> Option<Vec<u8>> {
    let value = Reflect::get(read, &"value".into()).ok()?;
    value.dyn_into::<Uint8Array>().ok().map(|bytes| bytes.to_vec())
}

fn is_near_end() -> bool {
    let Some(root) = document().document_element() else { return false };
    let seen_to = f64::from(root.scroll_top() + root.client_height());
    f64::from(root.scroll_height()) - seen_to < NEAR_END_PX
}

fn scroll_to_end() {
    if let Some(root) = document().document_element() {
        root.set_scroll_top(root.scroll_height());
    }
}
