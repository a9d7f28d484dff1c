//! What the Chat page asks for beside its answers, which come over `/api/chat`: what it can offer, and what a call cost
//! that was stopped before its end.

use super::codec::Json;
use super::error::AppError;
use crate::domain::chat::TurnUsage;
use leptos::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChatSetUp {
    /// Without a provider key of this server's own there is no chat.
    pub has_provider_key: bool,
    /// The first one is chosen unless the reader chooses another.
    pub models: Vec<ChatModel>,
}

/// A model on offer, with its list prices in dollars per million tokens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChatModel {
    pub name: String,
    pub input_usd_per_million: String,
    pub output_usd_per_million: String,
}

/// Whether this server can chat, and with which models: those on offer, then Claude models that were called before.
///
/// # Errors
/// When the ledger cannot be read.
#[server(prefix = "/_fn", input = Json, output = Json)]
pub async fn get_chat_set_up() -> Result<ChatSetUp, AppError> {
    use crate::capture::chat::{DEFAULT_MODEL, OFFERED_MODELS};
    let state = expect_context::<crate::http::state::AppState>();
    let principal = super::principal::principal()?;
    let called = state.ledger.models(&principal.scope()).await.map_err(super::error::refuse)?;
    let called = called.into_iter().filter(|model| model.starts_with("claude-"));
    let mut names: Vec<String> = std::iter::once(DEFAULT_MODEL).chain(OFFERED_MODELS).map(String::from).collect();
    names.extend(called);
    let now_ms = state.clock.now_ms();
    let mut models: Vec<ChatModel> = Vec::new();
    for name in names {
        let Some(card) = state.prices.lookup(Some("anthropic"), &name, now_ms) else { continue };
        if models.iter().all(|known| known.name != name) {
            let (input_usd_per_million, output_usd_per_million) =
                (card.rates.input.to_usd_per_million(), card.rates.output.to_usd_per_million());
            models.push(ChatModel { name, input_usd_per_million, output_usd_per_million });
        }
    }
    Ok(ChatSetUp { has_provider_key: state.gateway.has_provider_key(), models })
}

/// What a call used and cost; none while the ledger does not have it yet.
///
/// # Errors
/// When the ledger cannot be read.
#[server(prefix = "/_fn", input = Json, output = Json)]
pub async fn get_turn_usage(call_id: String) -> Result<Option<TurnUsage>, AppError> {
    let state = expect_context::<crate::http::state::AppState>();
    let principal = super::principal::principal()?;
    let event = state.ledger.event(&principal.scope(), &call_id).await.map_err(super::error::refuse)?;
    Ok(event.map(|event| TurnUsage::of(&state.prices, &event.id, &event.record)))
}
