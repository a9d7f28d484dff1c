//! What the page of channels asks for: the channels with their logs, and to make, change, test and delete one.

use super::codec::Json;
use super::error::AppError;
use crate::app::state::channel_form::{ChannelFault, ChannelForm};
use crate::domain::channel::ChannelKind;
use crate::domain::delivery::DeliveryState;
use leptos::prelude::*;
use serde::{Deserialize, Serialize};

/// The user's channels, with moments as they are shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChannelList {
    pub channels: Vec<ShownChannel>,
    /// IANA name of the zone of the moments.
    pub time_zone: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShownChannel {
    pub kind: ChannelKind,
    /// Without what is secret in it.
    pub target: String,
    pub form: ChannelForm,
    pub disabled_reason: Option<String>,
    /// The newest first.
    pub log: Vec<ShownDelivery>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShownDelivery {
    pub id: String,
    pub title: String,
    pub state: DeliveryState,
    pub attempts: u32,
    pub created: String,
    /// When it is tried next, while it waits.
    pub next: Option<String>,
    pub status: Option<u16>,
    pub answer: Option<String>,
}

/// The form as the page first shows it, with what is wrong in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChannelDraft {
    pub form: ChannelForm,
    pub fault: Option<ChannelFault>,
}

/// Which form the page's address asks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum WantedForm {
    /// What was entered and could not be taken.
    Entered(Box<ChannelForm>),
    /// That of a channel, by its id.
    Of(String),
    /// An empty one.
    New(ChannelKind),
}

/// Deliveries that a channel's log shows on the page.
#[cfg(feature = "ssr")]
const LOG_ROWS: u32 = 10;

/// The user's channels, each with its newest deliveries.
///
/// # Errors
/// When the ledger cannot be read.
#[server(prefix = "/_fn", input = Json, output = Json)]
pub async fn get_channels() -> Result<ChannelList, AppError> {
    use super::error::refuse;
    use crate::domain::delivery::Delivery;
    use crate::domain::period::{Zone, local_date};
    let state = expect_context::<crate::http::state::AppState>();
    let user = super::principal::principal()?.user_id();
    let budget = state.ledger.budget(&user).await.map_err(refuse)?;
    let zone = Zone::parse(&budget.time_zone).map_err(|error| refuse(error.into()))?;
    let today = local_date(&zone, state.clock.now_ms());
    let moment = |at_ms: i64| crate::app::format::moment(&zone.format_instant(at_ms), today);
    let shown = |delivery: Delivery| ShownDelivery {
        next: delivery.waits().then(|| moment(delivery.next_attempt_at_ms)),
        created: moment(delivery.created_at_ms),
        id: delivery.id,
        title: delivery.notification.title,
        state: delivery.state,
        attempts: delivery.attempts,
        status: delivery.last_status,
        answer: delivery.last_answer,
    };
    let mut channels = Vec::new();
    for channel in state.ledger.channels(&user).await.map_err(refuse)? {
        let log = state.ledger.deliveries(&user, &channel.id, LOG_ROWS).await.map_err(refuse)?;
        channels.push(ShownChannel {
            kind: channel.target.kind(),
            target: channel.target.shown(),
            form: ChannelForm::of(&channel),
            disabled_reason: channel.disabled_at_ms.map(|_| channel.disabled_reason.unwrap_or_default()),
            log: log.into_iter().map(shown).collect(),
        });
    }
    Ok(ChannelList { channels, time_zone: zone.name().into() })
}

/// The form that the page's address asks for. Of one that could not be taken the secrets are gone, so only what is wrong
/// beside them can be told again.
///
/// # Errors
/// When the ledger cannot be read.
#[server(prefix = "/_fn", input = Json, output = Json)]
pub async fn get_channel_draft(wanted: WantedForm) -> Result<ChannelDraft, AppError> {
    use super::error::refuse;
    let state = expect_context::<crate::http::state::AppState>();
    let user = super::principal::principal()?.user_id();
    let zone = state.ledger.time_zone();
    let form = match wanted {
        WantedForm::Entered(form) => {
            let fault = fault_beside_secrets(&form).unwrap_or_else(|| ChannelFault {
                field: if form.kind == "email" { "password" } else { "url" }.into(),
                message: "could not be taken: type it in again".into(),
            });
            return Ok(ChannelDraft { form: *form, fault: Some(fault) });
        }
        WantedForm::Of(id) => {
            let channel = state.ledger.channel(&user, &id).await.map_err(refuse)?;
            channel.map_or_else(|| ChannelForm::blank("slack", zone.name()), |channel| ChannelForm::of(&channel))
        }
        WantedForm::New(kind) => ChannelForm::blank(kind.name(), zone.name()),
    };
    Ok(ChannelDraft { form, fault: None })
}

/// Makes a channel, or changes the one whose id the form has. An empty address or password stays as it is. Gives a new
/// webhook's signing secret. A plain form is sent back to its page, with what was entered if that could not be taken.
///
/// # Errors
/// [`AppError::Invalid`] names the field as the API does.
#[server(prefix = "/_fn")]
pub async fn save_channel(
    form: ChannelForm,
    #[server(default)] url: String,
    #[server(default)] password: String,
) -> Result<Option<String>, AppError> {
    use super::error::{answer_with_status, refuse};
    use super::form::go_on_to;
    use crate::app::state::channel_form::SAVED_HREF;
    use crate::domain::channel::Target;
    use crate::watch::notify::webhook::new_signing_secret;
    let state = expect_context::<crate::http::state::AppState>();
    let user = super::principal::principal()?.user_id();
    let now_ms = state.clock.now_ms();
    let input = form.to_input(&url, &password);
    let before = match form.id.as_str() {
        "" => None,
        id => state.ledger.channel(&user, id).await.map_err(refuse)?,
    };
    let parsed = match &before {
        Some(before) => input.change(before, now_ms),
        None => {
            let (id, zone) = (uuid::Uuid::now_v7().to_string(), state.ledger.time_zone());
            input.make(&user, id, &zone, new_signing_secret(), now_ms)
        }
    };
    let channel = match parsed.and_then(|channel| state.notifier.check(&channel).map(|()| channel)) {
        Ok(channel) => channel,
        Err(error) => {
            answer_with_status(400);
            go_on_to(&form.to_href());
            return Err(error.into());
        }
    };
    let actor = super::principal::actor()?;
    state.ledger.save_channel(&channel, &actor, state.clock.now_ms()).await.map_err(refuse)?;
    go_on_to(SAVED_HREF);
    Ok(match channel.target {
        Target::Webhook { signing_secrets, .. } if before.is_none() => {
            signing_secrets.first().map(|secret| secret.reveal().to_owned())
        }
        _ => None,
    })
}

/// Sends a message to a channel now; its log then has what the receiver said. A plain form is sent back to the page.
///
/// # Errors
/// [`AppError::NotFound`] if there is no such channel.
#[server(prefix = "/_fn")]
pub async fn test_channel(id: String) -> Result<(), AppError> {
    use super::error::{refuse, refused};
    use super::form::go_on_to;
    let state = expect_context::<crate::http::state::AppState>();
    let user = super::principal::principal()?.user_id();
    let Some(channel) = state.ledger.channel(&user, &id).await.map_err(refuse)? else {
        return Err(refused(AppError::NotFound));
    };
    state.notifier.send_test(&state.ledger, &channel, state.clock.now_ms()).await.map_err(refuse)?;
    go_on_to("/alerts/channels");
    Ok(())
}

/// Switches a channel off, or on again. A plain form is sent back to the page.
///
/// # Errors
/// [`AppError::NotFound`] if there is no such channel.
#[server(prefix = "/_fn")]
pub async fn switch_channel(id: String, is_enabled: bool) -> Result<(), AppError> {
    use super::error::{refuse, refused};
    use super::form::go_on_to;
    use crate::domain::channel::input::ChannelInput;
    let state = expect_context::<crate::http::state::AppState>();
    let user = super::principal::principal()?.user_id();
    let Some(channel) = state.ledger.channel(&user, &id).await.map_err(refuse)? else {
        return Err(refused(AppError::NotFound));
    };
    let switched = ChannelInput { is_enabled: Some(is_enabled), ..ChannelInput::default() };
    let channel = switched.change(&channel, state.clock.now_ms()).map_err(|error| refuse(error.into()))?;
    let actor = super::principal::actor()?;
    state.ledger.save_channel(&channel, &actor, state.clock.now_ms()).await.map_err(refuse)?;
    go_on_to("/alerts/channels");
    Ok(())
}

/// Deletes a channel with its secrets and its log. A plain form is sent back to the page.
///
/// # Errors
/// [`AppError::NotFound`] if there is no such channel.
#[server(prefix = "/_fn")]
pub async fn delete_channel(id: String) -> Result<(), AppError> {
    use super::error::refuse;
    use super::form::go_on_if;
    let state = expect_context::<crate::http::state::AppState>();
    let user = super::principal::principal()?.user_id();
    let (actor, now_ms) = (super::principal::actor()?, state.clock.now_ms());
    let is_deleted = state.ledger.delete_channel(&user, &id, &actor, now_ms).await.map_err(refuse)?;
    go_on_if(is_deleted, "/alerts/channels")
}

/// Makes another signing secret of a webhook and gives it, this once. The one before signs too, until the next change.
///
/// # Errors
/// [`AppError::NotFound`] if there is no such webhook.
#[server(prefix = "/_fn", input = Json, output = Json)]
pub async fn rotate_signing_secret(id: String) -> Result<String, AppError> {
    use super::error::{refuse, refused};
    use crate::watch::notify::webhook::new_signing_secret;
    let state = expect_context::<crate::http::state::AppState>();
    let user = super::principal::principal()?.user_id();
    let channel = state.ledger.channel(&user, &id).await.map_err(refuse)?;
    let secret = new_signing_secret();
    let Some(channel) = channel.and_then(|channel| channel.with_signing_secret(secret.clone())) else {
        return Err(refused(AppError::NotFound));
    };
    let actor = super::principal::actor()?;
    state.ledger.save_channel(&channel, &actor, state.clock.now_ms()).await.map_err(refuse)?;
    Ok(secret.reveal().to_owned())
}

/// Begins anew with a delivery that was given up. A plain form is sent back to the page.
///
/// # Errors
/// [`AppError::NotFound`] if it was not given up, or its channel is switched off.
#[server(prefix = "/_fn")]
pub async fn send_delivery_again(id: String) -> Result<(), AppError> {
    use super::error::refuse;
    use super::form::go_on_if;
    let state = expect_context::<crate::http::state::AppState>();
    let user = super::principal::principal()?.user_id();
    let is_begun = state.ledger.send_again(&user, &id, state.clock.now_ms()).await.map_err(refuse)?;
    go_on_if(is_begun, "/alerts/channels")
}

/// What is wrong in a form whose secrets are taken to be right.
#[cfg(feature = "ssr")]
fn fault_beside_secrets(form: &ChannelForm) -> Option<ChannelFault> {
    use crate::domain::period::Zone;
    use crate::domain::secret::Secret;
    use crate::domain::usage::UserId;
    let input = form.to_input("https://example.com/", "example");
    // Nothing of it depends on whose it is.
    let parsed = input.make(&UserId(String::new()), String::new(), &Zone::UTC, Secret::new("whsec_"), 0);
    let error = parsed.and_then(|channel| match &channel.target {
        crate::domain::channel::Target::Email(mail) => crate::watch::notify::mail::check(mail),
        _ => Ok(()),
    });
    error.err().map(|error| ChannelFault { field: error.field.into(), message: error.message })
}
