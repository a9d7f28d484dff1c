//! `tollbridge demo`: made-up usage for a look around, and `--remove` to take all of it out again.

use super::{CommandError, open_ledger, price_book};
use crate::capture::demo::demo_records;
use crate::capture::recorder;
use crate::config::Config;
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
        let records: Vec<_> = demo_records(&user, Clock::System.now_ms(), &config.zone()?).collect();
        for batch in records.chunks(BATCH) {
            recorder::record(&ledger, &prices, batch.to_vec()).await?;
        }
        println!("Put {} sample events in. `tollbridge demo --remove` takes them out again.", records.len());
    }
    ledger.close().await;
    Ok(())
}
