//! The ledger as a library: a program writes its own calls down and asks how its budget stands, without a server in
//! between. The same rules hold as for the HTTP API: [`crate::capture::recorder`] prices a call once, and the ledger
//! counts it once.

use crate::capture::recorder;
use crate::domain::audit::Actor;
use crate::domain::budget::{Budget, BudgetAlert, BudgetStatus, crossed_alerts};
use crate::domain::price::{PriceBook, canonical_provider};
use crate::domain::tokens::TokenCounts;
use crate::domain::usage::{CallContext, CallOutcome, ServiceTerms, Source, UsageRecord, UserId};
use crate::ledger::{Applied, Ledger, LedgerError};
use uuid::Uuid;

/// One finished call, as the program that made it reports it.
#[derive(Clone, Debug, PartialEq)]
pub struct TrackedCall {
    /// The program's own id for the call: the same id is counted once, however often it is sent. Without one the
    /// provider's request id in `context` tells the call; without both it is a new one every time.
    pub id: Option<String>,
    /// `anthropic`, `openai`, `google`, …; `None` is told from the model.
    pub provider: Option<String>,
    /// The provider's model id, in any usual spelling.
    pub model: String,
    /// `None` where the provider sent no usage: the cost is then unknown, not zero.
    pub tokens: Option<TokenCounts>,
    /// UTC milliseconds since 1970.
    pub occurred_at_ms: i64,
    /// Batch, priority, fast mode, region: what the price depends on beside the tokens.
    pub terms: ServiceTerms,
    pub web_search_count: u64,
    pub context: CallContext,
    pub outcome: CallOutcome,
}

impl TrackedCall {
    /// A successful call at the standard terms; the other fields are there to be set.
    pub fn new(model: impl Into<String>, tokens: TokenCounts, occurred_at_ms: i64) -> Self {
        Self {
            id: None,
            provider: None,
            model: model.into(),
            tokens: Some(tokens),
            occurred_at_ms,
            terms: ServiceTerms::default(),
            web_search_count: 0,
            context: CallContext::default(),
            outcome: CallOutcome::default(),
        }
    }
}

/// What a program tracks and asks about one user. These methods are here and not in [`crate::ledger`], because tracking
/// prices calls and the ledger does not know prices.
impl Ledger {
    /// Prices a call and writes it down. When it returns, the call is on disk. A call that was known before is not
    /// counted again; the answer says which it was, under which id, and [`Ledger::event`] shows it with its cost.
    ///
    /// # Errors
    /// As [`Ledger::track_batch`].
    ///
    /// ```
    /// use tollbridge::domain::{money::NanoUsd, period::Zone, price::PriceBook, usage::{Scope, UserId}};
    /// use tollbridge::{ApplyOutcome, Ledger, TokenCounts, TrackedCall};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let folder = tempfile::tempdir()?;
    /// # let file = folder.path().join("ledger.db");
    /// let ledger = Ledger::open(&format!("sqlite:{}", file.display()), &Zone::UTC).await?;
    /// let tokens = TokenCounts { input: 1_000, output: 500, ..Default::default() };
    /// let mut call = TrackedCall::new("claude-sonnet-4-20250514", tokens, 1_767_225_600_000);
    /// call.id = Some("call-4711".into());
    ///
    /// let user = UserId::owner();
    /// let first = ledger.track(&PriceBook::builtin(), &user, call.clone()).await?;
    /// let again = ledger.track(&PriceBook::builtin(), &user, call).await?;
    /// assert_eq!((first.outcome, again.outcome), (ApplyOutcome::Inserted, ApplyOutcome::Duplicate));
    ///
    /// let event = ledger.event(&Scope::User(user), &first.id).await?.ok_or("not there")?;
    /// assert_eq!(event.cost, Some(NanoUsd(10_500_000))); // $0.0105
    /// # Ok(())
    /// # }
    /// ```
    pub async fn track(&self, prices: &PriceBook, user: &UserId, call: TrackedCall) -> Result<Applied, LedgerError> {
        let mut applied = self.track_batch(prices, user, vec![call]).await?;
        applied.pop().ok_or(LedgerError::OutOfRange("an answer for each call"))
    }

    /// Prices calls and writes them down, answering for each in the order given. When it returns, all are on disk.
    ///
    /// # Errors
    /// [`LedgerError::Busy`], [`LedgerError::Full`] and [`LedgerError::Unavailable`] when the database cannot take
    /// them now; [`LedgerError::OutOfRange`] for a count above `i64::MAX`. After an error the whole batch can be sent
    /// again if its calls have ids: what is there already is not counted twice.
    ///
    /// ```
    /// # use tollbridge::domain::{period::Zone, price::PriceBook, usage::UserId};
    /// # use tollbridge::{Ledger, TokenCounts, TrackedCall};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let folder = tempfile::tempdir()?;
    /// # let ledger = Ledger::open(&format!("sqlite:{}", folder.path().join("ledger.db").display()), &Zone::UTC).await?;
    /// let tokens = TokenCounts { input: 800, output: 40, ..Default::default() };
    /// let calls = ["claude-haiku-4-5", "gpt-5"].map(|model| TrackedCall::new(model, tokens, 1_767_225_600_000));
    /// let applied = ledger.track_batch(&PriceBook::builtin(), &UserId::owner(), calls.to_vec()).await?;
    /// assert_eq!(applied.len(), 2);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn track_batch(
        &self,
        prices: &PriceBook,
        user: &UserId,
        calls: Vec<TrackedCall>,
    ) -> Result<Vec<Applied>, LedgerError> {
        let records = calls.into_iter().map(|call| to_record(prices, user, call)).collect();
        recorder::record(self, prices, records).await
    }

    /// The thresholds that the user's budget has crossed in the month that `now_ms` (UTC milliseconds) is in, the
    /// worst first; amounts are cents.
    ///
    /// # Errors
    /// As [`Ledger::budget_status`].
    ///
    /// ```
    /// # use tollbridge::domain::{budget::AlertLevel, period::Zone, price::PriceBook, usage::UserId};
    /// # use tollbridge::{Ledger, TokenCounts, TrackedCall};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let folder = tempfile::tempdir()?;
    /// # let ledger = Ledger::open(&format!("sqlite:{}", folder.path().join("ledger.db").display()), &Zone::UTC).await?;
    /// // Four million tokens of output at $15 are $60 of the $100 that a budget is unless changed.
    /// let tokens = TokenCounts { output: 4_000_000, ..Default::default() };
    /// let call = TrackedCall::new("claude-sonnet-4-20250514", tokens, 1_767_225_600_000);
    /// ledger.track(&PriceBook::builtin(), &UserId::owner(), call).await?;
    ///
    /// let alerts = ledger.alerts_of(&UserId::owner(), 1_767_225_600_000).await?;
    /// assert_eq!(alerts.len(), 1);
    /// assert_eq!((alerts[0].level, alerts[0].threshold, alerts[0].current_spend), (AlertLevel::Info, 50, 6_000));
    /// # Ok(())
    /// # }
    /// ```
    pub async fn alerts_of(&self, user: &UserId, now_ms: i64) -> Result<Vec<BudgetAlert>, LedgerError> {
        Ok(crossed_alerts(&self.budget_status(user, now_ms).await?))
    }

    /// Sets the user's budget and answers where it stands in the month that `now_ms` (UTC milliseconds) is in.
    /// [`Budget::parse`] makes a checked one.
    ///
    /// # Errors
    /// As [`Ledger::budget_status`].
    ///
    /// ```
    /// # use tollbridge::domain::{period::Zone, usage::UserId};
    /// # use tollbridge::Ledger;
    /// use tollbridge::domain::budget::Budget;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let folder = tempfile::tempdir()?;
    /// # let ledger = Ledger::open(&format!("sqlite:{}", folder.path().join("ledger.db").display()), &Zone::UTC).await?;
    /// let budget = Budget::parse(5_000, [50, 75, 90], "Europe/Berlin")?; // $50 a month
    /// let status = ledger.update_budget(&UserId::owner(), &budget, 1_767_225_600_000).await?;
    /// assert_eq!((status.spent, status.limit, status.remaining), (0, 5_000, 5_000));
    /// # Ok(())
    /// # }
    /// ```
    pub async fn update_budget(
        &self,
        user: &UserId,
        budget: &Budget,
        now_ms: i64,
    ) -> Result<BudgetStatus, LedgerError> {
        self.save_budget(user, budget, &Actor::library(), now_ms).await?;
        self.budget_status(user, now_ms).await
    }
}

fn to_record(prices: &PriceBook, user: &UserId, call: TrackedCall) -> UsageRecord {
    let named = call.provider.as_deref().map(canonical_provider);
    let told = || prices.provider_of(&call.model, call.occurred_at_ms).map(str::to_owned);
    UsageRecord {
        user_id: user.clone(),
        occurred_at_ms: call.occurred_at_ms,
        source: Source::Api,
        dedup_key: dedup_key(&call),
        part_of: None,
        is_sidechain: false,
        provider: named.or_else(told).unwrap_or_else(|| "unknown".into()),
        model: call.model,
        has_usage: call.tokens.is_some(),
        tokens: call.tokens.unwrap_or_default(),
        is_estimated: false,
        web_search_count: call.web_search_count,
        terms: call.terms,
        api_key_id: None,
        context: call.context,
        outcome: call.outcome,
        usage_json: None,
    }
}

/// The keys of the HTTP API (`capture::ingest`), so that a call that is reported both ways is one call.
fn dedup_key(call: &TrackedCall) -> String {
    match (&call.id, &call.context.request_id) {
        (Some(id), _) => format!("api:{id}"),
        (None, Some(request_id)) => request_id.clone(),
        (None, None) => format!("api:{}", Uuid::now_v7()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::ingest;
    use crate::domain::money::NanoUsd;
    use crate::domain::period::Zone;
    use crate::domain::price::{PriceCard, Rate, Rates};
    use crate::domain::usage::{PricingState, Scope, UsageEvent};
    use crate::ledger::ApplyOutcome::{Duplicate, Inserted};
    use serde_json::json;
    use tempfile::TempDir;

    /// 2026-01-01T00:00:00Z.
    const NEW_YEAR_MS: i64 = 1_767_225_600_000;

    async fn open() -> (Ledger, TempDir) {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", folder.path().join("ledger.db").display());
        (Ledger::open(&url, &Zone::UTC).await.unwrap(), folder)
    }

    fn sonnet_call() -> TrackedCall {
        let tokens = TokenCounts { input: 1_000, output: 500, ..TokenCounts::default() };
        TrackedCall::new("claude-sonnet-4-20250514", tokens, NEW_YEAR_MS)
    }

    /// A price of one's own for the model of [`sonnet_call`].
    fn card_at_one_dollar() -> PriceCard {
        let book = PriceBook::builtin();
        let listed = book.lookup(None, "claude-sonnet-4-20250514", NEW_YEAR_MS).unwrap();
        let dollar = Rate(1_000_000);
        let rates = Rates { input: dollar, output: dollar, ..listed.rates };
        PriceCard { id: "own".into(), valid_from_ms: None, valid_to_ms: None, rates, ..PriceCard::clone(listed) }
    }

    async fn event(ledger: &Ledger, applied: &Applied) -> UsageEvent {
        ledger.event(&Scope::User(UserId::owner()), &applied.id).await.unwrap().unwrap()
    }

    #[tokio::test]
    async fn the_library_and_the_api_know_the_same_call() {
        let (ledger, _folder) = open().await;
        let prices = PriceBook::builtin();
        let user = UserId::owner();
        for (id, request_id) in [(Some("mine"), None), (None, Some("req_1")), (Some("both"), Some("req_2"))] {
            let mut call = sonnet_call();
            call.id = id.map(str::to_owned);
            call.context.request_id = request_id.map(str::to_owned);
            let by_library = ledger.track(&prices, &user, call).await.unwrap();
            let posted = json!({
                "id": id, "requestId": request_id, "model": "claude-sonnet-4-20250514",
                "usage": {"input_tokens": 1_000, "output_tokens": 500}, "occurredAt": NEW_YEAR_MS,
            });
            let records = ingest::parse_event(&posted, &user, NEW_YEAR_MS, &prices).unwrap();
            let by_api = recorder::record(&ledger, &prices, records).await.unwrap();
            assert_eq!((by_library.outcome, by_api[0].outcome), (Inserted, Duplicate), "{id:?} {request_id:?}");
            assert_eq!(by_library.id, by_api[0].id);
        }
    }

    #[tokio::test]
    async fn calls_without_an_id_are_new_ones() {
        let (ledger, _folder) = open().await;
        let calls = vec![sonnet_call(), sonnet_call()];
        let applied = ledger.track_batch(&PriceBook::builtin(), &UserId::owner(), calls).await.unwrap();
        assert!(applied.iter().all(|one| one.outcome == Inserted));
    }

    #[tokio::test]
    async fn a_call_without_usage_has_no_cost() {
        let (ledger, _folder) = open().await;
        let mut call = sonnet_call();
        call.tokens = None;
        let applied = ledger.track(&PriceBook::builtin(), &UserId::owner(), call).await.unwrap();
        let event = event(&ledger, &applied).await;
        assert_eq!((event.cost, event.pricing_state), (None, PricingState::NoUsage));
    }

    /// Invariant 9: what was paid stays what was paid.
    #[tokio::test]
    async fn a_new_price_leaves_recorded_calls_as_they_are() {
        let (ledger, _folder) = open().await;
        let user = UserId::owner();
        let mut call = sonnet_call();
        call.id = Some("call-1".into());
        let at_list_price = ledger.track(&PriceBook::builtin(), &user, call.clone()).await.unwrap();

        let agreed = PriceBook::builtin().with_overrides(vec![card_at_one_dollar()]);
        let again = ledger.track(&agreed, &user, call.clone()).await.unwrap();
        call.id = Some("call-2".into());
        let later = ledger.track(&agreed, &user, call).await.unwrap();

        assert_eq!(again.outcome, Duplicate);
        assert_eq!(event(&ledger, &at_list_price).await.cost, Some(NanoUsd(10_500_000)));
        assert_eq!(event(&ledger, &later).await.cost, Some(NanoUsd(1_500_000)), "1,500 tokens at $1 a million");
    }

    #[tokio::test]
    async fn a_changed_budget_is_measured_at_once() {
        let (ledger, _folder) = open().await;
        let user = UserId::owner();
        ledger.track(&PriceBook::builtin(), &user, sonnet_call()).await.unwrap();
        assert_eq!(ledger.alerts_of(&user, NEW_YEAR_MS).await.unwrap(), []);
        // $0.0105 of one cent.
        let budget = Budget::parse(1, [50, 75, 90], "UTC").unwrap();
        let status = ledger.update_budget(&user, &budget, NEW_YEAR_MS).await.unwrap();
        assert!(status.is_over_budget);
        let thresholds: Vec<u32> =
            ledger.alerts_of(&user, NEW_YEAR_MS).await.unwrap().iter().map(|alert| alert.threshold).collect();
        assert_eq!(thresholds, [90, 75, 50]);
    }
}
