//! The channels there are: each with a test, a switch, and the log of what went there.

use crate::app::format::counted;
use crate::app::kit::card::{Card, CardEmpty};
use crate::app::kit::notice::{Level, Notice};
use crate::app::server_fns::channels::{
    ChannelList, DeleteChannel, RotateSigningSecret, SendDeliveryAgain, ShownChannel, ShownDelivery, SwitchChannel,
    TestChannel,
};
use crate::app::state::channel_form::PAGE;
use crate::app::widgets::channel_form::SigningSecret;
use crate::domain::channel::ChannelKind;
use crate::domain::delivery::DeliveryState;
use leptos::form::ActionForm;
use leptos::prelude::*;

/// What can be done with a channel.
#[derive(Clone, Copy)]
pub struct ChannelActions {
    pub test: ServerAction<TestChannel>,
    pub switch: ServerAction<SwitchChannel>,
    pub delete: ServerAction<DeleteChannel>,
    pub send_again: ServerAction<SendDeliveryAgain>,
}

impl ChannelActions {
    /// Changes whenever one of them is done.
    pub fn versions(self) -> [usize; 4] {
        [
            self.test.version().get(),
            self.switch.version().get(),
            self.delete.version().get(),
            self.send_again.version().get(),
        ]
    }
}

#[component]
pub fn ChannelListCard(list: ChannelList, actions: ChannelActions) -> impl IntoView {
    let ChannelList { channels, time_zone } = list;
    let none = channels.is_empty().then(|| {
        view! { <CardEmpty message="No channel yet: alerts are shown in Tollbridge and sent nowhere."/> }
    });
    let failure = move || {
        let results = [
            actions.test.value().get(),
            actions.switch.value().get(),
            actions.delete.value().get(),
            actions.send_again.value().get(),
        ];
        let error = results.into_iter().flatten().find_map(Result::err)?;
        Some(view! { <Notice level=Level::Critical word="Not done." message=error.to_string()/> })
    };
    let items = channels.into_iter().map(|channel| view! { <ChannelItem channel actions/> }).collect_view();
    view! {
        <Card id="channels" title="Your channels" class="span-8" aside=move || view! { <span class="quiet">{format!("Times of {time_zone}")}</span> }>
            {none}
            <ul class="key-list">{items}</ul>
            <div role="status">{failure}</div>
        </Card>
    }
    .into_any()
}

#[component]
fn ChannelItem(channel: ShownChannel, actions: ChannelActions) -> impl IntoView {
    let ShownChannel { kind, target, form, disabled_reason, log } = channel;
    let is_enabled = disabled_reason.is_none();
    let state = disabled_reason.map(|reason| view! { <p class="small level-warning">{format!("Off: {reason}.")}</p> });
    let summary = summary_of(&form.min_level, &form.digest, &form.quiet_from, &form.quiet_to);
    let (id, name, log_name) = (form.id, form.name.clone(), form.name);
    let [test_label, change_label, delete_label] =
        ["Send a test to", "Change", "Delete"].map(|verb| format!("{verb} {name}"));
    let switch_label = format!("Switch {name} {}", if is_enabled { "off" } else { "on" });
    let edit_href = format!("{PAGE}?edit={id}");
    let (of_test, of_switch, of_delete, of_secret) = (id.clone(), id.clone(), id.clone(), id);
    view! {
        <li class="channel-item">
            <div class="key-item">
                <div class="key-what">
                    <p class="key-name"><strong>{name}</strong>" "<span class="tag">{kind.label()}</span></p>
                    <p class="small channel-target">{target}</p>
                    <p class="quiet small">{summary}</p>
                    {state}
                </div>
                <div class="key-end">
                    <ActionForm action=actions.test>
                        <input type="hidden" name="id" value=of_test/>
                        <button class="button" aria-label=test_label
                            aria-busy=move || actions.test.pending().get().then_some("true")>"Send a test"</button>
                    </ActionForm>
                    <a class="button button-plain" href=edit_href aria-label=change_label>"Change"</a>
                    <ActionForm action=actions.switch>
                        <input type="hidden" name="id" value=of_switch/>
                        <input type="hidden" name="is_enabled" value=(!is_enabled).to_string()/>
                        <button class="button button-plain" aria-label=switch_label>
                            {if is_enabled { "Switch off" } else { "Switch on" }}
                        </button>
                    </ActionForm>
                    <details class="confirm">
                        <summary class="button button-plain" aria-label=delete_label>"Delete…"</summary>
                        <ActionForm action=actions.delete attr:class="confirm-body">
                            <input type="hidden" name="id" value=of_delete/>
                            <p class="small">"Its address, its secrets and its log go with it. It cannot be undone."</p>
                            <button class="button button-danger">"Delete it"</button>
                        </ActionForm>
                    </details>
                </div>
            </div>
            {(kind == ChannelKind::Webhook).then(|| view! { <Rotation id=of_secret/> })}
            <DeliveryLog name=log_name log actions/>
        </li>
    }
    .into_any()
}

/// Needs scripts: the secret is shown once and stands in no address.
#[component]
fn Rotation(id: String) -> impl IntoView {
    let rotate = ServerAction::<RotateSigningSecret>::new();
    let ask = move |_| drop(rotate.dispatch(RotateSigningSecret { id: id.clone() }));
    let made = move || match rotate.value().get()? {
        Ok(secret) => Some(view! { <SigningSecret secret/> }.into_any()),
        Err(error) => {
            Some(view! { <Notice level=Level::Critical word="Not made." message=error.to_string()/> }.into_any())
        }
    };
    view! {
        <div class="needs-scripts">
            <button type="button" class="quiet-link small" on:click=ask>"New signing secret"</button>
            <div role="status">{made}</div>
        </div>
    }
    .into_any()
}

#[component]
fn DeliveryLog(name: String, log: Vec<ShownDelivery>, actions: ChannelActions) -> impl IntoView {
    if log.is_empty() {
        return view! { <p class="quiet small">"Nothing was sent here yet."</p> }.into_any();
    }
    let rows = log.into_iter().map(|delivery| view! { <LogRow delivery actions/> }).collect_view();
    view! {
        <div class="table-box table-box-inner" tabindex="0" role="region" aria-label=format!("What went to {name}")>
            <table class="delivery-log">
                <thead><tr><th scope="col">"When"</th><th scope="col">"What"</th><th scope="col">"State"</th><th scope="col">"The receiver said"</th></tr></thead>
                <tbody>{rows}</tbody>
            </table>
        </div>
    }
    .into_any()
}

#[component]
fn LogRow(delivery: ShownDelivery, actions: ChannelActions) -> impl IntoView {
    let ShownDelivery { id, title, state, attempts, created, next, status, answer } = delivery;
    let words = match (state, next) {
        (DeliveryState::Delivered, _) => "Delivered".to_owned(),
        (DeliveryState::Gathered, _) => "In a digest".to_owned(),
        (DeliveryState::Held, Some(at)) => format!("Waits for the digest, {at}"),
        (DeliveryState::Pending, Some(at)) if attempts > 0 => {
            format!("Failed {}, again {at}", counted(attempts.into(), "time", "times"))
        }
        (DeliveryState::Pending, Some(at)) => format!("Due {at}"),
        _ => "Given up".to_owned(),
    };
    let class = match state {
        DeliveryState::Delivered => "level-good",
        DeliveryState::Dead => "level-critical",
        _ => "",
    };
    let status = status.map(|status| status.to_string());
    let said = [status, answer.filter(|answer| !answer.is_empty())].into_iter().flatten().collect::<Vec<_>>().join(" ");
    let again_label = format!("Send “{title}” again");
    let again = (state == DeliveryState::Dead).then(|| {
        view! {
            <ActionForm action=actions.send_again>
                <input type="hidden" name="id" value=id/>
                <button class="quiet-link small" aria-label=again_label>"Send again"</button>
            </ActionForm>
        }
    });
    view! {
        <tr>
            <td>{created}</td>
            <td>{title}</td>
            <td><span class=class>{words}</span>{again}</td>
            <td class="said">{said}</td>
        </tr>
    }
    .into_any()
}

/// What a channel takes, in a sentence.
fn summary_of(min_level: &str, digest: &str, quiet_from: &str, quiet_to: &str) -> String {
    let what = match min_level {
        "critical" => "Critical alerts",
        "warning" => "Warnings and critical alerts",
        _ => "All alerts",
    };
    let when = match digest {
        "daily" => ", together each day",
        "weekly" => ", together each week",
        _ => "",
    };
    let quiet = if quiet_from.is_empty() { String::new() } else { format!(", quiet from {quiet_from} to {quiet_to}") };
    format!("{what}{when}{quiet}.")
}

#[cfg(test)]
mod tests {
    use super::summary_of;

    #[test]
    fn a_channel_says_what_it_takes() {
        assert_eq!(summary_of("info", "none", "", ""), "All alerts.");
        assert_eq!(
            summary_of("warning", "daily", "22:00", "07:00"),
            "Warnings and critical alerts, together each day, quiet from 22:00 to 07:00."
        );
    }
}
