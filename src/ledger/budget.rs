//! Budgets as set by users, and what a period has spent against one. How a report shows it is a question for `usage`.

use super::apply::queue_writers;
use super::db::{with_reader, with_tx};
use super::rollup::{EVERYONE, QUARTER, summed};
use super::{Ledger, LedgerError};
use crate::domain::account::Role;
use crate::domain::audit::{Actor, AuditAction, AuditNote, AuditTarget, AuditTargetKind};
use crate::domain::budget::{AtLimit, Budget, BudgetScope, DEFAULT_BUDGET, DaySpend, NamedBudget, Raise};
use crate::domain::money::{NanoUsd, format_cost};
use crate::domain::period::{Interval, Zone, local_date};
use crate::domain::price::{ModelName, PriceBook};
use crate::domain::query::{Aggregation, QueryError};
use crate::domain::usage::UserId;
use sqlx::QueryBuilder;
use std::sync::atomic::Ordering;

macro_rules! budget_columns {
    () => {
        "user_id, id, name, scope, scope_id, model, period, limit_nano_usd, thresholds, time_zone, at_limit, \
         raised_limit_nano_usd, raised_until_ms"
    };
}

/// Narrows a query on rollups `r` and their series `s` down to what a budget counts; a macro, because the builder's type
/// differs with the database.
macro_rules! push_counted {
    ($select:expr, $budget:expr, $interval:expr, $models:expr) => {
        $select.push(" and r.bucket_at_ms >= ").push_bind($interval.start_ms);
        $select.push(" and r.bucket_at_ms < ").push_bind($interval.end_ms);
        match &$budget.scope {
            BudgetScope::ApiKey(id) => drop($select.push(" and s.api_key_id = ").push_bind(id)),
            BudgetScope::Project(project) => drop($select.push(" and s.project = ").push_bind(project)),
            BudgetScope::User | BudgetScope::Everyone => {}
        }
        if let Some(models) = $models {
            $select.push(" and s.model in (");
            let mut list = $select.separated(", ");
            for model in models {
                list.push_bind(model);
            }
            $select.push(")");
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
    pub async fn save_budget(
        &self,
        user: &UserId,
        budget: &Budget,
        actor: &Actor,
        now_ms: i64,
    ) -> Result<(), LedgerError> {
        self.write_budget(&NamedBudget::of_default(user, budget), actor, now_ms).await
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

    /// Every budget that counts everybody's calls, whoever has set it.
    pub(super) async fn budgets_of_everyone(&self) -> Result<Vec<NamedBudget>, LedgerError> {
        let rows: Vec<BudgetRow> = with_reader!(&self.db, |pool| {
            sqlx::query_as(concat!("select ", budget_columns!(), " from budget where scope = $1 order by user_id, id"))
                .bind(BudgetScope::Everyone.name())
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
    /// A field is wrong, the user may not limit everyone, or no call can reach the budget: its scope is a key that can make
    /// none, or its model is in no price card and no recorded event ([`LedgerError::Query`]).
    pub async fn save_named_budget(
        &self,
        budget: &NamedBudget,
        prices: &PriceBook,
        actor: &Actor,
        now_ms: i64,
    ) -> Result<(), LedgerError> {
        self.check_budget(budget, prices).await?;
        self.write_budget(budget, actor, now_ms).await
    }

    /// Whether [`Ledger::save_named_budget`] would take it.
    ///
    /// # Errors
    /// Those of saving it.
    pub async fn check_budget(&self, budget: &NamedBudget, prices: &PriceBook) -> Result<(), LedgerError> {
        budget.check()?;
        self.check_scope(budget).await?;
        self.check_model(budget, prices).await
    }

    async fn write_budget(&self, budget: &NamedBudget, actor: &Actor, now_ms: i64) -> Result<(), LedgerError> {
        budget.check()?;
        let mut change = self.begin_change(actor, now_ms).await?;
        queue_writers(change.tx()).await?;
        let former: Option<BudgetRow> = with_tx!(change.tx(), |connection| {
            sqlx::query_as(concat!("select ", budget_columns!(), " from budget where user_id = $1 and id = $2"))
                .bind(&budget.user_id.0)
                .bind(&budget.id)
                .fetch_optional(&mut *connection)
                .await?
        });
        let former = former.map(NamedBudget::try_from).transpose()?;
        with_tx!(change.tx(), |connection| {
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
        self.sign_moved(change.tx(), &[&budget.user_id]).await?;
        change.commit(note_of(budget, former.as_ref())).await?;
        self.note_budget_changed(&budget.user_id);
        Ok(())
    }

    /// Deletes one of the user's budgets; the default one goes back to what it is unless changed. Says whether it was
    /// there.
    pub async fn delete_budget(
        &self,
        user: &UserId,
        id: &str,
        actor: &Actor,
        now_ms: i64,
    ) -> Result<bool, LedgerError> {
        let mut change = self.begin_change(actor, now_ms).await?;
        queue_writers(change.tx()).await?;
        let name: Option<String> = with_tx!(change.tx(), |connection| {
            sqlx::query_scalar("delete from budget where user_id = $1 and id = $2 returning name")
                .bind(&user.0)
                .bind(id)
                .fetch_optional(connection)
                .await?
        });
        let Some(name) = name else { return Ok(false) };
        self.sign_moved(change.tx(), &[user]).await?;
        let target = AuditTarget::new(AuditTargetKind::Budget, id, name);
        change.commit(AuditNote::new(AuditAction::BudgetDeleted, target, "")).await?;
        self.note_budget_changed(user);
        Ok(true)
    }

    /// What the calls that a budget counts have cost in a span of whole quarter hours.
    pub async fn spent_of(&self, budget: &NamedBudget, interval: Interval) -> Result<NanoUsd, LedgerError> {
        let owner = owner_of(budget);
        let models = self.counted_models(budget).await?;
        let spent: i64 = with_reader!(&self.db, |pool| {
            let mut select = QueryBuilder::new(
                "select cast(coalesce(sum(r.cost_nano_usd), 0) as bigint) from usage_rollup r \
                 join series s on s.user_id = r.user_id and s.id = r.series_id where r.user_id = ",
            );
            select.push_bind(owner).push(" and r.grain = ").push_bind(QUARTER);
            push_counted!(select, budget, interval, &models);
            select.build_query_scalar().fetch_one(pool).await?
        });
        Ok(NanoUsd(spent))
    }

    /// What the calls that a budget counts have cost on each day of its zone, in order; days without calls are left out.
    /// The span begins and ends with a day.
    pub async fn days_of(&self, budget: &NamedBudget, interval: Interval) -> Result<Vec<DaySpend>, LedgerError> {
        let zone = Zone::parse(&budget.time_zone)?;
        let models = self.counted_models(budget).await?;
        let rows: Vec<(i64, i64, i64)> = with_reader!(&self.db, |pool| {
            let mut select = QueryBuilder::new(concat!(
                "select r.bucket_at_ms, ",
                summed!("cost_nano_usd"),
                ", ",
                summed!("unpriced_calls"),
                " from usage_rollup r join series s on s.user_id = r.user_id and s.id = r.series_id where r.user_id = "
            ));
            select.push_bind(owner_of(budget));
            select.push(" and r.grain = ").push_bind(self.grain_for(&zone, Aggregation::Daily));
            push_counted!(select, budget, interval, &models);
            select.push(" group by r.bucket_at_ms order by r.bucket_at_ms");
            select.build_query_as().fetch_all(pool).await?
        });
        let mut days: Vec<DaySpend> = Vec::new();
        for (at_ms, cost, unpriced) in rows {
            let (date, cost) = (local_date(&zone, at_ms), NanoUsd(cost));
            let unpriced_calls = u64::try_from(unpriced).map_err(|_| LedgerError::OutOfRange("a count of calls"))?;
            match days.last_mut().filter(|last| last.date == date) {
                Some(last) => {
                    last.cost = last.cost.checked_add(cost).ok_or(LedgerError::OutOfRange("a sum of costs"))?;
                    last.unpriced_calls += unpriced_calls;
                }
                None => days.push(DaySpend { date, cost, unpriced_calls }),
            }
        }
        Ok(days)
    }

    /// A number that is another one after every change of a budget in this process.
    pub fn budget_version(&self) -> u64 {
        self.budget_version.load(Ordering::Acquire)
    }

    pub(super) fn note_budget_changed(&self, user: &UserId) {
        self.budget_version.fetch_add(1, Ordering::Release);
        self.note_moved([user]);
    }

    /// The ids of the models that a budget counts, as they were recorded; none: all models.
    pub(super) async fn counted_models(&self, budget: &NamedBudget) -> Result<Option<Vec<String>>, LedgerError> {
        let Some(filter) = budget.model_filter() else { return Ok(None) };
        let recorded: Vec<String> = with_reader!(&self.db, |pool| {
            sqlx::query_scalar("select distinct model from series where user_id = $1")
                .bind(owner_of(budget))
                .fetch_all(pool)
                .await?
        });
        let counted = recorded.into_iter().filter(|model| filter.means(&ModelName::of(model)));
        // The empty id is no model's, and keeps the list from being empty: `in ()` is not SQL.
        Ok(Some(counted.chain([String::new()]).collect()))
    }

    /// A budget that no call can reach would promise what it never does, and one of everyone's reaches others.
    async fn check_scope(&self, budget: &NamedBudget) -> Result<(), LedgerError> {
        let user = &budget.user_id;
        let key_id = match &budget.scope {
            BudgetScope::User | BudgetScope::Project(_) => return Ok(()),
            BudgetScope::Everyone if self.role_of(user).await?.is_some_and(Role::sees_everyone) => return Ok(()),
            BudgetScope::Everyone => {
                return Err(QueryError::new("scope", "everyone's calls are limited by an owner or an admin").into());
            }
            BudgetScope::ApiKey(id) => id,
        };
        let keys = self.keys(user).await?;
        let problem = match keys.iter().find(|key| key.id == *key_id) {
            Some(key) if key.revoked_at_ms.is_none() => return Ok(()),
            Some(_) => "is a revoked key: no call can reach this budget",
            None => "is none of your keys: no call can reach this budget",
        };
        Err(QueryError::new("scopeId", problem).into())
    }

    async fn check_model(&self, budget: &NamedBudget, prices: &PriceBook) -> Result<(), LedgerError> {
        let Some(filter) = budget.model_filter() else { return Ok(()) };
        let is_recorded = self.counted_models(budget).await?.is_some_and(|ids| ids.iter().any(|id| !id.is_empty()));
        if is_recorded || prices.knows(&filter) {
            return Ok(());
        }
        let problem = "is in no price card and in no recorded call: no call can reach this budget";
        Err(QueryError::new("model", problem).into())
    }
}

/// Whose rollups hold what the budget counts.
pub(super) fn owner_of(budget: &NamedBudget) -> &str {
    if budget.scope == BudgetScope::Everyone { EVERYONE } else { &budget.user_id.0 }
}

/// What the log says of a budget that is set. The one that everybody has is there before it is set.
fn note_of(budget: &NamedBudget, former: Option<&NamedBudget>) -> AuditNote {
    let is_new = former.is_none() && budget.id != DEFAULT_BUDGET;
    let action = if is_new { AuditAction::BudgetCreated } else { AuditAction::BudgetChanged };
    let terms = terms_of(budget);
    let before = former.map(terms_of).filter(|before| *before != terms);
    let detail = before.map_or(terms.clone(), |before| format!("{terms}; before: {before}"));
    AuditNote::new(action, AuditTarget::new(AuditTargetKind::Budget, &*budget.id, budget.name.trim()), detail)
}

/// `$50.00 a month for all calls, alerts at 50, 75, 90 %, at the limit: notify, UTC`.
fn terms_of(budget: &NamedBudget) -> String {
    let model = budget.model.as_ref().map(|model| format!(" of {model}")).unwrap_or_default();
    let raised = budget.raise.map(|raise| format!(", raised to {}", format_cost(raise.limit))).unwrap_or_default();
    let thresholds: Vec<String> = budget.thresholds.iter().map(u32::to_string).collect();
    format!(
        "{} a {} for {}{model}{raised}, alerts at {} %, at the limit: {}, {}",
        format_cost(budget.limit),
        budget.period.name(),
        budget.scope.words(),
        thresholds.join(", "),
        budget.at_limit.name(),
        budget.time_zone,
    )
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
