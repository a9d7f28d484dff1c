//! Which period the page shows, and whether the one before stands beside it. Everything is a real link or a GET form,
//! so it works before and without WebAssembly, can be shared, and the back button undoes it.

use crate::app::format::short_date;
use crate::app::kit::icon::{Icon, IconView};
use crate::app::state::address::{OverviewAddress, use_go_to};
use crate::domain::query::{Range, read_date};
use chrono::NaiveDate;
use leptos::ev::SubmitEvent;
use leptos::html::Input;
use leptos::prelude::*;
use leptos_router::hooks::{use_location, use_query_map};

const PRESETS: [(Range, &str, &str); 4] =
    [(Range::Day, "Day", "d"), (Range::Week, "Week", "w"), (Range::Month, "Month", "m"), (Range::Year, "Year", "y")];

#[component]
pub fn RangeSwitch(address: Signal<OverviewAddress>) -> impl IntoView {
    let path = use_location().pathname;
    let preset = move |(range, label, key): (Range, &'static str, &'static str)| {
        let href = move || address.with(|address| path.with(|path| address.with_range(range).href(path)));
        let is_chosen = move || address.with(|address| address.question.range == range);
        view! {
            <a href=href data-key=key data-noscroll="" aria-current=move || is_chosen().then_some("true")>
                {label}
            </a>
        }
    };
    view! {
        <div class="segments" role="group" aria-label="Period">
            {PRESETS.map(preset).into_iter().collect_view()}
            <CustomRange address/>
        </div>
    }
    .into_any()
}

/// The fifth segment: two dates in a form.
#[component]
fn CustomRange(address: Signal<OverviewAddress>) -> impl IntoView {
    let path = use_location().pathname;
    let dates = move || {
        address.with(|address| match address.question.range {
            Range::Custom { from, to } => Some((from, to)),
            _ => None,
        })
    };
    let label = move || match dates() {
        Some((from, to)) if from == to => short_date(from),
        Some((from, to)) => format!("{} – {}", short_date(from), short_date(to)),
        None => "Custom".into(),
    };
    let (from_input, to_input) = (NodeRef::<Input>::new(), NodeRef::<Input>::new());
    let go_to = use_go_to();
    let show = move |event: SubmitEvent| {
        if let (Some(from), Some(to)) = (date_in(from_input), date_in(to_input)) {
            event.prevent_default();
            go_to(&address.with_untracked(|address| address.with_range(Range::Custom { from, to })));
        }
    };
    let from = move || dates().map(|(from, _)| from.to_string());
    let to = move || dates().map(|(_, to)| to.to_string());
    view! {
        <details class="popover">
            <summary aria-current=move || dates().is_some().then_some("true")>
                <IconView icon=Icon::Calendar/>
                {label}
            </summary>
            <div class="popover-body">
                <form method="get" action=move || path.get() on:submit=show>
                    <HiddenParams without=&["range", "from", "to", "aggregation"]/>
                    <label class="field">"From"<input type="date" name="from" required=true value=from node_ref=from_input/></label>
                    <label class="field">"To, inclusive"<input type="date" name="to" required=true value=to node_ref=to_input/></label>
                    <button class="button">"Show"</button>
                </form>
            </div>
        </details>
    }
    .into_any()
}

fn date_in(input: NodeRef<Input>) -> Option<NaiveDate> {
    read_date(&input.get_untracked()?.value())
}

/// A link that switches the comparison with the period before on and off.
#[component]
pub fn CompareToggle(address: Signal<OverviewAddress>) -> impl IntoView {
    let path = use_location().pathname;
    let is_on = move || address.with(|address| address.question.compare);
    let href =
        move || address.with(|address| path.with(|path| address.with_compare(!address.question.compare).href(path)));
    view! {
        <a class="toggle" href=href data-key="c" data-noscroll="" role="switch" aria-checked=move || is_on().to_string()>
            <span class="toggle-track" aria-hidden="true"></span>
            "Compare"
        </a>
    }
}

/// Carries the rest of the address through a GET form, which would drop it.
#[component]
pub fn HiddenParams(without: &'static [&'static str]) -> impl IntoView {
    let params = use_query_map();
    move || {
        let kept = params.with(|params| {
            let all = params.latest_values().map(|(key, value)| (key.to_string(), value.to_string()));
            all.filter(|(key, _)| !without.contains(&key.as_str())).collect::<Vec<_>>()
        });
        kept.into_iter().map(|(key, value)| view! { <input type="hidden" name=key value=value/> }).collect_view()
    }
}
