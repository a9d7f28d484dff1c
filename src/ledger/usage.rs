//! Questions answered from rollups alone, never from events. Whole days in the instance's zone are read from day
//! rollups, everything else from quarter hours.

use super::db::with_reader;
use super::rollup::{DAY, EVERYONE, QUARTER, Sums, read_sums, rollup_columns, summed, totals_of};
use super::{Ledger, LedgerError};
use crate::domain::anomaly::{self, DayFigures};
use crate::domain::budget::{self, NamedBudget};
use crate::domain::forecast;
use crate::domain::heat_map::HeatMap;
use crate::domain::money::NanoUsd;
use crate::domain::period::{self, Interval, Period, Zone};
use crate::domain::query::{Aggregation, UsageQuery};
use crate::domain::report::{ModelTotals, ReportInput, UsageReport, UsageTotals};
use crate::domain::usage::{Scope, Source, UserId};
use chrono::{Days, NaiveDate};
use sqlx::{QueryBuilder, Row};
use std::collections::{BTreeMap, HashMap};

/// What one source has brought in so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SourceUse {
    pub source: Source,
    /// When its first call happened.
    pub first_at_ms: i64,
    pub calls: u64,
}

/// Narrows a query on rollups `r` down; a macro, because the builder's type differs with the database.
macro_rules! push_interval {
    ($select:expr, $interval:expr, $wanted:expr) => {
        $select.push(" and r.bucket_at_ms >= ").push_bind($interval.start_ms);
        $select.push(" and r.bucket_at_ms < ").push_bind($interval.end_ms);
        if let Wanted::Some(ids) = $wanted {
            $select.push(" and r.series_id in (");
            let mut list = $select.separated(", ");
            for id in ids {
                list.push_bind(*id);
            }
            $select.push(")");
        }
    };
}

/// How far back forecasts and their back-test look.
const HISTORY_DAYS: u64 = 200;
/// How many days before today anomalies are measured against (TheBridge's week).
const BASELINE_DAYS: usize = 7;

impl Ledger {
    /// The whole answer to `query`, in the zone it names or else the budget's. `now_ms` is the instant of asking.
    pub async fn report(&self, scope: &Scope, query: &UsageQuery, now_ms: i64) -> Result<UsageReport, LedgerError> {
        let owner = user_id_of(scope);
        let budget = self.monthly_budget_of(scope).await?;
        let budget_zone = self.zone_by(budget.as_ref())?;
        let zone = Zone::of_query(query, budget_zone)?;
        let period = period::resolve(query, &zone, now_ms)?;
        let series = Series::load(self, owner).await?;
        let wanted = series.matching(query.model.as_deref());
        let grain = self.grain_for(&zone, period.aggregation);

        let current = self.sums_by_series(owner, grain, period.interval(), &wanted).await?;
        let previous = self.sums_by_series(owner, grain, period.previous, &wanted).await?;
        let buckets = self.sums_by_bucket(owner, grain, period.interval(), &wanted).await?;
        let standing = self.standing(owner, &budget_zone, now_ms).await?;
        let budget = budget.map(|budget| standing.measured_by(&budget, now_ms));

        let today = period::local_date(&zone, now_ms);
        let first_use = self.first_use_ms(owner).await?.map(|at_ms| period::local_date(&zone, at_ms));

        Ok(UsageReport::assemble(ReportInput {
            period: &period,
            zone: &zone,
            totals: total(current.values())?,
            previous: Some(total(previous.values())?),
            per_model: series.per_model(&current)?,
            series: fold_into_buckets(&period, &buckets)?,
            projection_days: period.days_with_data(today, first_use),
            forecast: standing.forecast,
            alerts: budget.as_ref().map(budget::crossed_alerts).unwrap_or_default(),
            anomalies: standing.anomalies,
            budget,
            has_demo_data: series.has_demo_data(),
        }))
    }

    /// When usage happens over the days of `query`, by weekday and hour.
    pub async fn heat_map(&self, scope: &Scope, query: &UsageQuery, now_ms: i64) -> Result<HeatMap, LedgerError> {
        let owner = user_id_of(scope);
        let zone = Zone::of_query(query, self.zone_of(scope).await?)?;
        let period = period::resolve(query, &zone, now_ms)?;
        let wanted = Series::load(self, owner).await?.matching(query.model.as_deref());
        let mut map = HeatMap { time_zone: zone.name().into(), ..HeatMap::default() };
        for (at_ms, calls, cost_nano_usd) in self.pulse(owner, period.interval(), &wanted).await? {
            let (weekday, hour) = period::local_hour_of_week(&zone, at_ms);
            let cost = &mut map.cost[weekday][hour];
            *cost = cost.checked_add(NanoUsd(cost_nano_usd)).ok_or(LedgerError::OutOfRange("a sum of costs"))?;
            map.calls[weekday][hour] +=
                u64::try_from(calls).map_err(|_| LedgerError::OutOfRange("a count of calls"))?;
        }
        Ok(map)
    }

    /// Where the user's budget stands in its running month.
    pub async fn budget_status(&self, user: &UserId, now_ms: i64) -> Result<budget::BudgetStatus, LedgerError> {
        let budget = NamedBudget::of_default(user, &self.budget(user).await?);
        let standing = self.standing(&user.0, &Zone::parse(&budget.time_zone)?, now_ms).await?;
        Ok(standing.measured_by(&budget, now_ms))
    }

    /// The ids of the models in the scope's ledger, sorted: what a filter can offer.
    pub async fn models(&self, scope: &Scope) -> Result<Vec<String>, LedgerError> {
        let series = Series::load(self, user_id_of(scope)).await?;
        let models: std::collections::BTreeSet<_> = series.by_id.into_values().map(|one| one.model).collect();
        Ok(models.into_iter().collect())
    }

    /// Budget, forecast and anomalies look at all of the owner's usage by day, whatever the question was filtered by.
    pub(super) async fn standing(&self, owner: &str, zone: &Zone, now_ms: i64) -> Result<Standing, LedgerError> {
        let today = period::local_date(zone, now_ms);
        let days = self.days(owner, zone, today).await?;
        let month = period::month_of(zone, now_ms);
        let this_month = days.iter().filter(|(date, _)| **date >= month.first).map(|(_, totals)| totals);
        let spent = this_month.fold(UsageTotals::default(), |sum, day| sum.plus(day));

        let costs: Vec<_> = days.iter().map(|(date, totals)| (*date, totals.cost)).collect();
        let bounds = period::day_bounds(zone, today);
        let forecast = forecast::forecast(&costs, today, bounds.share_passed(now_ms));
        let figures: Vec<_> = days.values().map(figures_of).collect();
        let (today, earlier) = figures.split_last().map_or((DayFigures::default(), &[][..]), |(t, e)| (*t, e));
        let baseline = &earlier[earlier.len().saturating_sub(BASELINE_DAYS)..];
        Ok(Standing { anomalies: anomaly::detect(&today, baseline), spent, forecast })
    }

    /// Every day from the first with data (at most [`HISTORY_DAYS`] back) to today, without gaps.
    async fn days(
        &self,
        owner: &str,
        zone: &Zone,
        today: NaiveDate,
    ) -> Result<BTreeMap<NaiveDate, UsageTotals>, LedgerError> {
        let first = today - Days::new(HISTORY_DAYS);
        let interval = Interval {
            start_ms: period::day_bounds(zone, first).start_ms,
            end_ms: period::day_bounds(zone, today).end_ms,
        };
        let grain = self.grain_for(zone, Aggregation::Daily);
        let buckets = self.sums_by_bucket(owner, grain, interval, &Wanted::All).await?;
        let mut days = BTreeMap::new();
        for (at_ms, sums) in &buckets {
            let day: &mut UsageTotals = days.entry(period::local_date(zone, *at_ms)).or_default();
            *day = day.plus(&totals_of(sums)?);
        }
        let Some(mut date) = days.keys().next().copied() else { return Ok(days) };
        while date <= today {
            days.entry(date).or_default();
            date = date + Days::new(1);
        }
        Ok(days)
    }

    /// The start of the first quarter hour with any usage.
    async fn first_use_ms(&self, owner: &str) -> Result<Option<i64>, LedgerError> {
        Ok(with_reader!(&self.db, |pool| {
            sqlx::query_scalar("select min(bucket_at_ms) from usage_rollup where user_id = $1 and grain = $2")
                .bind(owner)
                .bind(QUARTER)
                .fetch_one(pool)
                .await?
        }))
    }

    /// Each source that has brought anything in, in the order of [`Source::ALL`].
    pub async fn first_use_by_source(&self, scope: &Scope) -> Result<Vec<SourceUse>, LedgerError> {
        let rows: Vec<(String, i64, i64)> = with_reader!(&self.db, |pool| {
            sqlx::query_as(
                "select s.source, min(r.bucket_at_ms), cast(sum(r.calls) as bigint) from series s \
                 join usage_rollup r on r.user_id = s.user_id and r.series_id = s.id \
                 where s.user_id = $1 and r.grain = $2 group by s.source",
            )
            .bind(user_id_of(scope))
            .bind(DAY)
            .fetch_all(pool)
            .await?
        });
        let mut uses = Vec::new();
        for (name, first_day_ms, calls) in rows {
            let source = name.parse().map_err(|_| LedgerError::OutOfRange("series.source"))?;
            let first_at_ms = self.first_event_ms(scope, source, first_day_ms).await?.unwrap_or(first_day_ms);
            let calls = u64::try_from(calls).map_err(|_| LedgerError::OutOfRange("a sum of calls"))?;
            uses.push(SourceUse { source, first_at_ms, calls });
        }
        uses.sort_by_key(|one| Source::ALL.iter().position(|source| *source == one.source));
        Ok(uses)
    }

    /// The first event of a source. `from_ms` begins the day on which it is known to be, so little is looked through.
    async fn first_event_ms(&self, scope: &Scope, source: Source, from_ms: i64) -> Result<Option<i64>, LedgerError> {
        Ok(with_reader!(&self.db, |pool| {
            let mut select = QueryBuilder::new("select occurred_at_ms from usage_event where occurred_at_ms >= ");
            select.push_bind(from_ms).push(" and source = ").push_bind(source.name());
            if let Scope::User(user) = scope {
                select.push(" and user_id = ").push_bind(&user.0);
            }
            select.push(" order by occurred_at_ms limit 1");
            select.build_query_scalar().fetch_optional(pool).await?
        }))
    }

    pub(super) fn grain_for(&self, zone: &Zone, aggregation: Aggregation) -> i64 {
        let in_days = aggregation != Aggregation::Hourly && *zone == self.time_zone();
        if in_days { DAY } else { QUARTER }
    }

    /// Calls and cost of each quarter hour: two sums instead of all, for there can be 35,000 quarters in a year.
    pub(super) async fn pulse(
        &self,
        owner: &str,
        interval: Interval,
        wanted: &Wanted,
    ) -> Result<Vec<(i64, i64, i64)>, LedgerError> {
        let rows = with_reader!(&self.db, |pool| {
            let mut select = QueryBuilder::new(
                "select r.bucket_at_ms, cast(sum(r.calls) as bigint), cast(sum(r.cost_nano_usd) as bigint) \
                 from usage_rollup r where r.user_id = ",
            );
            select.push_bind(owner).push(" and r.grain = ").push_bind(QUARTER);
            push_interval!(select, interval, wanted);
            select.push(" group by r.bucket_at_ms");
            select.build_query_as().fetch_all(pool).await?
        });
        Ok(rows)
    }

    async fn sums_by_series(
        &self,
        owner: &str,
        grain: i64,
        interval: Interval,
        wanted: &Wanted,
    ) -> Result<HashMap<i64, Sums>, LedgerError> {
        Ok(self.sums_by("series_id", owner, grain, interval, wanted).await?.into_iter().collect())
    }

    async fn sums_by_bucket(
        &self,
        owner: &str,
        grain: i64,
        interval: Interval,
        wanted: &Wanted,
    ) -> Result<Vec<(i64, Sums)>, LedgerError> {
        self.sums_by("bucket_at_ms", owner, grain, interval, wanted).await
    }

    async fn sums_by(
        &self,
        column: &'static str,
        owner: &str,
        grain: i64,
        interval: Interval,
        wanted: &Wanted,
    ) -> Result<Vec<(i64, Sums)>, LedgerError> {
        let sums = with_reader!(&self.db, |pool| {
            let mut select = QueryBuilder::new("select r.");
            select.push(column).push(concat!(", ", rollup_columns!(summed), " from usage_rollup r where r.user_id = "));
            select.push_bind(owner).push(" and r.grain = ").push_bind(grain);
            push_interval!(select, interval, wanted);
            select.push(" group by r.").push(column).push(" order by r.").push(column);
            let rows = select.build().fetch_all(pool).await?;
            rows.iter().map(|row| Ok((row.try_get(0)?, read_sums(row, 1)?))).collect::<Result<Vec<_>, sqlx::Error>>()?
        });
        Ok(sums)
    }
}

/// Where the running month and today stand.
pub(super) struct Standing {
    /// In the month so far.
    spent: UsageTotals,
    forecast: Option<forecast::Forecast>,
    pub(super) anomalies: Vec<anomaly::Anomaly>,
}

impl Standing {
    /// The budget's zone has to be the one in which it was asked.
    fn measured_by(&self, budget: &NamedBudget, now_ms: i64) -> budget::BudgetStatus {
        budget::status(budget, self.spent.cost, self.spent.unpriced_calls, now_ms, self.forecast.as_ref())
    }
}

/// Which series a question is about.
pub(super) enum Wanted {
    All,
    Some(Vec<i64>),
}

/// The owner's series by id.
struct Series {
    by_id: HashMap<i64, SeriesName>,
}

#[derive(sqlx::FromRow)]
struct SeriesName {
    id: i64,
    provider: String,
    model: String,
    model_family: String,
    source: String,
}

impl Series {
    async fn load(ledger: &Ledger, owner: &str) -> Result<Self, LedgerError> {
        let rows: Vec<SeriesName> = with_reader!(&ledger.db, |pool| {
            sqlx::query_as("select id, provider, model, model_family, source from series where user_id = $1")
                .bind(owner)
                .fetch_all(pool)
                .await?
        });
        Ok(Self { by_id: rows.into_iter().map(|row| (row.id, row)).collect() })
    }

    fn matching(&self, model: Option<&str>) -> Wanted {
        let Some(model) = model else { return Wanted::All };
        let matching = self.by_id.values().filter(|one| one.model == model || one.model_family == model);
        // An id that no series has, so that the list is never empty: `in ()` is not SQL.
        Wanted::Some(matching.map(|one| one.id).chain([-1]).collect())
    }

    fn per_model(&self, sums: &HashMap<i64, Sums>) -> Result<Vec<ModelTotals>, LedgerError> {
        let mut models: BTreeMap<(&str, &str), ModelTotals> = BTreeMap::new();
        for (id, sums) in sums {
            let totals = totals_of(sums)?;
            let Some(one) = self.by_id.get(id).filter(|_| totals != UsageTotals::default()) else { continue };
            let model = models.entry((&one.provider, &one.model)).or_insert_with(|| ModelTotals {
                provider: one.provider.clone(),
                model: one.model.clone(),
                family: one.model_family.clone(),
                totals: UsageTotals::default(),
            });
            model.totals = model.totals.plus(&totals);
        }
        Ok(models.into_values().collect())
    }

    fn has_demo_data(&self) -> bool {
        self.by_id.values().any(|one| one.source == Source::Demo.name())
    }
}

fn user_id_of(scope: &Scope) -> &str {
    match scope {
        Scope::User(user) => &user.0,
        Scope::Everyone => EVERYONE,
    }
}

fn total<'a>(sums: impl IntoIterator<Item = &'a Sums>) -> Result<UsageTotals, LedgerError> {
    let mut total = UsageTotals::default();
    for sums in sums {
        total = total.plus(&totals_of(sums)?);
    }
    Ok(total)
}

fn figures_of(totals: &UsageTotals) -> DayFigures {
    DayFigures { tokens: totals.tokens.total(), cost: totals.cost, calls: totals.calls }
}

/// Puts stored buckets, which are sorted and never cross a bound of the period's, into the period's buckets.
fn fold_into_buckets(period: &Period, sums: &[(i64, Sums)]) -> Result<Vec<UsageTotals>, LedgerError> {
    let mut folded = vec![UsageTotals::default(); period.buckets.len()];
    let mut index = 0;
    for (at_ms, sums) in sums {
        while index + 1 < folded.len() && *at_ms >= period.buckets[index].end_ms {
            index += 1;
        }
        folded[index] = folded[index].plus(&totals_of(sums)?);
    }
    Ok(folded)
}
