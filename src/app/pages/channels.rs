//! Channels: where alerts go, and what went there. Needs no scripts, but for a webhook's signing secret, which is shown once
//! and stands in no address.

use crate::app::kit::card::{Card, CardSkeleton};
use crate::app::kit::failure::FailureNote;
use crate::app::server_fns::channels::{
    DeleteChannel, SaveChannel, SendDeliveryAgain, SwitchChannel, TestChannel, WantedForm, get_channel_draft,
    get_channels,
};
use crate::app::state::channel_form::ChannelForm;
use crate::app::widgets::channel_form::ChannelFormCard;
use crate::app::widgets::channel_list::{ChannelActions, ChannelListCard};
use crate::domain::channel::ChannelKind;
use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::use_query_map;
use leptos_router::params::ParamsMap;

#[component]
pub fn Channels() -> impl IntoView {
    let params = use_query_map();
    let wanted = Memo::new(move |_| params.with(wanted_form));
    let came_from_saving = Memo::new(move |_| params.with(|params| params.get_str("saved").is_some()));
    let save = ServerAction::<SaveChannel>::new();
    let actions = ChannelActions {
        test: ServerAction::<TestChannel>::new(),
        switch: ServerAction::<SwitchChannel>::new(),
        delete: ServerAction::<DeleteChannel>::new(),
        send_again: ServerAction::<SendDeliveryAgain>::new(),
    };
    let draft = Resource::new(move || wanted.get(), get_channel_draft);
    let channels = Resource::new(move || (save.version().get(), actions.versions()), |_| get_channels());
    view! {
        <Title text="Channels · Tollbridge"/>
        <header class="page-head">
            <div class="page-title"><h1>"Where alerts go"</h1></div>
        </header>
        <div class="answer">
            <div class="cards">
                <Transition fallback=|| view! { <CardSkeleton class="span-8"/><CardSkeleton class="span-4"/> }>
                    {move || channels.get().map(|channels| match channels {
                        Ok(list) => view! { <ChannelListCard list actions/> }.into_any(),
                        Err(error) => view! {
                            <Card id="channels" title="Your channels" class="span-8"><FailureNote message=error.to_string()/></Card>
                        }.into_any(),
                    })}
                    {move || draft.get().map(|draft| match draft {
                        Ok(draft) => view! { <ChannelFormCard draft save came_from_saving/> }.into_any(),
                        Err(error) => view! {
                            <Card id="channel-form" title="New channel" class="span-4"><FailureNote message=error.to_string()/></Card>
                        }.into_any(),
                    })}
                </Transition>
            </div>
        </div>
    }
    .into_any()
}

fn wanted_form(params: &ParamsMap) -> WantedForm {
    if let Some(entered) = ChannelForm::from_params(params) {
        return WantedForm::Entered(Box::new(entered));
    }
    if let Some(id) = params.get_str("edit") {
        return WantedForm::Of(id.to_owned());
    }
    let kind = params.get_str("kind").and_then(|kind| kind.parse().ok());
    WantedForm::New(kind.unwrap_or(ChannelKind::Slack))
}
