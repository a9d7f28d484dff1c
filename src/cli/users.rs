//! `tollbridge users`: who may use the dashboard.

use super::{CommandError, open_ledger};
use crate::app::format::counted;
use crate::config::Config;
use crate::domain::account::{Account, NewPassword, Role};
use crate::domain::audit::Actor;
use crate::domain::usage::UserId;
use crate::http::state::Clock;
use crate::ledger::Ledger;
use chrono::DateTime;
use std::io::{self, BufRead, IsTerminal};

#[derive(Debug, clap::Subcommand)]
pub enum UsersCommand {
    /// Set a password, read twice from standard input. Once the owner has one, everybody needs a login.
    SetPassword {
        /// Whose: what they log in with.
        #[arg(default_value = "owner")]
        login: String,
    },
    /// List who may use the dashboard.
    List,
    /// Make a link with which one more person makes their account, within a week.
    Invite {
        /// What they may do: member (their own usage) or admin.
        #[arg(long, default_value = "member")]
        role: Role,
    },
    /// Shut somebody out: sessions end, keys are refused.
    Disable { login: String },
    /// Let somebody in again.
    Enable { login: String },
    /// Make somebody an admin or a member.
    Role { login: String, role: Role },
    /// Take an account away for good and end its keys. Its usage stays, under an id that names nobody.
    Delete {
        login: String,
        /// Take its usage away too: every call of theirs, out of everyone's figures as well. Backups made before keep it.
        #[arg(long)]
        erase_usage: bool,
    },
}

pub async fn run(command: UsersCommand, config: &Config) -> Result<(), CommandError> {
    let ledger = open_ledger(config).await?;
    let result = carry_out(command, &ledger, config).await;
    ledger.close().await;
    result
}

async fn carry_out(command: UsersCommand, ledger: &Ledger, config: &Config) -> Result<(), CommandError> {
    let (actor, now_ms) = (Actor::command_line(), Clock::System.now_ms());
    let done = match command {
        UsersCommand::SetPassword { login } => return set_password(ledger, &login, now_ms).await,
        UsersCommand::List => {
            print_accounts(&ledger.accounts().await?);
            return Ok(());
        }
        UsersCommand::Invite { role } => return invite(ledger, role, config, now_ms).await,
        UsersCommand::Disable { login } => ledger
            .set_disabled(&found(ledger, &login).await?, true, &actor, now_ms)
            .await?
            .then(|| format!("{login} is shut out.")),
        UsersCommand::Enable { login } => ledger
            .set_disabled(&found(ledger, &login).await?, false, &actor, now_ms)
            .await?
            .then(|| format!("{login} is let in again.")),
        UsersCommand::Role { login, role } => {
            let is_set = ledger.set_role(&found(ledger, &login).await?, role, &actor, now_ms).await?;
            is_set.then(|| format!("{login} is {} now.", role.with_article()))
        }
        UsersCommand::Delete { login, erase_usage: true } => {
            let erased = ledger.erase_account(&found(ledger, &login).await?, &actor, now_ms).await?;
            erased.map(|events| {
                let events = counted(events, "event", "events");
                format!("{login} is gone with all their usage ({events}), out of everyone's figures too. Backups made before keep it.")
            })
        }
        UsersCommand::Delete { login, erase_usage: false } => {
            let user = found(ledger, &login).await?;
            let is_deleted = ledger.delete_account(&user, &actor, now_ms).await?;
            is_deleted.then(|| format!("{login} is gone. The usage stays under {}.", user.0))
        }
    };
    let done = done.ok_or_else(|| failed("the owner stays as they are, and there is only one"))?;
    println!("{done}");
    Ok(())
}

async fn set_password(ledger: &Ledger, login: &str, now_ms: i64) -> Result<(), CommandError> {
    let user = found(ledger, login).await?;
    let password = read_password()?;
    if !ledger.set_password(&user, &password, &Actor::command_line(), now_ms).await? {
        return Err(failed(format!("{login} is gone meanwhile")));
    }
    println!("The password of {login} is set. All their sessions are over.");
    if user == UserId::owner() {
        println!("From now on everybody needs a login, and every client a key (tollbridge keys create).");
    }
    Ok(())
}

/// Read twice; from a terminal without showing it, from a pipe as two lines.
fn read_password() -> Result<NewPassword, CommandError> {
    let (first, second) = if io::stdin().is_terminal() {
        let ask = |prompt: &str| rpassword::prompt_password(prompt).map_err(cannot_read);
        (ask("Password: ")?, ask("Once more: ")?)
    } else {
        let mut lines = io::stdin().lock().lines();
        let mut line = || lines.next().unwrap_or_else(|| Ok(String::new())).map_err(cannot_read);
        (line()?, line()?)
    };
    let password = NewPassword::parse(&first).map_err(|problem| failed(format!("the password {problem}")))?;
    if first == second {
        Ok(password)
    } else {
        Err(failed("the password was not typed the same twice; it has to be given twice"))
    }
}

async fn invite(ledger: &Ledger, role: Role, config: &Config, now_ms: i64) -> Result<(), CommandError> {
    if role == Role::Owner {
        return Err(failed("there is one owner; an invitation is for a member or an admin"));
    }
    let base = config.dashboard_url();
    let token = ledger.create_invite(role, &Actor::command_line(), now_ms).await?;
    // The link alone on standard output, so that a script can pass it on.
    eprintln!("This link makes one account, for {}, within a week:", role.with_article());
    println!("{base}/join?token={}", token.reveal());
    if !ledger.needs_login(now_ms).await? {
        eprintln!("The owner has no password yet, so that nobody has to log in: tollbridge users set-password");
    }
    Ok(())
}

async fn found(ledger: &Ledger, login: &str) -> Result<UserId, CommandError> {
    let nobody = || failed(format!("nobody logs in as {login:?}; tollbridge users list shows who does"));
    let login = Account::check_login(login).map_err(|_| nobody())?;
    ledger.account(&login).await?.map(|account| account.user_id).ok_or_else(nobody)
}

fn print_accounts(accounts: &[Account]) {
    println!("{:<30}  {:<8}  {:<10}  {:<10}", "login", "role", "since", "state");
    for account in accounts {
        let since = DateTime::from_timestamp_millis(account.created_at_ms).filter(|_| account.created_at_ms > 0);
        let since = since.map_or_else(|| "the start".into(), |at| at.format("%Y-%m-%d").to_string());
        let state = match account {
            Account { disabled_at_ms: Some(_), .. } => "shut out",
            Account { has_password: false, .. } => "no password",
            _ => "",
        };
        println!("{:<30}  {:<8}  {since:<10}  {state}", account.login, account.role.name());
    }
}

fn cannot_read(error: io::Error) -> CommandError {
    failed(format!("the password cannot be read: {error}"))
}

fn failed(problem: impl Into<String>) -> CommandError {
    CommandError::Failed(problem.into())
}
