//! The sessions that spent too fast, each with the button that lets it go on. Nothing at all where none is paused.

use crate::app::kit::card::Card;
use crate::app::kit::icon::IconView;
use crate::app::kit::notice::{Level, Notice};
use crate::app::server_fns::alerts::{ResumeSession, ShownPause};
use crate::app::state::alerts_address::AlertShow;
use crate::app::widgets::alert_list::fields_of;
use leptos::form::ActionForm;
use leptos::prelude::*;

#[component]
pub fn PausedSessions(pauses: Vec<ShownPause>, show: AlertShow, resume: ServerAction<ResumeSession>) -> impl IntoView {
    let line = move |ShownPause { id, message }: ShownPause| {
        let label = format!("Resume: {message}");
        view! {
            <li class=format!("alert-item {}", Level::Critical.class())>
                <IconView icon=Level::Critical.icon()/>
                <p class="alert-what">{message}</p>
                <div class="alert-end">
                    <ActionForm action=resume>
                        {fields_of(&id, show)}
                        <button class="button" aria-label=label>"Resume"</button>
                    </ActionForm>
                </div>
            </li>
        }
    };
    let failure = move || {
        let error = resume.value().get().and_then(Result::err)?;
        Some(view! { <Notice level=Level::Critical word="Not resumed." message=error.to_string()/> })
    };
    (!pauses.is_empty())
        .then(|| {
            view! {
                <Card id="paused-sessions" title="Paused sessions" class="alerts-card">
                    <ul class="alert-list">{pauses.into_iter().map(line).collect_view()}</ul>
                    <div role="status">{failure}</div>
                </Card>
            }
        })
        .into_any()
}
