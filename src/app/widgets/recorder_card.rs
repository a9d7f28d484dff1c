//! How recording goes: what waits for the ledger, what was lost, and what went wrong last.

use crate::app::kit::card::Card;
use crate::app::kit::icon::IconView;
use crate::app::kit::notice::{Level, Notice, Pill};
use crate::app::server_fns::error::AppError;
use crate::app::server_fns::recorder::{ShownFigure, ShownRecorder};
use leptos::prelude::*;

/// Nothing at all for who may not see it.
#[component]
pub fn RecorderCard(recorder: Resource<Result<Option<ShownRecorder>, AppError>>) -> impl IntoView {
    let kept = Memo::new(move |before: Option<&Option<ShownRecorder>>| match recorder.get() {
        Some(Ok(shown)) => shown,
        _ => before.cloned().flatten(),
    });
    let failure = Memo::new(move |_| recorder.get().and_then(Result::err));
    let may_see = Memo::new(move |_| kept.with(Option::is_some));
    let state = move || {
        kept.get().map(|ShownRecorder { level, state, .. }| {
            view! { <Pill level=level.map_or(Level::Good, Level::of_alert) label=state/> }
        })
    };
    let stale = move || {
        let message = failure.get()?.to_string();
        Some(view! { <Notice level=Level::Warning word="Not up to date" message/> })
    };
    let figures = move || kept.get().map(|shown| shown.figures.into_iter().map(figure_view).collect_view());
    move || {
        may_see.get().then(|| {
            view! {
                <Card id="recording" title="Recording" aside=move || state>
                    {stale}
                    <dl class="recorder-figures">{figures}</dl>
                </Card>
            }
        })
    }
}

fn figure_view(figure: ShownFigure) -> impl IntoView {
    let ShownFigure { name, value, remark, level } = figure;
    let level = level.map(Level::of_alert);
    view! {
        <div class=level.map(Level::class)>
            <dt>{name}</dt>
            <dd class="figure">{level.map(|level| view! { <IconView icon=level.icon()/> })}{value}</dd>
            {(!remark.is_empty()).then(|| view! { <dd class="quiet small">{remark}</dd> })}
        </div>
    }
}
