//! Importing the logs that Claude Code has written: what was found, one button, how far it is, and what came of it.

use super::sample_data::ArrivalPill;
use crate::app::format::{capitalised, counted};
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
                <span class="quiet figure">{format!("{} · {}", counted(folder.files, "log", "logs"), format_bytes(folder.bytes))}</span>
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

/// `812 B`, `4.1 kB`, `97 MB`, `1.2 GB`: powers of a thousand, as disks are sold.
fn format_bytes(bytes: u64) -> String {
    const UNITS: [(u64, &str); 4] =
        [(1_000_000_000_000, "TB"), (1_000_000_000, "GB"), (1_000_000, "MB"), (1_000, "kB")];
    let Some((size, unit)) = UNITS.into_iter().find(|(size, _)| bytes >= *size) else { return format!("{bytes} B") };
    let (whole, tenth) = (bytes / size, bytes % size * 10 / size);
    if whole < 10 { format!("{whole}.{tenth} {unit}") } else { format!("{whole} {unit}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_read_well() {
        for (bytes, text) in
            [(0, "0 B"), (999, "999 B"), (4_149, "4.1 kB"), (97_900_000, "97 MB"), (1_250_000_000, "1.2 GB")]
        {
            assert_eq!(format_bytes(bytes), text);
        }
    }
}
