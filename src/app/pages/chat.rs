//! Chat: a small conversation through the gateway, with what each answer cost under it. It needs scripts, because answers
//! are streamed, and nothing of it is kept but its usage: closing the tab ends it.

use crate::app::kit::card::{Card, CardSkeleton};
use crate::app::kit::failure::FailureNote;
use crate::app::kit::icon::{Icon, IconView};
use crate::app::server_fns::chat::{ChatSetUp, get_chat_set_up};
use crate::app::state::conversation::{Total, Turn, TurnState};
use crate::app::widgets::chat_composer::ChatComposer;
use crate::app::widgets::chat_turn::ChatTurn;
use crate::domain::money::format_cost;
use crate::domain::tokens::format_tokens;
use leptos::prelude::*;
use leptos_meta::Title;

#[cfg(feature = "hydrate")]
mod asking;

/// What to begin with, for who only wants to see it work.
const SUGGESTIONS: [&str; 3] = [
    "What is prompt caching, in three sentences?",
    "How many tokens has this question?",
    "Write a haiku about the end of the month.",
];

/// The conversation of this page. Its parts are signals, so that it can be handed around by copy.
#[derive(Clone, Copy)]
struct Conversation {
    turns: RwSignal<Vec<Turn>>,
    /// How many were begun: a turn that is asked again is a new one.
    begun: StoredValue<usize>,
    /// As the server named it with the first answer.
    id: RwSignal<Option<String>>,
    model: RwSignal<String>,
    draft: RwSignal<String>,
}

#[component]
pub fn Chat() -> impl IntoView {
    let set_up = Resource::new(|| (), |()| get_chat_set_up());
    view! {
        <Title text="Chat · Tollbridge"/>
        <Transition fallback=|| view! { <CardSkeleton/> }>
            {move || set_up.get().map(|set_up| match set_up {
                Ok(set_up) if set_up.has_provider_key => view! { <Talk set_up/> }.into_any(),
                Ok(_) => view! { <Head>""</Head><NoProviderKey/> }.into_any(),
                Err(error) => view! {
                    <Head>""</Head>
                    <Card id="chat" title="Chat"><FailureNote message=error.to_string()/></Card>
                }.into_any(),
            })}
        </Transition>
    }
    .into_any()
}

#[component]
fn Head(children: Children) -> impl IntoView {
    view! {
        <header class="page-head">
            <div class="page-title"><h1>"Chat"</h1></div>
            <div class="chat-controls">{children()}</div>
        </header>
    }
}

#[component]
fn NoProviderKey() -> impl IntoView {
    view! {
        <section class="card chat-empty" id="no-provider-key">
            <IconView icon=Icon::Key/>
            <h2>"The chat needs a provider key"</h2>
            <p class="quiet">
                "It asks Claude with a key of this server's own, and none is set. Start Tollbridge with one; it stays in the \
                 server's memory and is never written down."
            </p>
            <div class="snippet chat-command">
                <pre id="chat-command" tabindex="0" role="region" aria-label="Command"><code>"ANTHROPIC_API_KEY=sk-ant-… tollbridge serve"</code></pre>
            </div>
            <p class="quiet">"Your own programs need none of this: "<a class="inline-link" href="/start">"they bring their key along"</a>"."</p>
        </section>
    }
}

/// The page with a provider key.
#[component]
fn Talk(set_up: ChatSetUp) -> impl IntoView {
    let first_model = set_up.models.first().map(|model| model.name.clone()).unwrap_or_default();
    let conversation = Conversation {
        turns: RwSignal::new(Vec::new()),
        begun: StoredValue::new(0),
        id: RwSignal::new(None),
        model: RwSignal::new(first_model),
        draft: RwSignal::new(String::new()),
    };
    let turns = conversation.turns;
    let is_empty = Memo::new(move |_| turns.with(Vec::is_empty));
    let is_answering = Memo::new(move |_| {
        turns.with(|turns| turns.last().is_some_and(|turn| turn.state.get() == TurnState::Answering))
    });
    let (on_send, on_stop) = asking_of(conversation);
    let on_retry = Callback::new(move |number: usize| {
        let question = turns.try_update(|turns| {
            let index = turns.iter().position(|turn| turn.number == number)?;
            Some(turns.remove(index).question)
        });
        if let Some(question) = question.flatten() {
            conversation.draft.set(question);
            on_send.run(());
        }
    });
    let on_suggestion = Callback::new(move |question: &'static str| {
        conversation.draft.set(question.into());
        on_send.run(());
    });
    view! {
        <Head>
            {move || (!is_empty.get()).then(|| view! { <TotalLine turns/> })}
            {move || (!is_empty.get() && !is_answering.get()).then(|| view! {
                <button type="button" class="button button-plain" on:click=move |_| {
                    turns.set(Vec::new());
                    conversation.id.set(None);
                }>"New conversation"</button>
            })}
        </Head>
        <div class="chat" id="chat">
            <p class="notice level-info without-scripts">
                <IconView icon=Icon::Info/>
                <span>"Answers arrive word by word, which needs JavaScript. " <code>"POST /api/chat"</code> " works without."</span>
            </p>
            {move || is_empty.get().then(|| view! { <Beginning on_suggestion/> })}
            <ol class="turns" aria-label="Conversation">
                <For each=move || turns.get() key=|turn| turn.number let:turn>
                    <ChatTurn turn on_retry/>
                </For>
            </ol>
            <p class="visually-hidden" role="status">
                {move || turns.with(|turns| turns.last().and_then(|turn| turn.usage.get())).map(|_| "The answer is complete.")}
            </p>
            <ChatComposer models=set_up.models model=conversation.model draft=conversation.draft is_answering on_send on_stop/>
        </div>
    }
}

#[component]
fn Beginning(on_suggestion: Callback<&'static str>) -> impl IntoView {
    view! {
        <section class="chat-empty">
            <IconView icon=Icon::Chat/>
            <h2>"Ask something, and see what it costs"</h2>
            <p class="quiet">
                "Each answer goes through the gateway and is recorded like any call: its tokens and its exact cost stand under it. \
                 What you write is not kept."
            </p>
            <div class="suggestions needs-scripts">
                {SUGGESTIONS
                    .map(|question| view! {
                        <button type="button" class="suggestion" on:click=move |_| on_suggestion.run(question)>{question}</button>
                    })
                    .into_iter()
                    .collect_view()}
            </div>
        </section>
    }
}

/// What the conversation came to so far.
#[component]
fn TotalLine(turns: RwSignal<Vec<Turn>>) -> impl IntoView {
    let total = Memo::new(move |_| turns.with(|turns| Total::of(turns)));
    let text = move || {
        let Total { tokens, cost, has_unpriced, answers } = total.get();
        let at_least = if has_unpriced { "at least " } else { "" };
        (answers > 0).then(|| {
            view! {
                <span class="quiet">"This conversation"</span>
                <strong class="figure">{format!("{at_least}{}", format_cost(cost))}</strong>
                <span class="quiet figure">{format!("{} tokens", format_tokens(tokens))}</span>
            }
        })
    };
    view! { <p class="chat-total" id="chat-total">{text}</p> }
}

/// What sending and stopping do: nothing, before the browser has taken over.
fn asking_of(conversation: Conversation) -> (Callback<()>, Callback<()>) {
    #[cfg(feature = "hydrate")]
    {
        asking::callbacks(conversation)
    }
    #[cfg(not(feature = "hydrate"))]
    {
        let _ = (conversation.id, conversation.model, conversation.begun);
        (Callback::new(|()| ()), Callback::new(|()| ()))
    }
}
