//! `tollbridge keys`: the keys that clients show.

use super::{CommandError, open_ledger};
use crate::config::Config;
use crate::domain::api_key::{ApiKey, KeyScope};
use crate::domain::audit::Actor;
use crate::domain::usage::UserId;
use crate::http::state::Clock;
use chrono::DateTime;

#[derive(Debug, clap::Subcommand)]
pub enum KeysCommand {
    /// Make a key and print it, once.
    Create {
        /// What the key is for, such as "laptop".
        #[arg(long)]
        name: String,
        /// What the key allows: proxy, ingest, read, admin. Several with commas.
        #[arg(long = "scope", required = true, value_delimiter = ',')]
        scopes: Vec<KeyScope>,
    },
    /// List the keys, revoked ones too.
    List,
    /// End a key. A server that runs refuses it within a second.
    Revoke {
        /// The key's id, as `list` prints it.
        id: String,
    },
}

pub async fn run(command: KeysCommand, config: &Config) -> Result<(), CommandError> {
    let ledger = open_ledger(config).await?;
    let (user, now_ms) = (UserId::owner(), Clock::System.now_ms());
    let result = match command {
        KeysCommand::Create { name, scopes } => {
            let (name, scopes) = (checked_name(&name)?, without_repeats(scopes));
            let created = ledger.create_key(&user, &name, &scopes, &Actor::command_line(), now_ms).await?;
            // The key alone on standard output, so that a script can keep it.
            eprintln!("The key {:?} (id {}). It is shown this once:", created.key.name, created.key.id);
            println!("{}", created.text.reveal());
            Ok(())
        }
        KeysCommand::List => {
            print_keys(&ledger.keys(&user).await?);
            Ok(())
        }
        KeysCommand::Revoke { id } => match ledger.revoke_key(&user, &id, &Actor::command_line(), now_ms).await? {
            true => {
                println!("Revoked {id}.");
                Ok(())
            }
            false => Err(CommandError::Failed(format!("no working key has the id {id}"))),
        },
    };
    ledger.close().await;
    result
}

fn print_keys(keys: &[ApiKey]) {
    if keys.is_empty() {
        println!("There is no key. `tollbridge keys create --name laptop --scope proxy` makes one.");
        return;
    }
    println!("{:<36}  {:<20}  {:<16}  {:<18}  {:<10}  {:<16}", "id", "name", "key", "scopes", "made", "last used");
    for key in keys {
        let scopes: Vec<&str> = key.scopes.iter().map(|scope| scope.name()).collect();
        let last_used = key.last_used_at_ms.map_or_else(|| "never".into(), |at_ms| moment(at_ms, "%Y-%m-%d %H:%M"));
        println!(
            "{:<36}  {:<20}  {:<16}  {:<18}  {:<10}  {:<16}{}",
            key.id,
            key.name,
            key.shown(),
            scopes.join(","),
            moment(key.created_at_ms, "%Y-%m-%d"),
            last_used,
            if key.is_revoked() { "  revoked" } else { "" },
        );
    }
}

fn checked_name(name: &str) -> Result<String, CommandError> {
    ApiKey::check_name(name).map_err(|problem| CommandError::Failed(format!("the name {problem}")))
}

fn without_repeats(mut scopes: Vec<KeyScope>) -> Vec<KeyScope> {
    scopes.sort_unstable();
    scopes.dedup();
    scopes
}

fn moment(at_ms: i64, format: &str) -> String {
    DateTime::from_timestamp_millis(at_ms).map_or_else(|| "-".into(), |at| at.format(format).to_string())
}
