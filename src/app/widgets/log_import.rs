//! Importing the logs that Claude Code has written: what was found, one button, how far it is, and what came of it.

use super::sample_data::ArrivalPill;
use crate::app::format::{bytes, capitalised, counted};
use crate::app::kit::card::Card;
use crate::app::kit::icon::{Icon, IconView};
use crate::app::server_fns::start::{
    Arrival, BrokenLogLine, FoundFolder, ImportProgress, ImportResult, ImportState, StartImport,
};
use crate::domain::money::group_thousands;
use leptos::form::ActionForm;
use leptos::prelude::*;

#[component]
pub fn LogImportCard(
    folders: Vec<FoundFolder>,
    state: Memo<ImportState>,
    arrival: Memo<Option<Arrival>>,
    import: ServerAction<StartImport>,
) -> impl IntoView {
    let has_logs = folders.iter().any(|folder| folder.files > 0);
    let is_running = Memo::new(move |_| state.with(|state| matches!(state, ImportState::Running(_))));
    let label = move || match (state.get(), arrival.with(Option::is_some)) {
        (ImportState::Running(_), _) => "Importing…",
        (ImportState::Failed(_), _) => "Try again",
        (_, true) => "Import again",
        (_, false) => "Import",
    };
    let action = has_logs.then(|| {
        view! {
            <ActionForm action=import attr:class="way-action">
                <button class="button" class:button-plain=move || arrival.with(Option::is_some) disabled=move || is_running.get()>{label}</button>
                <span class="quiet">"Reading again adds only what is new."</span>
            </ActionForm>
        }
    });
    view! {
        <Card id="import" title="Import Claude Code logs" aside=move || view! { <ArrivalPill arrival/> }>
            <p class="card-lead">
                "Claude Code keeps a log of every session on this machine, with the tokens of each call. Only those are read, never what was said."
            </p>
            {if has_logs { view! { <FolderList folders/> }.into_any() } else { view! { <NoFolders/> }.into_any() }}
            {action}
            <div role="status">
                {move || match state.get() {
                    ImportState::Idle => ().into_any(),
                    ImportState::Running(progress) => view! { <ProgressLine progress/> }.into_any(),
                    ImportState::Done(result) => view! { <ResultView result/> }.into_any(),
                    ImportState::Failed(message) => view! {
                        <p class="import-line level-critical"><IconView icon=Icon::Critical/>{message}" What was recorded stays; the next import goes on from there."</p>
                    }.into_any(),
                }}
            </div>
        </Card>
    }
    .into_any()
}

#[component]
fn FolderList(folders: Vec<FoundFolder>) -> impl IntoView {
    let row = |folder: FoundFolder| {
        view! {
            <li>
                <code>{folder.path}</code>
                <span class="quiet figure">{format!("{} · {}", counted(folder.files, "log", "logs"), bytes(folder.bytes))}</span>
            </li>
        }
    };
    view! { <ul class="folders">{folders.into_iter().map(row).collect_view()}</ul> }.into_any()
}

#[component]
fn NoFolders() -> impl IntoView {
    view! {
        <p class="quiet way-empty">
            "No logs were found in " <code>"~/.claude"</code> ", " <code>"~/.config/claude"</code> " or " <code>"CLAUDE_CONFIG_DIR"</code>
            ". If they are elsewhere: " <code>"tollbridge import claude-code FOLDER"</code> "."
        </p>
    }
    .into_any()
}

#[component]
fn ProgressLine(progress: ImportProgress) -> impl IntoView {
    // A large log is one step: until the first is done, nothing is known but that it goes on.
    let measured = (progress.bytes_done > 0).then(|| progress.bytes_done.to_string());
    let files = format!(
        "{} of {} · {} so far",
        group_thousands(progress.files_done),
        counted(progress.files_total, "log", "logs"),
        counted(progress.calls, "call", "calls")
    );
    view! {
        <div class="import-progress">
            <progress aria-label="Import" max=progress.bytes_total.max(1).to_string() value=measured></progress>
            <p class="quiet figure">{files}</p>
            <p class="quiet">
                "It goes on when you leave this page."
                <a class="inline-link without-scripts" href="/start">"Look again"</a>
            </p>
        </div>
    }
    .into_any()
}

#[component]
fn ResultView(result: ImportResult) -> impl IntoView {
    let figure = |count: u64, label: &'static str| {
        view! { <div><dd class="figure">{group_thousands(count)}</dd><dt>{label}</dt></div> }
    };
    let unchanged = (result.files_unchanged > 0)
        .then(|| format!(" {} had not changed since the last import.", counted(result.files_unchanged, "log", "logs")));
    let broken = (result.broken_count > 0)
        .then(|| view! { <BrokenLines count=result.broken_count lines=result.broken.clone()/> });
    view! {
        <div class="import-result">
            <p class="import-line level-good"><IconView icon=Icon::Check/>{format!("{} read.", capitalised(&counted(result.files, "log", "logs")))}{unchanged}</p>
            <dl class="import-figures">
                {figure(result.recorded, "entries recorded")}
                {figure(result.updated, "updated")}
                {figure(result.known, "known before")}
                {(result.too_old > 0).then(|| figure(result.too_old, "older than what is kept, left out"))}
                {figure(result.skipped, "made up by the client, skipped")}
                {figure(result.broken_count, "broken lines")}
            </dl>
            {broken}
        </div>
    }
    .into_any()
}

#[component]
fn BrokenLines(count: u64, lines: Vec<BrokenLogLine>) -> impl IntoView {
    let more = count.saturating_sub(lines.len() as u64);
    let row = |line: BrokenLogLine| {
        let place = if line.line == 0 { line.file } else { format!("{}:{}", line.file, line.line) };
        view! { <li><code>{place}</code><span class="quiet">{line.reason}</span></li> }
    };
    view! {
        <details class="broken-lines">
            <summary><IconView icon=Icon::ChevronRight/>{format!("{} could not be read; the rest was", counted(count, "line", "lines"))}</summary>
            <ul>{lines.into_iter().map(row).collect_view()}</ul>
            {(more > 0).then(|| view! { <p class="quiet">{format!("And {} more.", group_thousands(more))}</p> })}
        </details>
    }
    .into_any()
}
