//! The live dot: when the ledger last moved, and whether the page hears of the next move by itself.

#[cfg(feature = "hydrate")]
use crate::app::server_fns::error::AppError;
use crate::app::server_fns::live::get_live_version;
use crate::app::server_fns::report::LatestCall;
use crate::domain::query::UsageQuery;
use leptos::prelude::*;

#[cfg(feature = "hydrate")]
mod stream;

/// What a page hears beside the moves of its numbers.
#[derive(Clone, Copy)]
pub struct Live {
    /// At the moment.
    pub is_connected: Signal<bool>,
    /// Another number once there is something else to tell of the recorder.
    pub recorder_news: Signal<u64>,
}

/// Runs `on_move` whenever the numbers that `question` is about have moved since the page showed them, in the browser. Whose
/// they are is all that counts of the question.
pub fn follow_moves(question: Signal<UsageQuery>, on_move: impl Fn() + Send + Sync + 'static) -> Live {
    let shown = Resource::new(
        move || question.get(),
        |question| async move { (question.clone(), get_live_version(question).await) },
    );
    let is_connected = RwSignal::new(false);
    let recorder_news = RwSignal::new(0);
    #[cfg(feature = "hydrate")]
    {
        let known = StoredValue::new(None::<u64>);
        let on_move = StoredValue::new(on_move);
        Effect::new(move |_| {
            // The version that the page shows comes first, so that a move between it and the connection is not missed. With
            // another answer this runs again, and the connection from before is cleaned up.
            let Some((question, version)) = shown.get() else { return };
            if let Err(AppError::Forbidden | AppError::Invalid { .. }) = version {
                return;
            }
            known.set_value(version.ok());
            stream::listen(&question.to_query_string(), is_connected, move |version, news| {
                recorder_news.set(news);
                if known.get_value() != Some(version) {
                    known.set_value(Some(version));
                    on_move.with_value(|on_move| on_move());
                }
            });
        });
    }
    #[cfg(not(feature = "hydrate"))]
    let _ = (shown, on_move);
    Live { is_connected: is_connected.into(), recorder_news: recorder_news.into() }
}

/// The time comes from the server, so that both sides render the same.
#[component]
pub fn LiveDot(call: Option<LatestCall>, is_connected: Signal<bool>) -> impl IntoView {
    call.map(|call| {
        view! {
            <p class="live">
                <span class="live-dot" class:live-on=move || is_connected.get() aria-hidden="true"></span>
                "Last call "
                <span class="figure">{call.time}</span>
                <span class="live-zone">{format!(" {}", call.time_zone)}</span>
            </p>
        }
    })
}
