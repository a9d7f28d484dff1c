//! `tollbridge demo`: made-up usage for a look around, and `--remove` to take all of it out again.

use super::{CommandError, open_ledger, price_book};
use crate::capture::demo::demo_records;
use crate::capture::recorder;
use crate::config::Config;
use crate::domain::period::{self, Zone};
use crate::domain::usage::{Source, UserId};
use crate::http::state::Clock;

/// Events that go into the ledger in one transaction.
const BATCH: usize = 500;

#[derive(Debug, clap::Args)]
pub struct DemoArgs {
    /// Take all sample data out again.
    #[arg(long)]
    remove: bool,
}

pub async fn run(args: &DemoArgs, config: &Config) -> Result<(), CommandError> {
    let ledger = open_ledger(config).await?;
    let user = UserId::owner();
    if args.remove {
        let removed = ledger.remove_source(&user, Source::Demo).await?;
        println!("Took {removed} sample events out.");
    } else {
        let prices = price_book(config)?;
        let now_ms = Clock::System.now_ms();
        let records: Vec<_> = demo_records(&user, now_ms, utc_offset_ms(&config.zone()?, now_ms)).collect();
        for batch in records.chunks(BATCH) {
            recorder::record(&ledger, &prices, batch.to_vec()).await?;
        }
        println!("Put {} sample events in. `tollbridge demo --remove` takes them out again.", records.len());
    }
    ledger.close().await;
    Ok(())
}

/// How far the zone's clock is ahead of UTC today.
fn utc_offset_ms(zone: &Zone, now_ms: i64) -> i64 {
    let today = period::local_date(zone, now_ms);
    let utc_midnight_ms = today.and_time(chrono::NaiveTime::MIN).and_utc().timestamp_millis();
    utc_midnight_ms - period::day_bounds(zone, today).start_ms
}
