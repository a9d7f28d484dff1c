//! The form that makes a channel or changes one. The server checks it; what was typed stays, and the message stands at its
//! field.

use crate::app::kit::card::Card;
use crate::app::kit::field::TextField;
use crate::app::kit::form_outcome::FormOutcome;
use crate::app::server_fns::channels::{ChannelDraft, SaveChannel};
use crate::app::state::channel_form::{ChannelFault, ChannelForm, PAGE};
use crate::domain::channel::ChannelKind;
use crate::domain::notification::Topic;
use leptos::form::ActionForm;
use leptos::prelude::*;

const LEVELS: [(&str, &str); 3] =
    [("info", "All alerts"), ("warning", "Warnings and worse"), ("critical", "Critical ones")];
const ENCRYPTIONS: [(&str, &str); 3] =
    [("starttls", "STARTTLS, port 587"), ("tls", "TLS, port 465"), ("none", "None, on this machine")];
const DIGESTS: [(&str, &str); 3] =
    [("none", "At once"), ("daily", "Together, each day at eight"), ("weekly", "Together, on Mondays at eight")];

/// What is wrong with the field of that name in the API.
type FaultAt = Callback<&'static str, Signal<Option<String>>>;

#[component]
pub fn ChannelFormCard(
    draft: ChannelDraft,
    save: ServerAction<SaveChannel>,
    /// A plain form was saved and has come back to its page.
    came_from_saving: Memo<bool>,
) -> impl IntoView {
    let ChannelDraft { form, fault: first_fault } = draft;
    let fault = RwSignal::new(first_fault);
    Effect::new(move |_| {
        if let Some(result) = save.value().get() {
            fault.set(result.err().as_ref().and_then(ChannelFault::of_error));
        }
    });
    let at = FaultAt::new(move |field: &'static str| {
        Signal::derive(move || {
            fault.with(|fault| fault.as_ref().filter(|fault| fault.field == field).map(|fault| fault.message.clone()))
        })
    });
    let has_fault = Signal::derive(move || fault.with(Option::is_some));
    let result = Signal::derive(move || save.value().get().map(|r| r.map(drop).map_err(|error| error.to_string())));
    let kind: ChannelKind = form.kind.parse().unwrap_or(ChannelKind::Slack);
    let is_new = form.id.is_empty();
    let title = if is_new { "New channel".to_owned() } else { format!("Change “{}”", form.name) };
    let target = match kind {
        ChannelKind::Email => view! { <MailFields form=form.clone() at/> }.into_any(),
        _ => view! { <AddressField kind is_new at/> }.into_any(),
    };
    view! {
        <Card id="channel-form" title class="span-4">
            {is_new.then(|| view! { <KindChoice kind/> })}
            <ActionForm action=save attr:class="form" attr:novalidate=true>
                <input type="hidden" name="form[id]" value=form.id.clone()/>
                <input type="hidden" name="form[kind]" value=kind.name()/>
                <TextField name="form[name]" label="Name" placeholder=kind.label() value=form.name.clone() fault=at.run("name")/>
                {target}
                <WhatAndWhen form at/>
                <div class="form-foot">
                    <button class="button" aria-busy=move || save.pending().get().then_some("true")>"Save channel"</button>
                    {(!is_new).then(|| view! { <a class="quiet-link" href=PAGE>"New channel instead"</a> })}
                    <FormOutcome has_fault result is_pending=save.pending() came_from_saving/>
                </div>
            </ActionForm>
            <NewSecret save/>
        </Card>
    }
    .into_any()
}

/// Links, so that choosing needs no scripts.
#[component]
fn KindChoice(kind: ChannelKind) -> impl IntoView {
    let links = ChannelKind::ALL.map(|choice| {
        let href = format!("{PAGE}?kind={}", choice.name());
        view! { <a class="kind" href=href aria-current=(choice == kind).then_some("true")>{choice.label()}</a> }
    });
    view! { <nav class="kinds" aria-label="Kind of channel">{links.into_iter().collect_view()}</nav> }
}

#[component]
fn AddressField(kind: ChannelKind, is_new: bool, at: FaultAt) -> impl IntoView {
    let (label, hint) = match (is_new, kind) {
        (false, _) => ("Address", "Empty: as it is. It is not shown again."),
        (_, ChannelKind::Slack) => ("Webhook URL", "Slack: Apps, Incoming Webhooks, Add New Webhook."),
        (_, ChannelKind::Discord) => ("Webhook URL", "Discord: Channel settings, Integrations, Webhooks."),
        _ => ("URL", "It gets signed JSON, after Standard Webhooks."),
    };
    view! { <TextField name="url" label hint inputmode="url" input_type="url" maxlength=2000 placeholder="https://" value="" fault=at.run("url")/> }
}

#[component]
fn MailFields(form: ChannelForm, at: FaultAt) -> impl IntoView {
    let password_hint = if form.id.is_empty() { "If the server asks for one." } else { "Empty: as it is." };
    view! {
        <TextField name="form[to]" label="To" placeholder="you@example.com" value=form.to fault=at.run("to") hint="Up to ten, with commas between." maxlength=2000/>
        <TextField name="form[from]" label="From" placeholder="tollbridge@example.com" value=form.from fault=at.run("from")/>
        <div class="form-row">
            <TextField name="form[host]" label="Mail server" placeholder="smtp.example.com" value=form.host fault=at.run("host")/>
            <TextField name="form[port]" label="Port" inputmode="numeric" value=form.port fault=at.run("port") hint="Empty: the usual one."/>
        </div>
        <Choices name="form[encryption]" legend="Encryption" choices=&ENCRYPTIONS chosen=form.encryption fault=at.run("encryption")/>
        <div class="form-row">
            <TextField name="form[username]" label="User name" value=form.username fault=at.run("username")/>
            <TextField name="password" label="Password" input_type="password" autocomplete="new-password" value="" fault=at.run("password") hint=password_hint/>
        </div>
    }
}

#[component]
fn WhatAndWhen(form: ChannelForm, at: FaultAt) -> impl IntoView {
    let ChannelForm { min_level, topics, quiet_from, quiet_to, digest, time_zone, .. } = form;
    let topics_fault = at.run("topics");
    let topic = move |topic: Topic, is_chosen: bool| {
        view! {
            <label class="option">
                <input type="checkbox" name="form[topics][]" value=topic.name() checked=is_chosen autocomplete="off"/>
                <span class="option-name">{topic_words(topic)}</span>
            </label>
        }
    };
    let boxes = Topic::CHOICES.map(|choice| topic(choice, topics.iter().any(|chosen| chosen == choice.name())));
    view! {
        <Choices name="form[min_level]" legend="Send" choices=&LEVELS chosen=min_level fault=at.run("minLevel")/>
        <fieldset class="form-group options">
            <legend>"About"</legend>
            {boxes.into_iter().collect_view()}
            <p class="field-fault" aria-live="polite">{move || topics_fault.get()}</p>
        </fieldset>
        <Choices name="form[digest]" legend="When" choices=&DIGESTS chosen=digest fault=at.run("digest")/>
        <fieldset class="form-group">
            <legend>"Quiet hours"</legend>
            <div class="form-row">
                <TextField name="form[quiet_from]" label="From" placeholder="22:00" value=quiet_from fault=at.run("quietFrom")/>
                <TextField name="form[quiet_to]" label="To" placeholder="07:00" value=quiet_to fault=at.run("quietTo")/>
            </div>
            <TextField name="form[time_zone]" label="Time zone" value=time_zone fault=at.run("timeZone")
                hint="Critical alerts come at once, at any hour."/>
        </fieldset>
    }
}

#[component]
fn Choices(
    name: &'static str,
    legend: &'static str,
    choices: &'static [(&'static str, &'static str)],
    chosen: String,
    fault: Signal<Option<String>>,
) -> impl IntoView {
    let options = choices.iter().map(|(value, label)| {
        view! {
            <label class="option">
                <input type="radio" name=name value=*value checked=*value == chosen autocomplete="off"/>
                <span class="option-name">{*label}</span>
            </label>
        }
    });
    let options = options.collect_view();
    view! {
        <fieldset class="form-group options">
            <legend>{legend}</legend>
            {options}
            <p class="field-fault" aria-live="polite">{move || fault.get()}</p>
        </fieldset>
    }
}

/// What a new webhook signs with.
#[component]
fn NewSecret(save: ServerAction<SaveChannel>) -> impl IntoView {
    let secret = move || save.value().get().and_then(Result::ok).flatten();
    view! { <div role="status">{move || secret().map(|secret| view! { <SigningSecret secret/> })}</div> }
}

/// The only place where a signing secret ever stands.
#[component]
pub fn SigningSecret(secret: String) -> impl IntoView {
    view! {
        <div class="signing-secret">
            <p class="small"><strong>"The signing secret. Copy it now: it is shown this once."</strong></p>
            <pre tabindex="0" role="region" aria-label="The signing secret"><code>{secret}</code></pre>
        </div>
    }
}

fn topic_words(topic: Topic) -> &'static str {
    match topic {
        Topic::Budget => "Budgets",
        Topic::Anomaly => "Unusual days",
        _ => "Lost calls",
    }
}
