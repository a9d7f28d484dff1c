//! `/api/channels` and `/api/deliveries`: where alerts go, a test of it, and the log of what went there. Addresses and
//! passwords go in and never come out; a webhook's signing secret comes out once, when it is made.

use crate::capture::json_fields::{FieldError, object_with};
use crate::domain::audit::Actor;
use crate::domain::channel::input::ChannelInput;
use crate::domain::channel::{Channel, Target, level_name};
use crate::domain::delivery::Delivery;
use crate::domain::notification::Topic;
use crate::domain::period::Zone;
use crate::domain::secret::Secret;
use crate::domain::usage::UserId;
use crate::http::auth::Principal;
use crate::http::body::JsonBody;
use crate::http::error::ApiError;
use crate::http::state::AppState;
use crate::watch::notify::webhook::new_signing_secret;
use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::Serialize;
use serde_json::{Map, Value};

const FIELDS: [&str; 17] = [
    "name",
    "kind",
    "url",
    "host",
    "port",
    "encryption",
    "username",
    "password",
    "from",
    "to",
    "minLevel",
    "topics",
    "quietFrom",
    "quietTo",
    "digest",
    "timeZone",
    "enabled",
];
/// Deliveries that the log shows.
const LOG_ROWS: u32 = 100;

/// A channel as it may be shown.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ChannelAnswer {
    id: String,
    kind: &'static str,
    name: String,
    /// The address without what is secret in it, or the recipients.
    target: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    mail: Option<MailAnswer>,
    min_level: &'static str,
    topics: Vec<Topic>,
    quiet_from: Option<String>,
    quiet_to: Option<String>,
    digest: &'static str,
    time_zone: String,
    enabled: bool,
    disabled_reason: Option<String>,
    created_at: String,
    /// Only in the answer that makes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    signing_secret: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct MailAnswer {
    host: String,
    port: u16,
    encryption: &'static str,
    username: Option<String>,
    from: String,
    to: Vec<String>,
}

#[derive(Debug, Serialize)]
pub struct ChannelsAnswer {
    channels: Vec<ChannelAnswer>,
}

/// What a receiver said to a test.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TestAnswer {
    delivered: bool,
    status: Option<u16>,
    answer: String,
}

#[derive(Debug, Serialize)]
pub struct DeliveriesAnswer {
    deliveries: Vec<DeliveryAnswer>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct DeliveryAnswer {
    id: String,
    state: &'static str,
    title: String,
    level: &'static str,
    attempts: u32,
    created_at: String,
    /// Only while it waits.
    next_attempt_at: Option<String>,
    last_attempt_at: Option<String>,
    last_status: Option<u16>,
    last_answer: Option<String>,
}

pub async fn list(State(state): State<AppState>, principal: Principal) -> Result<Json<ChannelsAnswer>, ApiError> {
    let channels = state.ledger.channels(&principal.user_id()).await?;
    Ok(Json(ChannelsAnswer { channels: channels.iter().map(ChannelAnswer::of).collect() }))
}

pub async fn create(
    State(state): State<AppState>,
    principal: Principal,
    actor: Actor,
    JsonBody(body): JsonBody<Value>,
) -> Result<(StatusCode, Json<ChannelAnswer>), ApiError> {
    let input = read_input(object_with(&body, &FIELDS)?)?;
    let (user, now_ms) = (principal.user_id(), state.clock.now_ms());
    let (id, secret) = (uuid::Uuid::now_v7().to_string(), new_signing_secret());
    let channel = input.make(&user, id, &state.ledger.time_zone(), secret.clone(), now_ms)?;
    save(&state, &channel, &actor).await?;
    Ok((StatusCode::CREATED, Json(ChannelAnswer::with_secret(&channel, &secret))))
}

pub async fn show(
    State(state): State<AppState>,
    principal: Principal,
    Path(id): Path<String>,
) -> Result<Json<ChannelAnswer>, ApiError> {
    Ok(Json(ChannelAnswer::of(&find(&state, &principal.user_id(), &id).await?)))
}

/// Changes the fields that are given; the others stay as they are.
pub async fn change(
    State(state): State<AppState>,
    principal: Principal,
    actor: Actor,
    Path(id): Path<String>,
    JsonBody(body): JsonBody<Value>,
) -> Result<Json<ChannelAnswer>, ApiError> {
    let input = read_input(object_with(&body, &FIELDS)?)?;
    let channel = input.change(&find(&state, &principal.user_id(), &id).await?, state.clock.now_ms())?;
    save(&state, &channel, &actor).await?;
    Ok(Json(ChannelAnswer::of(&channel)))
}

pub async fn delete(
    State(state): State<AppState>,
    principal: Principal,
    actor: Actor,
    Path(id): Path<String>,
) -> Result<StatusCode, ApiError> {
    match state.ledger.delete_channel(&principal.user_id(), &id, &actor, state.clock.now_ms()).await? {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(ApiError::NotFound),
    }
}

/// Makes another signing secret; the one before signs too, until the next change.
pub async fn rotate_secret(
    State(state): State<AppState>,
    principal: Principal,
    actor: Actor,
    Path(id): Path<String>,
) -> Result<Json<ChannelAnswer>, ApiError> {
    let secret = new_signing_secret();
    let rotated = find(&state, &principal.user_id(), &id).await?.with_signing_secret(secret.clone());
    let channel = rotated.ok_or_else(|| ApiError::invalid("kind", "only a webhook has a signing secret"))?;
    save(&state, &channel, &actor).await?;
    Ok(Json(ChannelAnswer::with_secret(&channel, &secret)))
}

/// Sends a message now, and tells what the receiver said. That is an answer, also where it is a bad one.
pub async fn test(
    State(state): State<AppState>,
    principal: Principal,
    Path(id): Path<String>,
) -> Result<Json<TestAnswer>, ApiError> {
    let channel = find(&state, &principal.user_id(), &id).await?;
    let answer = state.notifier.send_test(&state.ledger, &channel, state.clock.now_ms()).await?;
    Ok(Json(TestAnswer { delivered: answer.is_success(), status: answer.status, answer: answer.excerpt() }))
}

pub async fn deliveries(
    State(state): State<AppState>,
    principal: Principal,
    Path(id): Path<String>,
) -> Result<Json<DeliveriesAnswer>, ApiError> {
    let channel = find(&state, &principal.user_id(), &id).await?;
    let deliveries = state.ledger.deliveries(&channel.user_id, &channel.id, LOG_ROWS).await?;
    Ok(Json(DeliveriesAnswer { deliveries: deliveries.into_iter().map(DeliveryAnswer::of).collect() }))
}

/// Begins anew with a delivery that was given up.
pub async fn send_again(
    State(state): State<AppState>,
    principal: Principal,
    Path(id): Path<String>,
) -> Result<StatusCode, ApiError> {
    match state.ledger.send_again(&principal.user_id(), &id, state.clock.now_ms()).await? {
        true => Ok(StatusCode::ACCEPTED),
        false => Err(ApiError::NotFound),
    }
}

async fn find(state: &AppState, user: &UserId, id: &str) -> Result<Channel, ApiError> {
    state.ledger.channel(user, id).await?.ok_or(ApiError::NotFound)
}

async fn save(state: &AppState, channel: &Channel, actor: &Actor) -> Result<(), ApiError> {
    state.notifier.check(channel)?;
    Ok(state.ledger.save_channel(channel, actor, state.clock.now_ms()).await?)
}

impl ChannelAnswer {
    fn of(channel: &Channel) -> Self {
        let mail = match &channel.target {
            Target::Email(mail) => Some(MailAnswer {
                host: mail.host.clone(),
                port: mail.port,
                encryption: mail.encryption.name(),
                username: mail.login.as_ref().map(|login| login.username.clone()),
                from: mail.from.clone(),
                to: mail.to.clone(),
            }),
            _ => None,
        };
        Self {
            id: channel.id.clone(),
            kind: channel.target.kind().name(),
            name: channel.name.clone(),
            target: channel.target.shown(),
            mail,
            min_level: level_name(channel.min_level),
            topics: channel.topics.clone(),
            quiet_from: channel.quiet_hours.map(|hours| hours.begin_text()),
            quiet_to: channel.quiet_hours.map(|hours| hours.end_text()),
            digest: channel.digest.name(),
            time_zone: channel.time_zone.clone(),
            enabled: channel.disabled_at_ms.is_none(),
            disabled_reason: channel.disabled_reason.clone(),
            created_at: Zone::UTC.format_instant(channel.created_at_ms),
            signing_secret: None,
        }
    }

    fn with_secret(channel: &Channel, secret: &Secret) -> Self {
        let is_webhook = matches!(channel.target, Target::Webhook { .. });
        Self { signing_secret: is_webhook.then(|| secret.reveal().to_owned()), ..Self::of(channel) }
    }
}

impl DeliveryAnswer {
    fn of(delivery: Delivery) -> Self {
        let waits = delivery.waits();
        Self {
            id: delivery.id,
            state: delivery.state.name(),
            title: delivery.notification.title,
            level: level_name(delivery.notification.level),
            attempts: delivery.attempts,
            created_at: Zone::UTC.format_instant(delivery.created_at_ms),
            next_attempt_at: waits.then(|| Zone::UTC.format_instant(delivery.next_attempt_at_ms)),
            last_attempt_at: delivery.last_attempt_at_ms.map(|at_ms| Zone::UTC.format_instant(at_ms)),
            last_status: delivery.last_status,
            last_answer: delivery.last_answer,
        }
    }
}

fn read_input(fields: &Map<String, Value>) -> Result<ChannelInput, FieldError> {
    Ok(ChannelInput {
        name: text(fields, "name")?,
        kind: text(fields, "kind")?,
        url: text(fields, "url")?.map(Secret::new),
        host: text(fields, "host")?,
        port: number_as_text(fields, "port")?,
        encryption: text(fields, "encryption")?,
        username: text(fields, "username")?,
        password: text(fields, "password")?.map(Secret::new),
        from: text(fields, "from")?,
        to: texts(fields, "to")?,
        min_level: text(fields, "minLevel")?,
        topics: texts(fields, "topics")?,
        quiet_from: text(fields, "quietFrom")?,
        quiet_to: text(fields, "quietTo")?,
        digest: text(fields, "digest")?,
        time_zone: text(fields, "timeZone")?,
        is_enabled: truth(fields, "enabled")?,
    })
}

fn text(fields: &Map<String, Value>, name: &str) -> Result<Option<String>, FieldError> {
    match fields.get(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(wrong(name, "must be a text")),
    }
}

fn texts(fields: &Map<String, Value>, name: &str) -> Result<Option<Vec<String>>, FieldError> {
    let Some(value) = fields.get(name) else { return Ok(None) };
    let listed = value.as_array().and_then(|items| items.iter().map(|item| Some(item.as_str()?.to_owned())).collect());
    listed.map(Some).ok_or_else(|| wrong(name, "must be a list of texts"))
}

fn number_as_text(fields: &Map<String, Value>, name: &str) -> Result<Option<String>, FieldError> {
    let Some(value) = fields.get(name) else { return Ok(None) };
    value.as_u64().map(|number| Some(number.to_string())).ok_or_else(|| wrong(name, "must be a whole number"))
}

fn truth(fields: &Map<String, Value>, name: &str) -> Result<Option<bool>, FieldError> {
    let Some(value) = fields.get(name) else { return Ok(None) };
    value.as_bool().map(Some).ok_or_else(|| wrong(name, "must be true or false"))
}

fn wrong(field: &str, message: &str) -> FieldError {
    FieldError { field: field.to_owned(), message: message.to_owned() }
}
