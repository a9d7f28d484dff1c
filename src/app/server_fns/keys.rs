//! Keys: listed, made, revoked. A key's text is in the answer to its making and nowhere else.

use super::codec::Json;
use super::error::AppError;
use crate::domain::api_key::{ApiKey, KeyScope};
use leptos::prelude::*;
use serde::{Deserialize, Serialize};

/// The user's keys, the newest first, with moments as they are shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyList {
    pub keys: Vec<ShownKey>,
    /// IANA name of the zone of the moments.
    pub time_zone: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShownKey {
    pub id: String,
    pub name: String,
    /// `tb_abcd…wxyz`.
    pub shown: String,
    pub scopes: Vec<KeyScope>,
    pub created: String,
    /// To the minute.
    pub last_used: Option<String>,
    pub revoked: Option<String>,
}

/// A new key with its text, which nobody can show again.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewKey {
    pub key: ApiKey,
    pub text: String,
}

/// The user's keys, revoked ones too, the newest first.
///
/// # Errors
/// When the ledger cannot be read.
#[server(prefix = "/_fn", input = Json, output = Json)]
pub async fn get_keys() -> Result<KeyList, AppError> {
    use super::error::refuse;
    use crate::domain::period::{Zone, local_date};
    let state = expect_context::<crate::http::state::AppState>();
    let user = super::principal::principal()?.user_id();
    let budget = state.ledger.budget(&user).await.map_err(refuse)?;
    let zone = Zone::parse(&budget.time_zone).map_err(|error| refuse(error.into()))?;
    let today = local_date(&zone, state.clock.now_ms());
    let moment = |at_ms: i64| crate::app::format::moment(&zone.format_instant(at_ms), today);
    let shown = |key: ApiKey| ShownKey {
        shown: key.shown(),
        created: moment(key.created_at_ms),
        last_used: key.last_used_at_ms.map(moment),
        revoked: key.revoked_at_ms.map(moment),
        id: key.id,
        name: key.name,
        scopes: key.scopes,
    };
    let keys = state.ledger.keys(&user).await.map_err(refuse)?.into_iter().map(shown).collect();
    Ok(KeyList { keys, time_zone: zone.name().into() })
}

/// Makes a key.
///
/// # Errors
/// [`AppError::Invalid`] for a name that is empty, longer than 100 characters or not printable, for no scope, and for who
/// logged in a while ago and does not show their password.
#[server(prefix = "/_fn", input = Json, output = Json)]
pub async fn create_key(
    name: String,
    // A form with no box ticked lacks the field altogether.
    #[server(default)] scopes: Vec<KeyScope>,
    #[server(default)] your_password: String,
) -> Result<NewKey, AppError> {
    use super::error::{answer_with_status, refuse};
    let principal = super::principal::principal()?;
    let invalid = |field: &str, message: &str| {
        answer_with_status(400);
        AppError::Invalid { field: field.into(), message: message.into() }
    };
    let name = ApiKey::check_name(&name).map_err(|problem| invalid("name", problem))?;
    if scopes.is_empty() {
        return Err(invalid("scopes", "choose at least one"));
    }
    super::principal::confirm(&principal, &your_password).await?;
    let state = expect_context::<crate::http::state::AppState>();
    let (user, actor, now_ms) = (principal.user_id(), super::principal::actor()?, state.clock.now_ms());
    let created = state.ledger.create_key(&user, &name, &scopes, &actor, now_ms).await.map_err(refuse)?;
    Ok(NewKey { text: created.text.reveal().to_owned(), key: created.key })
}

/// Ends a key. A plain form is sent back to the page.
///
/// # Errors
/// [`AppError::NotFound`] if no key that works has this id.
#[server(prefix = "/_fn")]
pub async fn revoke_key(id: String) -> Result<(), AppError> {
    use super::error::refuse;
    use super::form::go_on_if;
    let user = super::principal::principal()?.user_id();
    let state = expect_context::<crate::http::state::AppState>();
    let (actor, now_ms) = (super::principal::actor()?, state.clock.now_ms());
    let is_revoked = state.ledger.revoke_key(&user, &id, &actor, now_ms).await.map_err(refuse)?;
    go_on_if(is_revoked, "/keys")
}
