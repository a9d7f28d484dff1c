//! The usage event: one finished or broken-off LLM request, before it is priced ([`UsageRecord`]) and as the ledger
//! keeps it ([`UsageEvent`]). How events are stored is in `ledger`, what they cost in [`crate::domain::cost`].

use super::cost::CostParts;
use super::money::NanoUsd;
use super::tokens::TokenCounts;
use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;
use std::fmt;
use std::str::FromStr;

/// The most tags that a call can have.
pub const MAX_TAGS: usize = 20;

/// Whose usage it is. Every query names one, so that it cannot be forgotten (invariant 6).
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UserId(pub String);

impl UserId {
    /// Who is there from the start: the account that stays, and whoever is on this machine while no login is needed.
    pub fn owner() -> Self {
        Self("owner".into())
    }
}

/// Which usage a question is about: one user's, or everyone's by an admin's explicit choice.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    User(UserId),
    Everyone,
}

/// Where an event came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    Gateway,
    Chat,
    Api,
    Otlp,
    Import,
    /// Made up by `tollbridge demo`, so that all of it can be found and taken out again.
    Demo,
}

/// How sure the cost of an event is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PricingState {
    Exact,
    /// Some token count was estimated.
    Estimated,
    /// No price card: the cost is unknown, never zero.
    Unpriced,
    /// The provider sent no usage.
    NoUsage,
}

/// What the price of a call depends on beside its tokens, as the provider's answer names it.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ServiceTerms {
    /// `standard`, `priority`, `batch`, `flex`, …
    pub service_tier: Option<String>,
    /// `standard` or `fast`.
    pub speed: Option<String>,
    /// Where inference ran: `us`, `global`, …
    pub geo: Option<String>,
}

/// A call as capture hands it in: not yet priced. Its JSON is what the spool keeps, so a new field needs a default.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UsageRecord {
    pub user_id: UserId,
    pub occurred_at_ms: i64,
    pub source: Source,
    /// What makes two sightings of a call the same one: the provider's request id where there is one (invariant 3).
    pub dedup_key: String,
    /// The event that this sub-inference (advisor, compaction, fallback) is part of, by its dedup key. A part has
    /// tokens and cost but is not a call of its own.
    pub part_of: Option<String>,
    /// A copy that a side chain wrote of its parent's message: it gives way to the original.
    pub is_sidechain: bool,
    pub provider: String,
    pub model: String,
    pub tokens: TokenCounts,
    /// The provider sent no usage at all, so the counts above mean nothing.
    pub has_usage: bool,
    /// Some count is an estimate.
    pub is_estimated: bool,
    pub web_search_count: u64,
    pub terms: ServiceTerms,
    pub api_key_id: Option<String>,
    pub context: CallContext,
    pub outcome: CallOutcome,
    /// The provider's usage object as it came, for later re-pricing.
    pub usage_json: Option<String>,
}

/// What a call belonged to.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CallContext {
    pub conversation_id: Option<String>,
    pub agent_slug: Option<String>,
    pub session_id: Option<String>,
    pub project: Option<String>,
    pub tools_used: Vec<String>,
    /// Anything else that its client said of it: `name:value` or plain, each once, in the order given.
    pub tags: Vec<String>,
    pub request_id: Option<String>,
    pub message_id: Option<String>,
}

/// How a call went.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CallOutcome {
    pub success: bool,
    pub status_code: Option<u16>,
    pub error_message: Option<String>,
    pub response_time_ms: Option<u64>,
    pub first_token_ms: Option<u64>,
    pub stop_reason: Option<String>,
}

/// The first sighting of each tag, in order.
pub fn each_once(tags: impl IntoIterator<Item = String>) -> Vec<String> {
    let mut once: Vec<String> = Vec::new();
    for tag in tags {
        if !once.contains(&tag) {
            once.push(tag);
        }
    }
    once
}

impl Default for CallOutcome {
    fn default() -> Self {
        Self {
            success: true,
            status_code: None,
            error_message: None,
            response_time_ms: None,
            first_token_ms: None,
            stop_reason: None,
        }
    }
}

/// A row of the ledger: the record, its own id, and what it cost by which card.
#[derive(Clone, Debug, PartialEq)]
pub struct UsageEvent {
    /// UUIDv7, given when the event is recorded.
    pub id: String,
    pub record: UsageRecord,
    pub model_family: String,
    /// `None` where no card had a price.
    pub cost: Option<NanoUsd>,
    pub cost_parts: CostParts,
    pub pricing_state: PricingState,
    pub price_card_id: Option<String>,
}

/// A name that is not one of the list.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("unknown {what} {name:?}")]
pub struct UnknownName {
    pub what: &'static str,
    pub name: String,
}

impl Source {
    pub const ALL: [Self; 6] = [Self::Gateway, Self::Chat, Self::Api, Self::Otlp, Self::Import, Self::Demo];

    pub fn name(self) -> &'static str {
        match self {
            Self::Gateway => "gateway",
            Self::Chat => "chat",
            Self::Api => "api",
            Self::Otlp => "otlp",
            Self::Import => "import",
            Self::Demo => "demo",
        }
    }

    /// How much a source knows of a call; the better one wins when two saw the same call.
    pub fn detail_rank(self) -> u8 {
        match self {
            Self::Gateway | Self::Chat => 3,
            Self::Api | Self::Demo => 2,
            Self::Import => 1,
            Self::Otlp => 0,
        }
    }
}

impl PricingState {
    pub fn name(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::Estimated => "estimated",
            Self::Unpriced => "unpriced",
            Self::NoUsage => "no_usage",
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Source {
    type Err = UnknownName;
    fn from_str(name: &str) -> Result<Self, UnknownName> {
        let found = Self::ALL.into_iter().find(|source| source.name() == name);
        found.ok_or_else(|| UnknownName { what: "source", name: name.into() })
    }
}

impl FromStr for PricingState {
    type Err = UnknownName;
    fn from_str(name: &str) -> Result<Self, UnknownName> {
        let all = [Self::Exact, Self::Estimated, Self::Unpriced, Self::NoUsage];
        let found = all.into_iter().find(|state| state.name() == name);
        found.ok_or_else(|| UnknownName { what: "pricing state", name: name.into() })
    }
}
