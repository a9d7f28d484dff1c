//! Budgets as set by users, and what a period has spent against one. How a report shows it is a question for `usage`.

use super::db::{with_reader, with_tx};
use super::rollup::{EVERYONE, QUARTER};
use super::{Ledger, LedgerError};
use crate::domain::budget::{AtLimit, Budget, BudgetScope, DEFAULT_BUDGET, NamedBudget, Raise};
use crate::domain::money::NanoUsd;
use crate::domain::period::Interval;
use crate::domain::query::QueryError;
use crate::domain::usage::UserId;
use sqlx::QueryBuilder;
use std::sync::atomic::Ordering;

macro_rules! budget_columns {
    () => {
        "user_id, id, name, scope, scope_id, model, period, limit_nano_usd, thresholds, time_zone, at_limit, \
         raised_limit_nano_usd, raised_until_ms"
    };
}

/// Narrows a query on rollups `r` with their series `s` down to the calls that a budget counts; a macro, because the
/// builder's type differs with the database.
macro_rules! push_counted {
    ($select:expr, $budget:expr) => {
        match &$budget.scope {
            BudgetScope::ApiKey(id) => drop($select.push(" and s.api_key_id = ").push_bind(id)),
            BudgetScope::Project(project) => drop($select.push(" and s.project = ").push_bind(project)),
            BudgetScope::User | BudgetScope::Everyone => {}
        }
        if let Some(model) = &$budget.model {
            $select.push(" and (s.model = ").push_bind(model);
            $select.push(" or s.model_family = ").push_bind(model).push(")");
        }
    };
}
pub(super) use push_counted;

impl Ledger {
    /// The user's budget, or the default one in the instance's zone.
    pub async fn budget(&self, user: &UserId) -> Result<Budget, LedgerError> {
        let Some(stored) = self.budget_by_id(user, DEFAULT_BUDGET).await? else {
            return Ok(Budget::default_in(&self.time_zone()));
        };
        let thresholds = stored.thresholds.try_into().map_err(|_| LedgerError::OutOfRange("budget.thresholds"))?;
        Ok(Budget { monthly_limit: stored.limit, thresholds, time_zone: stored.time_zone, at_limit: stored.at_limit })
    }

    /// Sets the user's budget. `now_ms` is kept as the time of the change.
    pub async fn save_budget(&self, user: &UserId, budget: &Budget, now_ms: i64) -> Result<(), LedgerError> {
        self.save_named_budget(&NamedBudget::of_default(user, budget), now_ms).await
    }

    /// The user's budgets: the one that everybody has, then the others in the order in which they were made.
    pub async fn budgets(&self, user: &UserId) -> Result<Vec<NamedBudget>, LedgerError> {
        let rows: Vec<BudgetRow> = with_reader!(&self.db, |pool| {
            sqlx::query_as(concat!(
                "select ",
                budget_columns!(),
                " from budget where user_id = $1 and id <> $2 order by id"
            ))
            .bind(&user.0)
            .bind(DEFAULT_BUDGET)
            .fetch_all(pool)
            .await?
        });
        let first = NamedBudget::of_default(user, &self.budget(user).await?);
        std::iter::once(Ok(first)).chain(rows.into_iter().map(NamedBudget::try_from)).collect()
    }

    /// Every budget of everybody that blocks.
    pub async fn blocking_budgets(&self) -> Result<Vec<NamedBudget>, LedgerError> {
        let rows: Vec<BudgetRow> = with_reader!(&self.db, |pool| {
            sqlx::query_as(concat!(
                "select ",
                budget_columns!(),
                " from budget where at_limit = $1 order by user_id, id"
            ))
            .bind(AtLimit::Block.name())
            .fetch_all(pool)
            .await?
        });
        rows.into_iter().map(NamedBudget::try_from).collect()
    }

    pub async fn budget_by_id(&self, user: &UserId, id: &str) -> Result<Option<NamedBudget>, LedgerError> {
        let row: Option<BudgetRow> = with_reader!(&self.db, |pool| {
            sqlx::query_as(concat!("select ", budget_columns!(), " from budget where user_id = $1 and id = $2"))
                .bind(&user.0)
                .bind(id)
                .fetch_optional(pool)
                .await?
        });
        row.map(NamedBudget::try_from).transpose()
    }

    /// Sets one of the budgets. `now_ms` is kept as the time of the change.
    ///
    /// # Errors
    /// A field is wrong, or the scope is a key that can make no calls ([`LedgerError::Query`]).
    pub async fn save_named_budget(&self, budget: &NamedBudget, now_ms: i64) -> Result<(), LedgerError> {
        budget.check()?;
        if let BudgetScope::ApiKey(id) = &budget.scope {
            self.check_reachable(&budget.user_id, id).await?;
        }
        let mut tx = self.db.begin().await?;
        with_tx!(&mut tx, |connection| {
            sqlx::query(concat!(
                "insert into budget (",
                budget_columns!(),
                ", updated_at_ms) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14) \
                 on conflict (user_id, id) do update set name = excluded.name, scope = excluded.scope, \
                 scope_id = excluded.scope_id, model = excluded.model, period = excluded.period, \
                 limit_nano_usd = excluded.limit_nano_usd, thresholds = excluded.thresholds, \
                 time_zone = excluded.time_zone, at_limit = excluded.at_limit, \
                 raised_limit_nano_usd = excluded.raised_limit_nano_usd, \
                 raised_until_ms = excluded.raised_until_ms, updated_at_ms = excluded.updated_at_ms",
            ))
            .bind(&budget.user_id.0)
            .bind(&budget.id)
            .bind(budget.name.trim())
            .bind(budget.scope.name())
            .bind(budget.scope.id())
            .bind(&budget.model)
            .bind(budget.period.name())
            .bind(budget.limit.0)
            .bind(serde_json::Value::from(budget.thresholds.clone()).to_string())
            .bind(&budget.time_zone)
            .bind(budget.at_limit.name())
            .bind(budget.raise.map(|raise| raise.limit.0))
            .bind(budget.raise.map(|raise| raise.until_ms))
            .bind(now_ms)
            .execute(connection)
            .await?;
        });
        tx.commit().await?;
        self.note_budget_changed(&budget.user_id);
        Ok(())
    }

    /// Deletes one of the user's budgets; the default one goes back to what it is unless changed. Says whether it was
    /// there.
    pub async fn delete_budget(&self, user: &UserId, id: &str) -> Result<bool, LedgerError> {
        let mut tx = self.db.begin().await?;
        let deleted = with_tx!(&mut tx, |connection| {
            sqlx::query("delete from budget where user_id = $1 and id = $2")
                .bind(&user.0)
                .bind(id)
                .execute(connection)
                .await?
                .rows_affected()
        });
        tx.commit().await?;
        self.note_budget_changed(user);
        Ok(deleted > 0)
    }

    /// What the calls that a budget counts have cost in a span of whole quarter hours.
    pub async fn spent_of(&self, budget: &NamedBudget, interval: Interval) -> Result<NanoUsd, LedgerError> {
        let owner = if budget.scope == BudgetScope::Everyone { EVERYONE } else { &budget.user_id.0 };
        let spent: i64 = with_reader!(&self.db, |pool| {
            let mut select = QueryBuilder::new(
                "select cast(coalesce(sum(r.cost_nano_usd), 0) as bigint) from usage_rollup r \
                 join series s on s.user_id = r.user_id and s.id = r.series_id where r.user_id = ",
            );
            select.push_bind(owner).push(" and r.grain = ").push_bind(QUARTER);
            select.push(" and r.bucket_at_ms >= ").push_bind(interval.start_ms);
            select.push(" and r.bucket_at_ms < ").push_bind(interval.end_ms);
            push_counted!(select, budget);
            select.build_query_scalar().fetch_one(pool).await?
        });
        Ok(NanoUsd(spent))
    }

    /// A number that is another one after every change of a budget in this process.
    pub fn budget_version(&self) -> u64 {
        self.budget_version.load(Ordering::Acquire)
    }

    fn note_budget_changed(&self, user: &UserId) {
        self.budget_version.fetch_add(1, Ordering::Release);
        self.note_moved([user]);
    }

    /// A budget that no call can reach would promise what it never does.
    async fn check_reachable(&self, user: &UserId, key_id: &str) -> Result<(), LedgerError> {
        let keys = self.keys(user).await?;
        let problem = match keys.iter().find(|key| key.id == key_id) {
            Some(key) if key.revoked_at_ms.is_none() => return Ok(()),
            Some(_) => "is a revoked key: no call can reach this budget",
            None => "is none of your keys: no call can reach this budget",
        };
        Err(QueryError::new("scopeId", problem).into())
    }
}

#[derive(sqlx::FromRow)]
struct BudgetRow {
    user_id: String,
    id: String,
    name: String,
    scope: String,
    scope_id: String,
    model: Option<String>,
    period: String,
    limit_nano_usd: i64,
    thresholds: String,
    time_zone: String,
    at_limit: String,
    raised_limit_nano_usd: Option<i64>,
    raised_until_ms: Option<i64>,
}

impl TryFrom<BudgetRow> for NamedBudget {
    type Error = LedgerError;

    fn try_from(row: BudgetRow) -> Result<Self, LedgerError> {
        let raise = row.raised_limit_nano_usd.zip(row.raised_until_ms);
        Ok(Self {
            user_id: UserId(row.user_id),
            id: row.id,
            name: row.name,
            scope: BudgetScope::parse(&row.scope, &row.scope_id)
                .map_err(|_| LedgerError::OutOfRange("budget.scope"))?,
            model: row.model,
            period: row.period.parse().map_err(|_| LedgerError::OutOfRange("budget.period"))?,
            limit: NanoUsd(row.limit_nano_usd),
            thresholds: serde_json::from_str(&row.thresholds)
                .map_err(|_| LedgerError::OutOfRange("budget.thresholds"))?,
            time_zone: row.time_zone,
            at_limit: AtLimit::parse(&row.at_limit)?,
            raise: raise.map(|(limit, until_ms)| Raise { limit: NanoUsd(limit), until_ms }),
        })
    }
}
