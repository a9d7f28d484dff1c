//! A turn of the chat: the question, the answer as it is written, and under it what it used and cost.

use crate::app::format::counted;
use crate::app::kit::notice::{Level, Notice};
use crate::app::state::chat_events::{Passage, passages};
use crate::app::state::conversation::{Turn, TurnState};
use crate::domain::chat::TurnUsage;
use crate::domain::money::{NanoUsd, format_cost};
use crate::domain::tokens::{TokenCounts, format_tokens};
use crate::domain::usage::PricingState;
use leptos::prelude::*;

/// `on_retry` takes the question back to be asked again.
#[component]
pub fn ChatTurn(turn: Turn, on_retry: Callback<usize>) -> impl IntoView {
    let Turn { number, question, answer, state, usage } = turn;
    let ends = state.clone();
    let is_waiting = {
        let (answer, state) = (answer.clone(), state.clone());
        move || state.get() == TurnState::Answering && answer.with(String::is_empty)
    };
    view! {
        <li class="turn">
            <div class="question"><span class="visually-hidden">"You: "</span>{question}</div>
            <div class="turn-answer" aria-busy=move || (state.get() == TurnState::Answering).then_some("true")>
                {move || answer.with(|text| passages(text)).into_iter().map(passage_view).collect_view()}
                {move || is_waiting().then(|| view! {
                    <p class="turn-wait"><span class="visually-hidden">"Waiting for the answer"</span><i></i><i></i><i></i></p>
                })}
            </div>
            {move || ending_view(&ends.get(), number, on_retry)}
            {move || usage.get().map(usage_view)}
        </li>
    }
    .into_any()
}

fn passage_view(passage: Passage) -> AnyView {
    match passage {
        Passage::Prose(text) => view! { <p class="prose">{text}</p> }.into_any(),
        Passage::Code(text) => {
            view! { <pre tabindex="0" role="region" aria-label="Code"><code>{text}</code></pre> }.into_any()
        }
    }
}

fn ending_view(state: &TurnState, number: usize, on_retry: Callback<usize>) -> Option<AnyView> {
    match state {
        TurnState::Answering | TurnState::Done => None,
        TurnState::Stopped => Some(view! { <p class="quiet small">"Stopped by you."</p> }.into_any()),
        TurnState::Failed(reason) => Some(
            view! {
                <div class="turn-failure" role="alert">
                    <Notice level=Level::Critical word="No answer." message=sentence(reason)/>
                    <button type="button" class="button button-plain" on:click=move |_| on_retry.run(number)>"Ask again"</button>
                </div>
            }
            .into_any(),
        ),
    }
}

/// `claude-haiku-4-5 · 1,204 in · 350 out · 800 from the cache · $0.0042`.
fn usage_view(usage: TurnUsage) -> impl IntoView {
    let TurnUsage { model, tokens, cost, saved_by_cache, pricing_state, stop_reason, .. } = usage;
    let remark = match (pricing_state, stop_reason.as_deref()) {
        (PricingState::Unpriced, _) => Some("no price is known for this model"),
        (PricingState::NoUsage, _) => Some("the provider told no usage"),
        (PricingState::Estimated, _) => Some("estimated"),
        (_, Some("max_tokens")) => Some("cut at the longest answer that the chat asks for"),
        (_, Some("refusal")) => Some("declined by the model"),
        _ => None,
    };
    view! {
        <dl class="turn-usage">
            <div class="turn-cost">
                <dt class="visually-hidden">"Cost"</dt>
                <dd class="figure">{cost.map_or_else(|| "Cost unknown".into(), format_cost)}</dd>
            </div>
            {counts_of(&tokens)
                .into_iter()
                .map(|(label, count)| view! {
                    <div title=counted(count, "token", "tokens")><dt>{label}</dt><dd class="figure">{format_tokens(count)}</dd></div>
                })
                .collect_view()}
            {saved_by_cache.filter(|saved| *saved != NanoUsd::ZERO).map(saving_view)}
            <div><dt class="visually-hidden">"Model"</dt><dd>{model}</dd></div>
            {remark.map(|remark| view! { <div><dt class="visually-hidden">"Note"</dt><dd>{remark}</dd></div> })}
        </dl>
    }
}

fn counts_of(tokens: &TokenCounts) -> Vec<(&'static str, u64)> {
    let written = tokens.cache_write_5m.saturating_add(tokens.cache_write_1h);
    let cached = [("read from cache", tokens.cache_read), ("written to cache", written)];
    let always = [("in", tokens.input), ("out", tokens.output)];
    always.into_iter().chain(cached.into_iter().filter(|(_, count)| *count > 0)).collect()
}

fn saving_view(saved: NanoUsd) -> impl IntoView {
    let (label, class) =
        if saved.0 > 0 { ("saved by cache", "level-good") } else { ("more for filling the cache", "level-info") };
    view! {
        <div class=format!("turn-saving {class}")>
            <dt>{label}</dt>
            <dd class="figure">{format_cost(NanoUsd(saved.0.saturating_abs()))}</dd>
        </div>
    }
}

fn sentence(reason: &str) -> String {
    let text = crate::app::format::capitalised(reason);
    if text.ends_with(['.', '?', '!']) { text } else { text + "." }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cache_that_was_not_used_is_not_mentioned() {
        let tokens = TokenCounts { input: 7, output: 3, ..TokenCounts::default() };
        assert_eq!(counts_of(&tokens), [("in", 7), ("out", 3)]);
        let tokens = TokenCounts { cache_write_5m: 2, cache_write_1h: 3, cache_read: 1, ..tokens };
        assert_eq!(counts_of(&tokens)[2..], [("read from cache", 1), ("written to cache", 5)]);
    }

    #[test]
    fn a_reason_becomes_one_sentence() {
        assert_eq!(sentence("the provider cannot be reached"), "The provider cannot be reached.");
        assert_eq!(sentence("Is it long enough?"), "Is it long enough?");
    }
}
