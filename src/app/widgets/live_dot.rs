//! The live dot: when the ledger last moved, and whether the page hears of the next move by itself.

use crate::app::server_fns::live::get_live_version;
use crate::app::server_fns::report::LatestCall;
use leptos::prelude::*;

#[cfg(feature = "hydrate")]
mod stream;

/// Runs `on_move` whenever the user's numbers have moved since the page was made, in the browser. Gives whether the page
/// is connected at the moment.
pub fn follow_moves(on_move: impl Fn() + Send + Sync + 'static) -> Signal<bool> {
    let shown = Resource::new(|| (), |()| get_live_version());
    let is_connected = RwSignal::new(false);
    #[cfg(feature = "hydrate")]
    {
        let known = StoredValue::new(None::<u64>);
        let on_move = StoredValue::new(on_move);
        let is_started = StoredValue::new(false);
        Effect::new(move |_| {
            // The version that the page shows comes first, so that a move between it and the connection is not missed.
            let Some(shown) = shown.get() else { return };
            if is_started.get_value() {
                return;
            }
            is_started.set_value(true);
            known.set_value(shown.ok());
            stream::listen(is_connected, move |version| {
                if known.get_value() != Some(version) {
                    known.set_value(Some(version));
                    on_move.with_value(|on_move| on_move());
                }
            });
        });
    }
    #[cfg(not(feature = "hydrate"))]
    let _ = (shown, on_move);
    is_connected.into()
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
