//! Rollups: what one event adds to a bucket, and how buckets are added up. The columns stand in one place,
//! [`rollup_columns`]; every statement and [`Sums`] follow that order.

use super::LedgerError;
use super::db::{Tx, in_groups, with_tx};
use crate::domain::cost::CostParts;
use crate::domain::money::NanoUsd;
use crate::domain::period::{Zone, day_bounds, local_date};
use crate::domain::report::UsageTotals;
use crate::domain::tokens::TokenCounts;
use crate::domain::usage::{PricingState, UsageEvent};
use sha2::{Digest, Sha256};
use sqlx::{ColumnIndex, Decode, QueryBuilder, Row, Type};
use std::collections::HashMap;

pub(super) const QUARTER: i64 = 1;
pub(super) const DAY: i64 = 2;
pub(super) const QUARTER_MS: i64 = 15 * 60 * 1000;

/// The `user_id` of everyone's sums.
pub(super) const EVERYONE: &str = "";

/// Writes out every summed column, each through the macro named.
macro_rules! rollup_columns {
    ($each:ident) => {
        concat!(
            $each!("calls"),
            ", ",
            $each!("failed_calls"),
            ", ",
            $each!("unpriced_calls"),
            ", ",
            $each!("estimated_calls"),
            ", ",
            $each!("input"),
            ", ",
            $each!("cache_write_5m"),
            ", ",
            $each!("cache_write_1h"),
            ", ",
            $each!("cache_read"),
            ", ",
            $each!("output"),
            ", ",
            $each!("thinking"),
            ", ",
            $each!("output_thinking"),
            ", ",
            $each!("web_search_count"),
            ", ",
            $each!("cost_nano_usd"),
            ", ",
            $each!("cost_input_nano_usd"),
            ", ",
            $each!("cost_cache_write_5m_nano_usd"),
            ", ",
            $each!("cost_cache_write_1h_nano_usd"),
            ", ",
            $each!("cost_cache_read_nano_usd"),
            ", ",
            $each!("cost_output_nano_usd"),
            ", ",
            $each!("cost_thinking_nano_usd"),
            ", ",
            $each!("cost_fees_nano_usd"),
            ", ",
            $each!("timed_calls"),
            ", ",
            $each!("response_time_sum_ms")
        )
    };
}

macro_rules! plain {
    ($column:literal) => {
        $column
    };
}

/// A sum over rollup rows `r`. PostgreSQL's sum of bigint is numeric, hence the cast.
macro_rules! summed {
    ($column:literal) => {
        concat!("cast(coalesce(sum(r.", $column, "), 0) as bigint)")
    };
}

macro_rules! added {
    ($column:literal) => {
        concat!($column, " = usage_rollup.", $column, " + excluded.", $column)
    };
}

pub(super) use {added, plain, rollup_columns, summed};

/// The summed columns of one rollup row, or a change of them, in the order of [`rollup_columns`].
pub(super) type Sums = [i64; 22];

/// What tells one series from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct SeriesKey<'a> {
    user_id: &'a str,
    provider: &'a str,
    model: &'a str,
    model_family: &'a str,
    api_key_id: &'a str,
    source: &'static str,
    project: &'a str,
}

/// Changes to rollups, gathered over a batch and then written once per row.
#[derive(Debug, Default)]
pub(super) struct RollupChanges<'a> {
    /// Sums by (series, grain, bucket); a series' id stands for its user too.
    changes: HashMap<(i64, i64, i64), Sums>,
    series: HashMap<SeriesKey<'a>, i64>,
    day_starts: HashMap<i64, i64>,
}

/// One row to write.
struct RollupRow<'a> {
    user_id: &'a str,
    grain: i64,
    bucket_at_ms: i64,
    series_id: i64,
    sums: Sums,
}

#[derive(Clone, Copy)]
pub(super) enum Sign {
    Add,
    Take,
}

impl<'a> RollupChanges<'a> {
    /// Notes that `event` comes in (or goes out) of its four rows: quarter and day, the user's and everyone's.
    pub(super) fn note(&mut self, event: &'a UsageEvent, sign: Sign, day_zone: &Zone) -> Result<(), LedgerError> {
        let quarter_at_ms = quarter_of(event.record.occurred_at_ms);
        let day_at_ms = *self.day_starts.entry(quarter_at_ms).or_insert_with(|| day_of(day_zone, quarter_at_ms));
        let sums = contribution(event)?;
        let of_user = SeriesKey::of(event);
        for series in [of_user, of_user.of_everyone()] {
            let series_id = *self.series.entry(series).or_insert_with(|| series.id());
            for (grain, bucket_at_ms) in [(QUARTER, quarter_at_ms), (DAY, day_at_ms)] {
                merge(self.changes.entry((series_id, grain, bucket_at_ms)).or_insert([0; 22]), &sums, sign)?;
            }
        }
        Ok(())
    }

    pub(super) async fn write(self, tx: &mut Tx) -> Result<(), LedgerError> {
        let mut series: Vec<_> = self.series.iter().collect();
        series.sort();
        write_series(tx, &series).await?;
        let mut rows = self.rows();
        // In the order of the table, so that its pages are touched once, and by every writer in the same order.
        rows.sort_by_key(|row| (row.user_id, row.grain, row.bucket_at_ms, row.series_id));
        for chunk in in_groups(&rows) {
            write_chunk(tx, chunk).await?;
        }
        Ok(())
    }

    fn rows(&self) -> Vec<RollupRow<'_>> {
        let users: HashMap<i64, &str> = self.series.iter().map(|(key, id)| (*id, key.user_id)).collect();
        let changed = self.changes.iter().filter(|(_, sums)| **sums != [0; 22]);
        let row = |((series_id, grain, bucket_at_ms), sums): (&(i64, i64, i64), &Sums)| RollupRow {
            user_id: users[series_id],
            grain: *grain,
            bucket_at_ms: *bucket_at_ms,
            series_id: *series_id,
            sums: *sums,
        };
        changed.map(row).collect()
    }
}

impl<'a> SeriesKey<'a> {
    fn of(event: &'a UsageEvent) -> Self {
        let record = &event.record;
        Self {
            user_id: &record.user_id.0,
            provider: &record.provider,
            model: &record.model,
            model_family: &event.model_family,
            api_key_id: record.api_key_id.as_deref().unwrap_or_default(),
            source: record.source.name(),
            project: record.context.project.as_deref().unwrap_or_default(),
        }
    }

    /// Without the user and the key, so that everyone's series stay few however many there are of these.
    fn of_everyone(self) -> Self {
        Self { user_id: EVERYONE, api_key_id: "", ..self }
    }

    /// A hash of what the series stands for, so that no writer has to ask for it. The table's unique key on the dimensions turns
    /// the (2⁻⁶³) collision into an error instead of a wrong sum.
    fn id(&self) -> i64 {
        let mut hash = Sha256::new();
        for part in [self.user_id, self.provider, self.model, self.api_key_id, self.source, self.project] {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part.as_bytes());
        }
        let digest = hash.finalize();
        let bytes = std::array::from_fn(|index| digest[index]);
        (u64::from_le_bytes(bytes) >> 1) as i64
    }
}

async fn write_series(tx: &mut Tx, series: &[(&SeriesKey<'_>, &i64)]) -> Result<(), LedgerError> {
    for chunk in in_groups(series) {
        with_tx!(tx, |connection| {
            let mut insert = QueryBuilder::new(
                "insert into series (user_id, id, provider, model, model_family, api_key_id, source, project) ",
            );
            insert.push_values(chunk, |mut row, (key, id)| {
                row.push_bind(key.user_id)
                    .push_bind(**id)
                    .push_bind(key.provider)
                    .push_bind(key.model)
                    .push_bind(key.model_family)
                    .push_bind(key.api_key_id)
                    .push_bind(key.source)
                    .push_bind(key.project);
            });
            insert.push(" on conflict do nothing");
            insert.build().execute(connection).await?;
        });
    }
    Ok(())
}

async fn write_chunk(tx: &mut Tx, rows: &[RollupRow<'_>]) -> Result<(), LedgerError> {
    with_tx!(tx, |connection| {
        let mut upsert = QueryBuilder::new(concat!(
            "insert into usage_rollup (user_id, grain, bucket_at_ms, series_id, ",
            rollup_columns!(plain),
            ") "
        ));
        upsert.push_values(rows, |mut row, change| {
            row.push_bind(change.user_id)
                .push_bind(change.grain)
                .push_bind(change.bucket_at_ms)
                .push_bind(change.series_id);
            for sum in change.sums {
                row.push_bind(sum);
            }
        });
        upsert.push(concat!(
            " on conflict (user_id, grain, bucket_at_ms, series_id) do update set ",
            rollup_columns!(added)
        ));
        upsert.build().execute(connection).await?;
    });
    Ok(())
}

/// The start of the quarter hour that holds the instant.
pub(super) fn quarter_of(at_ms: i64) -> i64 {
    at_ms.div_euclid(QUARTER_MS) * QUARTER_MS
}

/// The start of the day, in the zone, that holds the instant.
pub(super) fn day_of(zone: &Zone, at_ms: i64) -> i64 {
    day_bounds(zone, local_date(zone, at_ms)).start_ms
}

/// What one event adds to each of its rows. A part of a call has tokens and cost but is no call of its own.
fn contribution(event: &UsageEvent) -> Result<Sums, LedgerError> {
    let record = &event.record;
    let (tokens, parts) = (&record.tokens, &event.cost_parts);
    let is_call = record.part_of.is_none();
    let response_time_ms = record.outcome.response_time_ms.filter(|_| is_call);
    Ok([
        i64::from(is_call),
        i64::from(is_call && !record.outcome.success),
        i64::from(is_cost_unknown(event)),
        i64::from(event.pricing_state == PricingState::Estimated),
        whole(tokens.input)?,
        whole(tokens.cache_write_5m)?,
        whole(tokens.cache_write_1h)?,
        whole(tokens.cache_read)?,
        whole(tokens.output)?,
        whole(tokens.thinking)?,
        whole(tokens.output_thinking.unwrap_or(0))?,
        whole(record.web_search_count)?,
        event.cost.unwrap_or_default().0,
        parts.input.0,
        parts.cache_write_5m.0,
        parts.cache_write_1h.0,
        parts.cache_read.0,
        parts.output.0,
        parts.thinking.0,
        parts.fees.0,
        i64::from(response_time_ms.is_some()),
        whole(response_time_ms.unwrap_or(0))?,
    ])
}

/// A call that failed without usage cost nothing that anybody could tell; one that succeeded did cost something.
fn is_cost_unknown(event: &UsageEvent) -> bool {
    match event.pricing_state {
        PricingState::Unpriced => true,
        PricingState::NoUsage => event.record.outcome.success,
        PricingState::Exact | PricingState::Estimated => false,
    }
}

fn whole(count: u64) -> Result<i64, LedgerError> {
    i64::try_from(count).map_err(|_| LedgerError::OutOfRange("a count above 9.2 × 10^18"))
}

fn merge(into: &mut Sums, sums: &Sums, sign: Sign) -> Result<(), LedgerError> {
    for (total, sum) in into.iter_mut().zip(sums) {
        let merged = match sign {
            Sign::Add => total.checked_add(*sum),
            Sign::Take => total.checked_sub(*sum),
        };
        *total = merged.ok_or(LedgerError::OutOfRange("a rollup's sum"))?;
    }
    Ok(())
}

/// Reads the summed columns, starting at column `first`.
pub(super) fn read_sums<R>(row: &R, first: usize) -> Result<Sums, sqlx::Error>
where
    R: Row,
    usize: ColumnIndex<R>,
    i64: for<'r> Decode<'r, R::Database> + Type<R::Database>,
{
    let mut sums = [0; 22];
    for (index, sum) in sums.iter_mut().enumerate() {
        *sum = row.try_get(first + index)?;
    }
    Ok(sums)
}

/// Stored sums as a report's totals. None of them can be below zero unless the ledger is damaged.
pub(super) fn totals_of(sums: &Sums) -> Result<UsageTotals, LedgerError> {
    let count =
        |index: usize| u64::try_from(sums[index]).map_err(|_| LedgerError::OutOfRange("a rollup's sum is negative"));
    Ok(UsageTotals {
        calls: count(0)?,
        failed_calls: count(1)?,
        unpriced_calls: count(2)?,
        estimated_calls: count(3)?,
        tokens: TokenCounts {
            input: count(4)?,
            cache_write_5m: count(5)?,
            cache_write_1h: count(6)?,
            cache_read: count(7)?,
            output: count(8)?,
            thinking: count(9)?,
            output_thinking: Some(count(10)?).filter(|known| *known > 0),
        },
        web_search_count: count(11)?,
        cost: NanoUsd(sums[12]),
        cost_parts: CostParts {
            input: NanoUsd(sums[13]),
            cache_write_5m: NanoUsd(sums[14]),
            cache_write_1h: NanoUsd(sums[15]),
            cache_read: NanoUsd(sums[16]),
            output: NanoUsd(sums[17]),
            thinking: NanoUsd(sums[18]),
            fees: NanoUsd(sums[19]),
        },
        timed_calls: count(20)?,
        response_time_sum_ms: count(21)?,
    })
}
