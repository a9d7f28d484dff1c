//! Which prices are in force. They are configuration and in no table; what is kept is a hash, to tell when they are others.

use super::apply::queue_writers;
use super::setting::{setting_in, write_setting};
use super::token::hex;
use super::{Ledger, LedgerError};
use crate::domain::audit::{Actor, AuditAction, AuditNote, AuditTarget, AuditTargetKind};
use sha2::{Digest, Sha256};

const PRICES_NOTED: &str = "prices_noted";

impl Ledger {
    /// Writes into the audit log that other prices are in force than when it was last asked, which `detail` describes.
    /// `cards` is all that makes them up. Says whether they are others.
    pub async fn note_prices(
        &self,
        cards: &str,
        detail: &str,
        actor: &Actor,
        now_ms: i64,
    ) -> Result<bool, LedgerError> {
        let hash: [u8; 32] = Sha256::digest(cards).into();
        let hash = hex(&hash);
        let mut change = self.begin_change(actor, now_ms).await?;
        queue_writers(change.tx()).await?;
        if setting_in(change.tx(), PRICES_NOTED).await?.as_deref() == Some(&*hash) {
            return Ok(false);
        }
        write_setting(change.tx(), PRICES_NOTED, &hash).await?;
        let target = AuditTarget::new(AuditTargetKind::Prices, "", "");
        change.commit(AuditNote::new(AuditAction::PricesChanged, target, detail)).await?;
        Ok(true)
    }
}
