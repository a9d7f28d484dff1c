//! Get started: the ways in that there are, each with what has arrived by it so far. While the page is open it looks by
//! itself; without scripts a reload does.

use crate::app::kit::card::CardSkeleton;
use crate::app::kit::failure::FailureNote;
use crate::app::server_fns::start::{
    Arrivals, ImportState, LoadSampleData, RemoveSampleData, StartImport, get_arrivals, get_base_url, get_log_folders,
};
use crate::app::widgets::gateway_snippets::GatewaySnippetsCard;
use crate::app::widgets::log_import::LogImportCard;
use crate::app::widgets::sample_data::SampleDataCard;
use crate::app::widgets::usage_snippets::UsageSnippetsCard;
use leptos::prelude::*;
use leptos_meta::Title;
use std::time::Duration;

/// How soon the page looks again: often while an import runs, else as often as a person would.
const WHILE_IMPORTING: Duration = Duration::from_millis(600);
const WHILE_WAITING: Duration = Duration::from_millis(2_500);

#[component]
pub fn Start() -> impl IntoView {
    let import = ServerAction::<StartImport>::new();
    let load = ServerAction::<LoadSampleData>::new();
    let remove = ServerAction::<RemoveSampleData>::new();
    let changes = move || (import.version().get(), load.version().get(), remove.version().get());
    let arrivals = Resource::new(changes, |_| get_arrivals());
    let folders = Resource::new(|| (), |()| get_log_folders());
    let base_url = Resource::new(|| (), |()| get_base_url());
    look_again(arrivals);

    view! {
        <Title text="Get started · Tollbridge"/>
        <header class="page-head">
            <div class="page-title"><h1>"Get started"</h1></div>
        </header>
        <div class="answer">
            <Transition fallback=|| view! { <CardSkeleton class="span-12"/> }>
                {move || {
                    // Read here, so that the page waits for all three.
                    let (folders, base_url) = (folders.get()?, base_url.get()?);
                    arrivals.with(Option::is_some).then(|| {
                        view! {
                            <WaysIn arrivals folders=folders.unwrap_or_default() base_url=base_url.unwrap_or_default() import load remove/>
                        }
                    })
                }}
            </Transition>
        </div>
    }
    .into_any()
}

#[component]
fn WaysIn(
    arrivals: Resource<Result<Arrivals, crate::app::server_fns::error::AppError>>,
    folders: Vec<crate::app::server_fns::start::FoundFolder>,
    base_url: String,
    import: ServerAction<StartImport>,
    load: ServerAction<LoadSampleData>,
    remove: ServerAction<RemoveSampleData>,
) -> impl IntoView {
    let kept = Memo::new(move |before: Option<&Option<Arrivals>>| match arrivals.get() {
        Some(Ok(arrivals)) => Some(arrivals),
        _ => before.cloned().flatten(),
    });
    let passed = Memo::new(move |_| kept.with(|kept| kept.as_ref().and_then(|kept| kept.passed.clone())));
    let imported = Memo::new(move |_| kept.with(|kept| kept.as_ref().and_then(|kept| kept.imported.clone())));
    let posted = Memo::new(move |_| kept.with(|kept| kept.as_ref().and_then(|kept| kept.posted.clone())));
    let sample = Memo::new(move |_| kept.with(|kept| kept.as_ref().and_then(|kept| kept.sample.clone())));
    let state =
        Memo::new(move |_| kept.with(|kept| kept.as_ref().map_or(ImportState::Idle, |kept| kept.import.clone())));
    let failure = Memo::new(move |_| arrivals.get().and_then(Result::err));
    let has_any = move || {
        kept.with(|kept| {
            kept.as_ref()
                .is_some_and(|k| k.passed.is_some() || k.imported.is_some() || k.posted.is_some() || k.sample.is_some())
        })
    };
    view! {
        <p class="headline">
            {move || if has_any() {
                view! { "Calls are arriving. " <a class="inline-link" href="/">"See what they cost"</a> "." }.into_any()
            } else {
                view! { "Four ways in. Each takes a minute, and turns green when its first call is here." }.into_any()
            }}
        </p>
        {move || failure.get().map(|error| view! { <div class="card"><FailureNote message=error.to_string()/></div> })}
        <div class="cards">
            <GatewaySnippetsCard base_url=base_url.clone() arrival=passed/>
            <LogImportCard folders state arrival=imported import/>
            <UsageSnippetsCard base_url arrival=posted/>
            <SampleDataCard arrival=sample load remove/>
        </div>
        <p class="foot quiet">
            "Prompts and answers are never stored, only what they cost. Tollbridge itself sends nothing to anybody."
            {move || kept.with(|kept| kept.as_ref().map(|kept| format!(" Times are of {}.", kept.time_zone)))}
        </p>
    }
    .into_any()
}

/// Asks again a while after each answer, as long as the page is open. Effects run in the browser only.
fn look_again(arrivals: Resource<Result<Arrivals, crate::app::server_fns::error::AppError>>) {
    Effect::new(move |_| {
        let is_importing =
            arrivals.with(|arrivals| matches!(arrivals, Some(Ok(Arrivals { import: ImportState::Running(_), .. }))));
        let wait = if is_importing { WHILE_IMPORTING } else { WHILE_WAITING };
        if let Ok(timer) = set_timeout_with_handle(move || arrivals.refetch(), wait) {
            on_cleanup(move || timer.clear());
        }
    });
}
