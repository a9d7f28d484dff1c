//! A red line when calls were lost, and an amber one when a crash would have lost some. Nothing at all when there is
//! neither, which is nearly always.

use crate::app::kit::notice::{Level, Notice};
use crate::app::server_fns::error::AppError;
use crate::app::server_fns::recorder::{RecorderNews, get_recorder_news};
use leptos::prelude::*;

/// `news` changes when there is something else to tell.
#[component]
pub fn RecorderStrip(news: Signal<u64>) -> impl IntoView {
    let told = Resource::new(move || news.get(), |_| get_recorder_news());
    view! { <Transition><Lines told/></Transition> }
}

#[component]
fn Lines(told: Resource<Result<RecorderNews, AppError>>) -> impl IntoView {
    // What was told stays while the server cannot be asked.
    let kept = Memo::new(move |before: Option<&RecorderNews>| match told.get() {
        Some(Ok(news)) => news,
        _ => before.cloned().unwrap_or_default(),
    });
    move || {
        let RecorderNews { lost, late, href } = kept.get();
        let line = |level, word, message: Option<String>| {
            let evidence = href.clone().map(|href| (href, "See how recording goes"));
            message.map(|message| view! { <Notice level word message evidence/> })
        };
        (lost.is_some() || late.is_some()).then(|| {
            view! {
                <section class="alerts" aria-label="Recording">
                    {line(Level::Critical, "Calls lost", lost)}
                    {line(Level::Warning, "Written late", late)}
                </section>
            }
        })
    }
}
