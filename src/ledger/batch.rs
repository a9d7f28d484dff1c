//! Message batches: whose each of them is, and so whose its results are. The first claim holds. docs/decisions/0018 has
//! the reasons.

use super::apply::queue_writers;
use super::db::{Tx, with_reader, with_tx};
use super::erasure::erased_users;
use super::{Ledger, LedgerError};
use crate::domain::usage::{CallContext, UsageRecord, UserId};
use serde::{Deserialize, Serialize};

/// The provider keeps results for 29 days after a batch was created. Those fetched last may then wait in a spool.
const KEPT_MS: i64 = 60 * 24 * 60 * 60 * 1000;

/// Whose a batch is, and what its results belong to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BatchOwner {
    pub user_id: UserId,
    pub api_key_id: Option<String>,
    /// That of the request which created the batch: project, agent, conversation, session and tags.
    pub context: CallContext,
}

/// Somebody has created a batch, or fetches its results.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BatchClaim {
    /// The provider's id of it.
    pub batch_id: String,
    pub owner: BatchOwner,
    pub at_ms: i64,
}

impl BatchOwner {
    /// A result, whoever fetched it, as the owner's.
    #[must_use]
    pub fn own(&self, result: UsageRecord) -> UsageRecord {
        let context = CallContext {
            tools_used: result.context.tools_used,
            request_id: result.context.request_id,
            message_id: result.context.message_id,
            ..self.context.clone()
        };
        UsageRecord { user_id: self.user_id.clone(), api_key_id: self.api_key_id.clone(), context, ..result }
    }
}

impl Ledger {
    /// Makes the batch that of who claims it, unless it is somebody's. Says whose it is. A batch of somebody who was
    /// erased is nobody's, and a claim of theirs is not written. With each claim that is, those older by 60 days leave
    /// the ledger.
    pub async fn claim_batch(&self, claim: &BatchClaim) -> Result<BatchOwner, LedgerError> {
        let known: Option<OwnerRow> =
            with_reader!(&self.db, |pool| { sqlx::query_as(OWNER).bind(&claim.batch_id).fetch_optional(pool).await? });
        if let Some(owner) = known {
            return owner.try_into();
        }
        let mut tx = self.db.begin().await?;
        queue_writers(&mut tx).await?;
        if erased_users(&mut tx).await?.contains(&claim.owner.user_id.0) {
            return Ok(claim.owner.clone());
        }
        insert(&mut tx, claim).await?;
        let owner: OwnerRow = with_tx!(&mut tx, |connection| {
            sqlx::query_as(OWNER).bind(&claim.batch_id).fetch_one(connection).await?
        });
        tx.commit().await?;
        owner.try_into()
    }
}

const OWNER: &str = "select b.user_id, b.api_key_id, b.conversation_id, b.agent_slug, b.session_id, b.project, b.tags \
    from message_batch b where b.id = $1 and not exists (select 1 from erased_user e where e.user_id = b.user_id)";

/// Does nothing if the batch is somebody's.
async fn insert(tx: &mut Tx, claim: &BatchClaim) -> Result<(), LedgerError> {
    let BatchClaim { batch_id, owner, at_ms } = claim;
    with_tx!(tx, |connection| {
        sqlx::query(
            "delete from message_batch where claimed_at_ms < $1 \
             or (id = $2 and user_id in (select user_id from erased_user))",
        )
        .bind(at_ms.saturating_sub(KEPT_MS))
        .bind(batch_id)
        .execute(&mut *connection)
        .await?;
        sqlx::query(
            "insert into message_batch (user_id, id, api_key_id, conversation_id, agent_slug, session_id, project, \
             tags, claimed_at_ms) values ($1, $2, $3, $4, $5, $6, $7, $8, $9) on conflict do nothing",
        )
        .bind(&owner.user_id.0)
        .bind(batch_id)
        .bind(&owner.api_key_id)
        .bind(&owner.context.conversation_id)
        .bind(&owner.context.agent_slug)
        .bind(&owner.context.session_id)
        .bind(&owner.context.project)
        .bind(serde_json::Value::from(owner.context.tags.clone()).to_string())
        .bind(at_ms)
        .execute(&mut *connection)
        .await?;
    });
    Ok(())
}

#[derive(sqlx::FromRow)]
struct OwnerRow {
    user_id: String,
    api_key_id: Option<String>,
    conversation_id: Option<String>,
    agent_slug: Option<String>,
    session_id: Option<String>,
    project: Option<String>,
    tags: String,
}

impl TryFrom<OwnerRow> for BatchOwner {
    type Error = LedgerError;

    fn try_from(row: OwnerRow) -> Result<Self, LedgerError> {
        let tags = serde_json::from_str(&row.tags).map_err(|_| LedgerError::OutOfRange("message_batch.tags"))?;
        let context = CallContext {
            conversation_id: row.conversation_id,
            agent_slug: row.agent_slug,
            session_id: row.session_id,
            project: row.project,
            tags,
            ..CallContext::default()
        };
        Ok(Self { user_id: UserId(row.user_id), api_key_id: row.api_key_id, context })
    }
}
