//! Sample data: to look around before there is anything of one's own, and to take out again without a trace.

use crate::app::format::counted;
use crate::app::kit::card::Card;
use crate::app::kit::notice::{Level, Pill};
use crate::app::server_fns::start::{Arrival, LoadSampleData, RemoveSampleData};
use leptos::form::ActionForm;
use leptos::prelude::*;

#[component]
pub fn SampleDataCard(
    arrival: Memo<Option<Arrival>>,
    load: ServerAction<LoadSampleData>,
    remove: ServerAction<RemoveSampleData>,
) -> impl IntoView {
    let is_loaded = Memo::new(move |_| arrival.with(Option::is_some));
    let is_busy = move || load.pending().get() || remove.pending().get();
    let failure = move || {
        let failed = [load.value().get(), remove.value().get()].into_iter().flatten().find_map(Result::err);
        failed.map(|error| view! { <p class="level-critical import-line">{error.to_string()}</p> })
    };
    view! {
        <Card id="sample" title="Look around first" class="span-4" aside=move || view! { <ArrivalPill arrival/> }>
            <p class="card-lead">
                "Three months of a small team: a switch of models, a day that went wrong, a model without a price. It is marked wherever it is shown."
            </p>
            {move || if is_loaded.get() {
                view! {
                    <ActionForm action=remove attr:class="way-action">
                        <button class="button button-plain" disabled=is_busy>{move || if is_busy() { "Removing…" } else { "Remove sample data" }}</button>
                        <span class="quiet">"Your own calls stay."</span>
                    </ActionForm>
                }.into_any()
            } else {
                view! {
                    <ActionForm action=load attr:class="way-action">
                        <button class="button button-plain" disabled=is_busy>{move || if is_busy() { "Loading…" } else { "Load sample data" }}</button>
                    </ActionForm>
                }.into_any()
            }}
            <div role="status">{failure}</div>
        </Card>
    }
    .into_any()
}

/// Whether anything has come this way yet.
#[component]
pub fn ArrivalPill(arrival: Memo<Option<Arrival>>) -> impl IntoView {
    move || match arrival.get() {
        Some(Arrival { first_at, calls }) => {
            let label = format!("Received, first at {first_at}");
            view! {
                <span class="arrival">
                    <span class="quiet figure">{counted(calls, "call", "calls")}</span>
                    <Pill level=Level::Good label/>
                </span>
            }
            .into_any()
        }
        None => view! { <span class="pill pill-waiting">"Nothing yet"</span> }.into_any(),
    }
}
