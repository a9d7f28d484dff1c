//! Tollbridge: a self-hosted ledger for what LLM calls cost. It writes every call down once, prices it exactly, watches
//! a budget, and shows it in the browser.
//!
//! # The map
//!
//! | room | what is in it |
//! |---|---|
//! | [`domain`] | the rules: money, tokens, prices, cost, time, budgets, anomalies, forecasts. No input or output; compiles for server and browser |
//! | `capture` | how usage gets in: the gateway and the chat on it, providers' usage objects, the tracking input, log import, sample data; all of it ends in `capture::recorder`, running calls by way of its spool |
//! | `ledger` | the database, and the only place with SQL: `apply` writes, `usage` answers from rollups, `doctor` proves them |
//! | `watch` | what acts by itself: budgets that cross their thresholds and unusual days become alerts, once each, and lost calls are told; `watch::notify` sends all of it |
//! | `http` | the web server: every route and layer on one page (`http::router`), the API, the guards |
//! | `app` | the dashboard in Leptos: pages, widgets, charts, server functions |
//! | `config`, `cli` | the settings, and the commands |
//! | `tracking` | what a program tracks and asks without the server |
//!
//! **Imports run one way.** `domain` imports nothing of ours; `ledger` imports `domain`; `capture` and `watch` import both;
//! `http` and `cli` put things together; `app` imports `domain`, and the server side only inside the bodies of server
//! functions. Only `ledger` names sqlx; only `http` and the glue of `capture`'s gateway and of the server functions name
//! axum. Tests:
//! `imports_run_one_way`, `frameworks_stay_in_their_rooms`, `the_browser_gets_no_server_crates`.
//!
//! Features: none builds `domain`; `server` adds the ledger, capture and tracking; `ssr` is the whole binary; `hydrate` is
//! the browser's part.
//!
//! # As a library
//!
//! The functions of TheBridge's analytics library, in Rust: [`calculate_cost`], [`compare_models`],
//! [`project_monthly_cost`], [`price_of`], [`format_cost`], [`format_tokens`]; with the feature `server` the
//! ledger's `Ledger::track`, `track_batch`, `alerts_of`, `budget_status` and `update_budget`.
//!
//! # Invariants
//!
//! Each is followed by the tests that show it; a test of its own (`every_test_that_is_named_exists`) keeps the names true.
//!
//! 1. **Money is integer nano-dollars**; rates are integer pico-dollars per token, read from decimal text and never through
//!    floats. A call is rounded once, half to even, with checked arithmetic: `rates_come_from_decimal_text_exactly`,
//!    `v12_half_a_nano_dollar_rounds_to_even`, `cost_is_additive_up_to_one_rounding`,
//!    `an_amount_out_of_range_is_unpriced_and_not_wrong`.
//! 2. **Unknown is not zero.** No card, no usage, unknown thinking: a null and a state that every total shows:
//!    `unknown_is_not_zero` (of the price and of the ledger), `an_unknown_model_is_unpriced_and_never_free`,
//!    `unknown_thinking_stays_unknown_until_one_side_knows`, `unpriced_calls_make_it_a_lower_bound`.
//! 3. **Recorded means on disk; recorded once**, by (user, dedup key): `what_was_acknowledged_survives_a_kill`,
//!    `nothing_is_acknowledged_that_the_ledger_cannot_keep`, `a_call_is_counted_once_however_often_it_is_sent`,
//!    `totals_do_not_depend_on_order_or_repetition`; calls that a kill meets half-way too:
//!    `a_server_killed_at_any_moment_loses_no_call_and_counts_none_twice_sqlite`, and of what records alone
//!    `killed_at_any_moment_no_call_is_lost_and_none_is_counted_twice_sqlite`; that this would notice, `make mutants` shows.
//! 4. **Events and rollups change in one transaction**, so that rollups always equal their events:
//!    `a_write_that_fails_half_way_leaves_nothing`, `totals_do_not_depend_on_order_or_repetition`, and
//!    `doctor_sees_a_rollup_that_lies`.
//! 5. **The gateway never changes, holds back or breaks a call**, unless a budget that blocks has no room for it
//!    (`a_thousand_calls_at_once_do_not_overspend`), or its session spent too fast and waits to be resumed
//!    (`a_session_that_spends_too_fast_is_paused_and_nothing_else_is`). If recording fails, the call still goes through:
//!    `the_first_event_is_not_held_back`, `upstream_reset_after_each_event_index`,
//!    `a_ledger_that_is_gone_changes_nothing_for_the_client`,
//!    `a_disk_that_takes_nothing_more_holds_up_no_call_and_what_is_lost_is_counted`.
//! 6. **Every query is scoped** to a user, or to everyone by choice, by a parameter that cannot be left out:
//!    `every_question_names_whose_usage_it_is`, `no_handler_takes_everybody_for_the_owner`, `the_same_key_of_two_users_is_two_calls`,
//!    `an_event_comes_back_as_it_went_in`.
//! 7. **Time is UTC milliseconds in the ledger**; days and months are cut in an IANA zone at the edge, exactly, and nothing
//!    is ever reset: `all_zones_begin_their_days_on_quarter_hours_since_1980`,
//!    `all_zones_3y_days_tile_the_years_and_add_up_to_months`, `another_zone_cuts_its_own_days`,
//!    `the_budget_counts_its_own_month`.
//! 8. **Provider keys and prompt texts are never written** to disk, log, metric or error. The import reads logs that hold
//!    both sides of a conversation: `a_whole_folder_counts_every_call_once_and_no_text`,
//!    `odd_lines_are_told_apart_and_broken_ones_named`; a report has
//!    no field for them: `a_prompt_in_a_report_is_refused_and_not_repeated`. (Its usage object is kept as it came, so nothing
//!    else belongs in there.) Of the secrets that there are, `a_password_is_shown_nowhere`,
//!    `a_channels_secrets_go_in_and_never_come_out`.
//! 9. **History is stable**: a new price changes future events only: `a_new_price_leaves_recorded_calls_as_they_are`,
//!    `the_users_price_wins_while_it_holds`.
//! 10. **Time is injected**, so that tests can stand at any moment: `the_clock_is_read_in_one_place`.

#![forbid(unsafe_code)]

#[cfg(any(feature = "ssr", feature = "hydrate"))]
pub mod app;
#[cfg(feature = "server")]
pub mod capture;
#[cfg(feature = "ssr")]
pub mod cli;
#[cfg(feature = "ssr")]
pub mod config;
pub mod domain;
#[cfg(feature = "ssr")]
pub mod http;
#[cfg(feature = "server")]
pub mod ledger;
#[cfg(feature = "server")]
pub mod tracking;
#[cfg(feature = "server")]
pub mod watch;

pub use domain::cost::{calculate_cost, compare_models, price_of};
pub use domain::money::{NanoUsd, format_cost};
pub use domain::projection::project as project_monthly_cost;
pub use domain::tokens::{TokenCounts, format_tokens};
#[cfg(feature = "server")]
pub use ledger::{Applied, ApplyOutcome, Ledger, LedgerError};
#[cfg(feature = "server")]
pub use tracking::TrackedCall;

/// Brings the server's HTML to life in the browser, and says on `<html>` that it has.
#[cfg(feature = "hydrate")]
#[wasm_bindgen::prelude::wasm_bindgen]
pub fn hydrate() {
    // Its messages cost bytes that a release does not need.
    #[cfg(debug_assertions)]
    console_error_panic_hook::set_once();
    // Asynchronous, because the page's own code is a file of its own.
    wasm_bindgen_futures::spawn_local(async {
        let document = leptos::prelude::document();
        let Some(body) = document.body() else { return };
        leptos::mount::hydrate_from_async(body, app::App).await.forget();
        if let Some(root) = document.document_element() {
            // Fails only for a name that is none.
            let _ = root.set_attribute("data-hydrated", "");
        }
    });
}
