//! Putting the sample data into a ledger, the way every other call gets there.

use super::demo_records;
use crate::capture::recorder;
use crate::domain::period::{Zone, day_bounds, local_date};
use crate::domain::price::PriceBook;
use crate::domain::usage::UserId;
use crate::ledger::{Ledger, LedgerError};

/// Events that go into the ledger in one transaction.
const BATCH: usize = 500;

/// Records the sample data up to `now_ms`, with its days in `zone`, and says how many events it has.
///
/// # Errors
/// When the ledger cannot keep it; what was kept until then can be taken out by its source like the whole.
pub async fn load_demo(
    ledger: &Ledger,
    prices: &PriceBook,
    user: &UserId,
    zone: &Zone,
    now_ms: i64,
) -> Result<usize, LedgerError> {
    let records: Vec<_> = demo_records(user, now_ms, utc_offset_ms(zone, now_ms)).collect();
    for batch in records.chunks(BATCH) {
        recorder::record(ledger, prices, batch.to_vec()).await?;
    }
    Ok(records.len())
}

/// How far the zone's clock is ahead of UTC today.
fn utc_offset_ms(zone: &Zone, now_ms: i64) -> i64 {
    let today = local_date(zone, now_ms);
    let utc_midnight_ms = today.and_time(chrono::NaiveTime::MIN).and_utc().timestamp_millis();
    utc_midnight_ms - day_bounds(zone, today).start_ms
}
