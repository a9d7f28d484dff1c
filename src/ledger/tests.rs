//! The ledger's tests. Each body runs on SQLite and on PostgreSQL; where `TOLLBRIDGE_TEST_POSTGRES` names no server, the
//! second half is left out, unless `TOLLBRIDGE_TEST_ALL` says that nothing may be.

mod account;
mod alert;
mod apply;
mod audit;
mod backup;
mod batch;
mod budget;
mod delivery;
mod erasure;
mod key;
mod live;
mod loss_notice;
mod oidc;
mod pause;
mod retention;
mod schema;
mod spool;
mod upgrade;
mod usage;
mod whose;

use crate::domain::audit::Actor;
use crate::domain::cost::CostParts;
use crate::domain::money::NanoUsd;
use crate::domain::period::Zone;
use crate::domain::tokens::TokenCounts;
use crate::domain::usage::{
    CallContext, CallOutcome, PricingState, Scope, ServiceTerms, Source, UsageEvent, UsageRecord, UserId,
};
use crate::ledger::{Applied, ApplyOutcome, Ledger};
use uuid::Uuid;

/// One body, two databases: `on_both!(name, |ledger| async move { … });` makes `name_sqlite` and `name_postgres`.
macro_rules! on_both {
    ($name:ident, |$ledger:ident| $body:expr) => {
        mod $name {
            #[allow(unused_imports)]
            use super::*;

            async fn check($ledger: crate::ledger::Ledger) {
                $body
            }

            #[tokio::test]
            async fn sqlite() {
                let folder = tempfile::tempdir().unwrap();
                check(crate::ledger::tests::open_sqlite(folder.path()).await).await;
            }

            #[tokio::test]
            async fn postgres() {
                if let Some(ledger) = crate::ledger::tests::open_postgres().await {
                    check(ledger).await;
                }
            }
        }
    };
}
pub(crate) use delivery::channel;
pub(crate) use on_both;

pub(crate) async fn open_sqlite(folder: &std::path::Path) -> Ledger {
    open_at(&sqlite_url(folder)).await
}

pub(crate) async fn open_at(url: &str) -> Ledger {
    Ledger::open(url, &berlin()).await.unwrap()
}

pub(crate) fn sqlite_url(folder: &std::path::Path) -> String {
    format!("sqlite:{}", folder.join("ledger.db").display())
}

pub(crate) async fn open_postgres() -> Option<Ledger> {
    Some(open_at(&postgres_url()?).await)
}

/// A database of its own on the test server.
pub(crate) fn postgres_url() -> Option<String> {
    let Ok(url) = std::env::var("TOLLBRIDGE_TEST_POSTGRES") else {
        assert!(std::env::var("TOLLBRIDGE_TEST_ALL").is_err(), "the PostgreSQL half of the tests may not be skipped");
        return None;
    };
    let (before, after) = url.split_once("/postgres?").expect("the test server's URL names the database postgres");
    Some(format!("{before}/test_{}?{after}", Uuid::now_v7().simple()))
}

pub(crate) fn berlin() -> Zone {
    Zone::parse("Europe/Berlin").unwrap()
}

pub(crate) fn alice() -> UserId {
    UserId("alice".into())
}

fn only(user: UserId) -> Scope {
    Scope::User(user)
}

/// 2026-03-10 12:00 in Berlin, a Tuesday.
pub(crate) const NOON_MS: i64 = 1_773_140_400_000;
pub(crate) const HOUR_MS: i64 = 3_600_000;
pub(crate) const DAY_MS: i64 = 24 * HOUR_MS;

/// A priced call: 100 tokens in, 10 out, for one cent.
pub(crate) fn event(user: UserId, dedup_key: &str, at_ms: i64) -> UsageEvent {
    UsageEvent {
        id: Uuid::now_v7().to_string(),
        model_family: "sonnet".into(),
        cost: Some(NanoUsd(10_000_000)),
        cost_parts: CostParts { input: NanoUsd(6_000_000), output: NanoUsd(4_000_000), ..CostParts::default() },
        pricing_state: PricingState::Exact,
        price_card_id: Some("anthropic/claude-sonnet-5-5@2026-10-07".into()),
        record: UsageRecord {
            user_id: user,
            occurred_at_ms: at_ms,
            source: Source::Api,
            dedup_key: dedup_key.into(),
            part_of: None,
            is_sidechain: false,
            provider: "anthropic".into(),
            model: "claude-sonnet-5-5".into(),
            tokens: TokenCounts { input: 100, output: 10, ..TokenCounts::default() },
            has_usage: true,
            is_estimated: false,
            web_search_count: 0,
            terms: ServiceTerms::default(),
            api_key_id: None,
            context: CallContext::default(),
            outcome: CallOutcome::default(),
            usage_json: None,
        },
    }
}

fn outcomes(applied: &[Applied]) -> Vec<ApplyOutcome> {
    applied.iter().map(|one| one.outcome).collect()
}
