//! Where a question is written. Enter sends it, Shift and Enter begin a new line.

use crate::app::kit::icon::{Icon, IconView};
use crate::app::server_fns::chat::ChatModel;
use leptos::ev::{KeyboardEvent, SubmitEvent};
use leptos::prelude::*;

#[component]
pub fn ChatComposer(
    models: Vec<ChatModel>,
    /// The name of the chosen model.
    model: RwSignal<String>,
    draft: RwSignal<String>,
    #[prop(into)] is_answering: Signal<bool>,
    on_send: Callback<()>,
    on_stop: Callback<()>,
) -> impl IntoView {
    let send = move || {
        if !is_answering.get_untracked() && !draft.with_untracked(|draft| draft.trim().is_empty()) {
            on_send.run(());
        }
    };
    let submit = move |event: SubmitEvent| {
        event.prevent_default();
        send();
    };
    let press = move |event: KeyboardEvent| {
        // Enter also ends what an input method composes.
        if event.key() == "Enter" && !event.shift_key() && !event.is_composing() {
            event.prevent_default();
            send();
        }
    };
    let prices = {
        let models = models.clone();
        move || {
            let chosen = model.get();
            models.iter().find(|one| one.name == chosen).map(|one| {
                format!("${} in · ${} out per million tokens", one.input_usd_per_million, one.output_usd_per_million)
            })
        }
    };
    view! {
        <form class="composer needs-scripts" on:submit=submit>
            <label class="visually-hidden" for="chat-message">"Message"</label>
            <div class="composer-text" data-text=move || draft.get()>
                <textarea id="chat-message" rows="1" placeholder="Ask something" maxlength="60000" autocomplete="off"
                    prop:value=move || draft.get()
                    on:input:target=move |event| draft.set(event.target().value())
                    on:keydown=press></textarea>
            </div>
            <div class="composer-foot">
                <label class="field composer-model">
                    <span class="visually-hidden">"Model"</span>
                    <select on:change:target=move |event| model.set(event.target().value())>
                        {models
                            .into_iter()
                            .map(|one| {
                                let is_chosen = one.name == model.get_untracked();
                                let name = one.name.clone();
                                view! { <option value=name selected=is_chosen>{one.name}</option> }
                            })
                            .collect_view()}
                    </select>
                </label>
                <span class="quiet small composer-prices">{prices}</span>
                {move || match is_answering.get() {
                    true => view! {
                        <button type="button" class="button composer-button" on:click=move |_| on_stop.run(())>
                            <IconView icon=Icon::Stop/>"Stop"
                        </button>
                    }.into_any(),
                    false => view! {
                        <button class="button composer-button" disabled=move || draft.with(|draft| draft.trim().is_empty())>
                            <IconView icon=Icon::Send/>"Send"
                        </button>
                    }.into_any(),
                }}
            </div>
        </form>
    }
    .into_any()
}
