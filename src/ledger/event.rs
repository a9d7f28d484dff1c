//! Single events: how a row and a [`UsageEvent`] become each other, and paging through them, newest first.

use super::db::{Tx, in_groups, with_reader, with_tx};
use super::page::{Place, page_of, parse_cursor};
use super::{Ledger, LedgerError};
use crate::domain::cost::CostParts;
use crate::domain::money::NanoUsd;
use crate::domain::tokens::TokenCounts;
use crate::domain::usage::{
    CallContext, CallOutcome, PricingState, Scope, ServiceTerms, UsageEvent, UsageRecord, UserId,
};
use sqlx::QueryBuilder;

/// Which events to list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventFilter {
    /// Family or exact model id.
    pub model: Option<String>,
    pub start_ms: Option<i64>,
    /// Exclusive.
    pub end_ms: Option<i64>,
    /// How many at most.
    pub limit: u32,
    /// [`EventPage::next`] of the page before.
    pub after: Option<String>,
}

/// One page of events, newest first.
#[derive(Clone, Debug, PartialEq)]
pub struct EventPage {
    pub events: Vec<UsageEvent>,
    /// Cursor of the next page, if there is one.
    pub next: Option<String>,
}

impl Ledger {
    /// One page of the scope's events. Everyone's are put together from each user's newest, which an index finds.
    pub async fn events(&self, scope: &Scope, filter: &EventFilter) -> Result<EventPage, LedgerError> {
        let before = filter.after.as_deref().map(parse_cursor).transpose()?;
        let limit = filter.limit as usize;
        let mut rows: Vec<EventRow> = Vec::new();
        for user in self.users_of(scope).await? {
            // One more than is shown tells that there are more; of the next user nothing older than it can matter.
            let oldest = rows.get(limit).map(|row| (row.occurred_at_ms, row.id.clone()));
            rows.extend(self.newest_of(&user, filter, before.as_ref(), oldest.as_ref()).await?);
            rows.sort_by(|one, two| two.place().cmp(&one.place()));
            rows.truncate(limit + 1);
        }
        let (events, next) =
            page_of(rows, filter.limit, |event: &UsageEvent| (event.record.occurred_at_ms, &event.id))?;
        Ok(EventPage { events, next })
    }

    /// When the scope's newest call happened (UTC milliseconds).
    pub async fn newest_event_ms(&self, scope: &Scope) -> Result<Option<i64>, LedgerError> {
        let mut newest = None;
        for user in self.users_of(scope).await? {
            let of_user: Option<i64> = with_reader!(&self.db, |pool| {
                sqlx::query_scalar("select max(occurred_at_ms) from usage_event where user_id = $1")
                    .bind(&user.0)
                    .fetch_one(pool)
                    .await?
            });
            newest = newest.max(of_user);
        }
        Ok(newest)
    }

    /// One user's newest events, from before and from after these places.
    async fn newest_of(
        &self,
        user: &UserId,
        filter: &EventFilter,
        before: Option<&Place>,
        after: Option<&Place>,
    ) -> Result<Vec<EventRow>, LedgerError> {
        Ok(with_reader!(&self.db, |pool| {
            let mut select =
                QueryBuilder::new(concat!("select ", event_columns!(), " from usage_event where user_id = "));
            select.push_bind(&user.0);
            if let Some(model) = &filter.model {
                select.push(" and (model = ").push_bind(model).push(" or model_family = ").push_bind(model).push(")");
            }
            if let Some(start_ms) = filter.start_ms {
                select.push(" and occurred_at_ms >= ").push_bind(start_ms);
            }
            if let Some(end_ms) = filter.end_ms {
                select.push(" and occurred_at_ms < ").push_bind(end_ms);
            }
            for (place, sign) in [(before, " < ("), (after, " > (")] {
                if let Some((at_ms, id)) = place {
                    select.push(" and (occurred_at_ms, id)").push(sign).push_bind(*at_ms);
                    select.push(", ").push_bind(id).push(")");
                }
            }
            select.push(" order by occurred_at_ms desc, id desc limit ").push_bind(i64::from(filter.limit) + 1);
            select.build_query_as().fetch_all(pool).await?
        }))
    }

    /// One event of the scope; none where it is not there or somebody else's.
    pub async fn event(&self, scope: &Scope, id: &str) -> Result<Option<UsageEvent>, LedgerError> {
        let row: Option<EventRow> = with_reader!(&self.db, |pool| {
            let mut select = QueryBuilder::new(concat!("select ", event_columns!(), " from usage_event where id = "));
            select.push_bind(id);
            match scope {
                Scope::User(user) => drop(select.push(" and user_id = ").push_bind(&user.0)),
                // The key of the table begins with the user.
                Scope::Everyone => drop(select.push(" and user_id in (select user_id from series)")),
            }
            select.build_query_as().fetch_optional(pool).await?
        });
        row.map(UsageEvent::try_from).transpose()
    }
}

/// Every column of `usage_event`, in the order in which [`insert`] binds them.
macro_rules! event_columns {
    () => {
        "user_id, id, dedup_key, part_of, is_sidechain, occurred_at_ms, source, api_key_id, provider, model, \
         model_family, input, cache_write_5m, cache_write_1h, cache_read, output, thinking, output_thinking, \
         web_search_count, cost_nano_usd, cost_input_nano_usd, cost_cache_write_5m_nano_usd, \
         cost_cache_write_1h_nano_usd, cost_cache_read_nano_usd, cost_output_nano_usd, cost_thinking_nano_usd, \
         cost_fees_nano_usd, pricing_state, price_card_id, conversation_id, agent_slug, session_id, project, \
         tools_used, success, status_code, error_message, response_time_ms, first_token_ms, stop_reason, \
         service_tier, speed, geo, request_id, message_id, usage_json, tags"
    };
}
use event_columns;

/// Which column [`find`] looks in.
#[derive(Clone, Copy)]
pub(super) enum FindBy {
    DedupKey,
    MessageId,
}

/// The user's stored events with one of these keys.
pub(super) async fn find(
    tx: &mut Tx,
    user: &UserId,
    by: FindBy,
    keys: &[&str],
) -> Result<Vec<UsageEvent>, LedgerError> {
    let mut found = Vec::new();
    for chunk in in_groups(keys) {
        let rows: Vec<EventRow> = with_tx!(tx, |connection| {
            let mut select =
                QueryBuilder::new(concat!("select ", event_columns!(), " from usage_event where user_id = "));
            select.push_bind(&user.0).push(match by {
                FindBy::DedupKey => " and dedup_key in (",
                FindBy::MessageId => " and message_id in (",
            });
            let mut list = select.separated(", ");
            for key in chunk {
                list.push_bind(*key);
            }
            select.push(")");
            select.build_query_as().fetch_all(connection).await?
        });
        for row in rows {
            found.push(UsageEvent::try_from(row)?);
        }
    }
    Ok(found)
}

pub(super) async fn delete(tx: &mut Tx, events: &[&UsageEvent]) -> Result<(), LedgerError> {
    for event in events {
        with_tx!(tx, |connection| {
            sqlx::query("delete from usage_event where user_id = $1 and id = $2")
                .bind(&event.record.user_id.0)
                .bind(&event.id)
                .execute(connection)
                .await?;
        });
    }
    Ok(())
}

/// An event that is to be a row, and the id of that row: its own, or that of the row whose place it takes.
pub(super) struct Incoming<'a> {
    pub id: String,
    pub event: &'a UsageEvent,
}

/// Writes the events as they are. Counts beyond an i64 were refused when the rollups were worked out, before this.
pub(super) async fn insert(tx: &mut Tx, events: &[Incoming<'_>]) -> Result<(), LedgerError> {
    for chunk in in_groups(events) {
        with_tx!(tx, |connection| {
            let mut insert = QueryBuilder::new(concat!("insert into usage_event (", event_columns!(), ") "));
            insert.push_values(chunk, |mut row, Incoming { id, event }| {
                let UsageEvent { record, cost_parts: parts, .. } = event;
                let (tokens, context, outcome) = (&record.tokens, &record.context, &record.outcome);
                row.push_bind(&record.user_id.0)
                    .push_bind(id)
                    .push_bind(&record.dedup_key)
                    .push_bind(record.part_of.as_deref())
                    .push_bind(record.is_sidechain)
                    .push_bind(record.occurred_at_ms)
                    .push_bind(record.source.name())
                    .push_bind(record.api_key_id.as_deref())
                    .push_bind(&record.provider)
                    .push_bind(&record.model)
                    .push_bind(&event.model_family)
                    .push_bind(column(tokens.input))
                    .push_bind(column(tokens.cache_write_5m))
                    .push_bind(column(tokens.cache_write_1h))
                    .push_bind(column(tokens.cache_read))
                    .push_bind(column(tokens.output))
                    .push_bind(column(tokens.thinking))
                    .push_bind(tokens.output_thinking.map(column))
                    .push_bind(column(record.web_search_count))
                    .push_bind(event.cost.map(|cost| cost.0))
                    .push_bind(parts.input.0)
                    .push_bind(parts.cache_write_5m.0)
                    .push_bind(parts.cache_write_1h.0)
                    .push_bind(parts.cache_read.0)
                    .push_bind(parts.output.0)
                    .push_bind(parts.thinking.0)
                    .push_bind(parts.fees.0)
                    .push_bind(event.pricing_state.name())
                    .push_bind(event.price_card_id.as_deref())
                    .push_bind(context.conversation_id.as_deref())
                    .push_bind(context.agent_slug.as_deref())
                    .push_bind(context.session_id.as_deref())
                    .push_bind(context.project.as_deref())
                    .push_bind(serde_json::Value::from(context.tools_used.clone()).to_string())
                    .push_bind(outcome.success)
                    .push_bind(outcome.status_code.map(i64::from))
                    .push_bind(outcome.error_message.as_deref())
                    .push_bind(outcome.response_time_ms.map(column))
                    .push_bind(outcome.first_token_ms.map(column))
                    .push_bind(outcome.stop_reason.as_deref())
                    .push_bind(record.terms.service_tier.as_deref())
                    .push_bind(record.terms.speed.as_deref())
                    .push_bind(record.terms.geo.as_deref())
                    .push_bind(context.request_id.as_deref())
                    .push_bind(context.message_id.as_deref())
                    .push_bind(record.usage_json.as_deref())
                    .push_bind(serde_json::Value::from(context.tags.clone()).to_string());
            });
            insert.build().execute(connection).await?;
        });
    }
    Ok(())
}

fn column(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

#[derive(sqlx::FromRow)]
struct EventRow {
    user_id: String,
    id: String,
    dedup_key: String,
    part_of: Option<String>,
    is_sidechain: bool,
    occurred_at_ms: i64,
    source: String,
    api_key_id: Option<String>,
    provider: String,
    model: String,
    model_family: String,
    input: i64,
    cache_write_5m: i64,
    cache_write_1h: i64,
    cache_read: i64,
    output: i64,
    thinking: i64,
    output_thinking: Option<i64>,
    web_search_count: i64,
    cost_nano_usd: Option<i64>,
    cost_input_nano_usd: i64,
    cost_cache_write_5m_nano_usd: i64,
    cost_cache_write_1h_nano_usd: i64,
    cost_cache_read_nano_usd: i64,
    cost_output_nano_usd: i64,
    cost_thinking_nano_usd: i64,
    cost_fees_nano_usd: i64,
    pricing_state: String,
    price_card_id: Option<String>,
    conversation_id: Option<String>,
    agent_slug: Option<String>,
    session_id: Option<String>,
    project: Option<String>,
    tools_used: String,
    success: bool,
    status_code: Option<i64>,
    error_message: Option<String>,
    response_time_ms: Option<i64>,
    first_token_ms: Option<i64>,
    stop_reason: Option<String>,
    service_tier: Option<String>,
    speed: Option<String>,
    geo: Option<String>,
    request_id: Option<String>,
    message_id: Option<String>,
    usage_json: Option<String>,
    tags: String,
}

impl EventRow {
    fn place(&self) -> (i64, &str) {
        (self.occurred_at_ms, &self.id)
    }
}

impl TryFrom<EventRow> for UsageEvent {
    type Error = LedgerError;

    fn try_from(row: EventRow) -> Result<Self, LedgerError> {
        let pricing_state = row.pricing_state.parse().map_err(|_| LedgerError::OutOfRange("pricing_state"))?;
        let has_usage = pricing_state != PricingState::NoUsage;
        let is_estimated = pricing_state == PricingState::Estimated;
        Ok(Self {
            id: row.id,
            model_family: row.model_family,
            cost: row.cost_nano_usd.map(NanoUsd),
            cost_parts: CostParts {
                input: NanoUsd(row.cost_input_nano_usd),
                cache_write_5m: NanoUsd(row.cost_cache_write_5m_nano_usd),
                cache_write_1h: NanoUsd(row.cost_cache_write_1h_nano_usd),
                cache_read: NanoUsd(row.cost_cache_read_nano_usd),
                output: NanoUsd(row.cost_output_nano_usd),
                thinking: NanoUsd(row.cost_thinking_nano_usd),
                fees: NanoUsd(row.cost_fees_nano_usd),
            },
            pricing_state,
            price_card_id: row.price_card_id,
            record: UsageRecord {
                user_id: UserId(row.user_id),
                occurred_at_ms: row.occurred_at_ms,
                source: row.source.parse().map_err(|_| LedgerError::OutOfRange("source"))?,
                dedup_key: row.dedup_key,
                part_of: row.part_of,
                is_sidechain: row.is_sidechain,
                provider: row.provider,
                model: row.model,
                tokens: TokenCounts {
                    input: stored(row.input)?,
                    cache_write_5m: stored(row.cache_write_5m)?,
                    cache_write_1h: stored(row.cache_write_1h)?,
                    cache_read: stored(row.cache_read)?,
                    output: stored(row.output)?,
                    thinking: stored(row.thinking)?,
                    output_thinking: row.output_thinking.map(stored).transpose()?,
                },
                has_usage,
                is_estimated,
                web_search_count: stored(row.web_search_count)?,
                terms: ServiceTerms { service_tier: row.service_tier, speed: row.speed, geo: row.geo },
                api_key_id: row.api_key_id,
                context: CallContext {
                    conversation_id: row.conversation_id,
                    agent_slug: row.agent_slug,
                    session_id: row.session_id,
                    project: row.project,
                    tools_used: serde_json::from_str(&row.tools_used)
                        .map_err(|_| LedgerError::OutOfRange("tools_used"))?,
                    tags: serde_json::from_str(&row.tags).map_err(|_| LedgerError::OutOfRange("tags"))?,
                    request_id: row.request_id,
                    message_id: row.message_id,
                },
                outcome: CallOutcome {
                    success: row.success,
                    status_code: row.status_code.and_then(|code| u16::try_from(code).ok()),
                    error_message: row.error_message,
                    response_time_ms: row.response_time_ms.map(stored).transpose()?,
                    first_token_ms: row.first_token_ms.map(stored).transpose()?,
                    stop_reason: row.stop_reason,
                },
                usage_json: row.usage_json,
            },
        })
    }
}

fn stored(count: i64) -> Result<u64, LedgerError> {
    u64::try_from(count).map_err(|_| LedgerError::OutOfRange("a stored count is negative"))
}
