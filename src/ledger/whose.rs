//! Whose usage can be asked for, and what it is measured by: a monthly budget, and the zone in which days are cut. Who may ask
//! for whose is decided in `http::auth`.

use super::db::with_reader;
use super::rollup::EVERYONE;
use super::{Ledger, LedgerError};
use crate::domain::account::Role;
use crate::domain::budget::{BudgetPeriod, NamedBudget};
use crate::domain::period::Zone;
use crate::domain::usage::{Scope, UserId};

/// Somebody whose usage can be asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsageOwner {
    pub user_id: UserId,
    /// What they log in with; none of an account that is gone.
    pub login: Option<String>,
}

impl Ledger {
    /// Everybody with an account, the oldest first, then those who are gone and whose usage is kept.
    pub async fn usage_owners(&self) -> Result<Vec<UsageOwner>, LedgerError> {
        let accounts = self.accounts().await?.into_iter();
        let mut owners: Vec<UsageOwner> =
            accounts.map(|account| UsageOwner { user_id: account.user_id, login: Some(account.login) }).collect();
        for user_id in self.users_with_usage().await? {
            if owners.iter().all(|owner| owner.user_id != user_id) {
                owners.push(UsageOwner { user_id, login: None });
            }
        }
        Ok(owners)
    }

    /// Whether somebody has an account or usage.
    pub async fn knows_user(&self, user: &UserId) -> Result<bool, LedgerError> {
        let found: i64 = with_reader!(&self.db, |pool| {
            sqlx::query_scalar(
                "select count(*) from (select user_id from account where user_id = $1 \
                 union select user_id from series where user_id = $1) as known",
            )
            .bind(&user.0)
            .fetch_one(pool)
            .await?
        });
        Ok(found > 0)
    }

    /// What somebody may do; none if they have no account or are shut out.
    pub async fn role_of(&self, user: &UserId) -> Result<Option<Role>, LedgerError> {
        let role: Option<String> = with_reader!(&self.db, |pool| {
            sqlx::query_scalar("select role from account where user_id = $1 and disabled_at_ms is null")
                .bind(&user.0)
                .fetch_optional(pool)
                .await?
        });
        role.map(|role| role.parse().map_err(|_| LedgerError::OutOfRange("account.role"))).transpose()
    }

    /// The zone in which a scope's days are cut where a question names none.
    pub async fn zone_of(&self, scope: &Scope) -> Result<Zone, LedgerError> {
        self.zone_by(self.monthly_budget_of(scope).await?.as_ref())
    }

    /// A budget's zone; without one, the instance's.
    pub(super) fn zone_by(&self, budget: Option<&NamedBudget>) -> Result<Zone, LedgerError> {
        Ok(budget.map_or_else(|| Ok(self.time_zone()), |budget| Zone::parse(&budget.time_zone))?)
    }

    /// What a scope's month is measured by. A user has one budget of their own, whoever looks. Everyone has none of
    /// itself; of those that somebody has set for everybody's calls of all models, the lowest is reached first.
    pub(super) async fn monthly_budget_of(&self, scope: &Scope) -> Result<Option<NamedBudget>, LedgerError> {
        let Scope::User(user) = scope else {
            let budgets = self.budgets_of_everyone().await?.into_iter();
            let monthly = budgets.filter(|budget| budget.period == BudgetPeriod::Month && budget.model.is_none());
            return Ok(monthly.min_by_key(|budget| budget.limit));
        };
        Ok(Some(NamedBudget::of_default(user, &self.budget(user).await?)))
    }

    /// Whose events a scope has.
    pub(super) async fn users_of(&self, scope: &Scope) -> Result<Vec<UserId>, LedgerError> {
        match scope {
            Scope::User(user) => Ok(vec![user.clone()]),
            Scope::Everyone => self.users_with_usage().await,
        }
    }

    async fn users_with_usage(&self) -> Result<Vec<UserId>, LedgerError> {
        let users: Vec<String> = with_reader!(&self.db, |pool| {
            sqlx::query_scalar("select distinct user_id from series where user_id <> $1 order by user_id")
                .bind(EVERYONE)
                .fetch_all(pool)
                .await?
        });
        Ok(users.into_iter().map(UserId).collect())
    }
}
