//! What the watch asks for: who there is, what a day has cost hour by hour, and what brought a spend about.

use super::budget::{owner_of, push_counted};
use super::db::{Db, Tx, with_reader};
use super::rollup::{EVERYONE, QUARTER};
use super::usage::Wanted;
use super::{Ledger, LedgerError};
use crate::domain::alert::{Contributor, Dimension, Spread};
use crate::domain::anomaly::Anomaly;
use crate::domain::anomaly::robust::HourlyCost;
use crate::domain::budget::{BudgetScope, NamedBudget};
use crate::domain::money::NanoUsd;
use crate::domain::period::{self, Interval, Zone};
use crate::domain::usage::{Scope, UserId};
use chrono::NaiveDate;
use sqlx::QueryBuilder;
use std::collections::BTreeMap;

/// How many of each dimension are named.
const CONTRIBUTORS: usize = 3;

/// The watch's turn; it ends when this is dropped.
pub struct WatchTurn {
    _held: Option<Tx>,
}

impl Ledger {
    /// Waits until no other instance is looking at the same PostgreSQL. SQLite has one serving process
    /// ([`Ledger::claim`]), so there it is always one's turn.
    pub async fn take_watch_turn(&self) -> Result<WatchTurn, LedgerError> {
        const WATCH_LOCK: i64 = 0x7761_7463; // "watc"
        let Db::Postgres { .. } = &self.db else { return Ok(WatchTurn { _held: None }) };
        let mut tx = self.db.begin().await?;
        if let Tx::Postgres(transaction) = &mut tx {
            sqlx::query("select pg_advisory_xact_lock($1)").bind(WATCH_LOCK).execute(&mut **transaction).await?;
        }
        Ok(WatchTurn { _held: Some(tx) })
    }

    /// Everybody who has usage or a budget.
    pub async fn users(&self) -> Result<Vec<UserId>, LedgerError> {
        let users: Vec<String> = with_reader!(&self.db, |pool| {
            sqlx::query_scalar(
                "select user_id from budget union select user_id from series where user_id <> $1 order by 1",
            )
            .bind(EVERYONE)
            .fetch_all(pool)
            .await?
        });
        Ok(users.into_iter().map(UserId).collect())
    }

    /// What is unusual today by TheBridge's rules, in the zone of the user's budget.
    pub async fn anomalies(&self, user: &UserId, now_ms: i64) -> Result<Vec<Anomaly>, LedgerError> {
        let zone = self.zone_of(&Scope::User(user.clone())).await?;
        Ok(self.standing(&user.0, &zone, now_ms).await?.anomalies)
    }

    /// What each day from `first` to `last` has cost, hour by hour on the zone's clock. Days without use are left out.
    pub async fn hourly_costs(
        &self,
        user: &UserId,
        zone: &Zone,
        first: NaiveDate,
        last: NaiveDate,
    ) -> Result<Vec<HourlyCost>, LedgerError> {
        let interval = Interval {
            start_ms: period::day_bounds(zone, first).start_ms,
            end_ms: period::day_bounds(zone, last).end_ms,
        };
        let mut days: BTreeMap<NaiveDate, HourlyCost> = BTreeMap::new();
        for (at_ms, _, cost_nano_usd) in self.pulse(&user.0, interval, &Wanted::All).await? {
            let date = period::local_date(zone, at_ms);
            let (_, hour) = period::local_hour_of_week(zone, at_ms);
            let cost = &mut days.entry(date).or_insert_with(|| HourlyCost::nothing_on(date)).hours[hour];
            *cost = cost.checked_add(NanoUsd(cost_nano_usd)).ok_or(LedgerError::OutOfRange("a sum of costs"))?;
        }
        Ok(days.into_values().collect())
    }

    /// The dearest models and projects among the calls that a budget counts in a span of whole quarter hours.
    pub async fn spread_of(&self, budget: &NamedBudget, interval: Interval) -> Result<Spread, LedgerError> {
        let mut spread = Spread::default();
        for (dimension, column) in [(Dimension::Model, "s.model"), (Dimension::Project, "s.project")] {
            let rows = self.cost_by(column, budget, interval).await?;
            let unpriced: i64 = rows.iter().map(|(_, _, unpriced)| unpriced).sum();
            spread.unpriced_calls = u64::try_from(unpriced).map_err(|_| LedgerError::OutOfRange("a count of calls"))?;
            spread.contributors.extend(dearest(dimension, rows.into_iter().map(|(name, cost, _)| (name, cost))));
        }
        Ok(spread)
    }

    /// The dearest sessions of a user in a span. Sessions are no part of rollups, so this reads events: ask it about a
    /// day, and once.
    pub async fn dearest_sessions(&self, user: &UserId, interval: Interval) -> Result<Vec<Contributor>, LedgerError> {
        let rows: Vec<(String, i64)> = with_reader!(&self.db, |pool| {
            sqlx::query_as(
                "select session_id, cast(coalesce(sum(cost_nano_usd), 0) as bigint) from usage_event \
                 where user_id = $1 and occurred_at_ms >= $2 and occurred_at_ms < $3 and session_id is not null \
                 group by session_id order by 2 desc, 1 limit $4",
            )
            .bind(&user.0)
            .bind(interval.start_ms)
            .bind(interval.end_ms)
            .bind(CONTRIBUTORS as i64)
            .fetch_all(pool)
            .await?
        });
        Ok(dearest(Dimension::Session, rows).collect())
    }

    /// Name, cost and unpriced calls of each value of a column of `series`, the dearest first.
    async fn cost_by(
        &self,
        column: &'static str,
        budget: &NamedBudget,
        interval: Interval,
    ) -> Result<Vec<(String, i64, i64)>, LedgerError> {
        let models = self.counted_models(budget).await?;
        Ok(with_reader!(&self.db, |pool| {
            let mut select = QueryBuilder::new("select ");
            select.push(column);
            select.push(
                ", cast(coalesce(sum(r.cost_nano_usd), 0) as bigint), \
                 cast(coalesce(sum(r.unpriced_calls), 0) as bigint) from usage_rollup r \
                 join series s on s.user_id = r.user_id and s.id = r.series_id where r.user_id = ",
            );
            select.push_bind(owner_of(budget)).push(" and r.grain = ").push_bind(QUARTER);
            push_counted!(select, budget, interval, &models);
            select.push(" group by ").push(column).push(" order by 2 desc, 1");
            select.build_query_as().fetch_all(pool).await?
        }))
    }
}

/// The first few that have a name and cost anything.
fn dearest(dimension: Dimension, rows: impl IntoIterator<Item = (String, i64)>) -> impl Iterator<Item = Contributor> {
    let named = rows.into_iter().filter(|(name, cost)| !name.is_empty() && *cost > 0);
    named.take(CONTRIBUTORS).map(move |(name, cost)| Contributor { dimension, name, cost_nano_usd: NanoUsd(cost) })
}
