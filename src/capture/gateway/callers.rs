//! Whose call it is. What is known of keys costs a call nothing: it is asked for anew beside the calls, early enough that a key
//! that another process revokes stops within a second. Where the ledger does not answer, those who are known pass, and
//! nobody else does.

use super::credential::Caller;
use super::error::GatewayError;
use super::question::{FIRST_WAITS, LEDGER_WAITS, Question};
use crate::domain::api_key::{ApiKey, KeyScope, KeyText};
use crate::domain::usage::UserId;
use crate::ledger::{Known, Ledger, LedgerError, Reliability};
use futures::future::BoxFuture;

pub struct Callers {
    ledger: Ledger,
    question: Question,
}

impl Callers {
    pub fn new(ledger: Ledger) -> Self {
        let asked = ledger.clone();
        let question = Question::about("which keys still work", move |now_ms| {
            let ledger = asked.clone();
            async move { ledger.renew_known_callers(now_ms).await }
        });
        Self { ledger, question }
    }

    /// Who shows this key, or calls without one. `local_user` is who may, as long as nobody needs a key.
    pub async fn find(
        &self,
        shown_key: Option<String>,
        local_user: Option<UserId>,
        now_ms: i64,
    ) -> Result<Caller, GatewayError> {
        let Some(shown) = shown_key else {
            let user_id = local_user.ok_or(GatewayError::KeyMissing)?;
            let needs_key = self.needs_key(now_ms).await?;
            return if needs_key { Err(GatewayError::KeyMissing) } else { Ok(Caller { user_id, api_key_id: None }) };
        };
        // Anything without a key's shape and checksum is refused before the database is asked.
        let text = KeyText::parse(&shown).ok_or(GatewayError::KeyUnknown)?;
        let key = self.key(&text, now_ms).await?.ok_or(GatewayError::KeyUnknown)?;
        if !key.allows(KeyScope::Proxy) {
            return Err(GatewayError::KeyWithoutScope);
        }
        Ok(Caller { user_id: key.user_id, api_key_id: Some(key.id) })
    }

    async fn needs_key(&self, now_ms: i64) -> Result<bool, GatewayError> {
        match self.known(|| self.ledger.known_need_of_key(now_ms), now_ms).await {
            Some(needs_key) => Ok(needs_key),
            None => at_first(self.ledger.needs_key(now_ms)).await,
        }
    }

    async fn key(&self, text: &KeyText, now_ms: i64) -> Result<Option<ApiKey>, GatewayError> {
        match self.known(|| self.ledger.known_key(text, now_ms), now_ms).await {
            Some(key) => Ok(Some(key)),
            None => at_first(self.ledger.authenticate(text, now_ms)).await,
        }
    }

    /// What is known, renewed before it is relied on if it may hold no longer.
    async fn known<T>(&self, known: impl Fn() -> Option<Known<T>> + Sync, now_ms: i64) -> Option<T> {
        let at_first = known()?;
        match at_first.reliability {
            Reliability::Sure => Some(at_first.what),
            Reliability::Due => {
                self.question.ask(now_ms);
                Some(at_first.what)
            }
            Reliability::Old => {
                let is_renewed = || known().is_none_or(|known| known.reliability != Reliability::Old);
                self.question.wait_until(is_renewed, LEDGER_WAITS, now_ms).await;
                known().map(|known| known.what)
            }
        }
    }
}

/// What was never known is waited for, and who cannot be looked up is not let through. Boxed, as it is rare.
fn at_first<'a, T>(
    answer: impl Future<Output = Result<T, LedgerError>> + Send + 'a,
) -> BoxFuture<'a, Result<T, GatewayError>> {
    Box::pin(async move {
        let late = |_| Err(LedgerError::Unavailable("no answer in time".into()));
        tokio::time::timeout(FIRST_WAITS, answer).await.unwrap_or_else(late).map_err(|error| {
            tracing::warn!(%error, "keys cannot be looked up");
            GatewayError::KeysUnavailable
        })
    })
}
