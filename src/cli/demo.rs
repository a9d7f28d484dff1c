//! `tollbridge demo`: made-up usage for a look around, and `--remove` to take all of it out again.

use super::{CommandError, open_ledger, price_book};
use crate::capture::demo::load_demo;
use crate::config::Config;
use crate::domain::usage::{Source, UserId};
use crate::http::state::Clock;

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
        let prices = price_book(config);
        let loaded = load_demo(&ledger, &prices, &user, &config.zone, Clock::System.now_ms()).await?;
        println!("Put {loaded} sample events in. `tollbridge demo --remove` takes them out again.");
    }
    ledger.close().await;
    Ok(())
}
