//! A red line when calls were lost. Nothing at all when none was, which is nearly always.

use crate::app::format::counted;
use crate::app::kit::notice::{Level, Notice};
use crate::app::server_fns::live::get_recorder_health;
use crate::domain::recorder_health::{LostCalls, RecorderHealth};
use leptos::prelude::*;

#[component]
pub fn RecorderStrip() -> impl IntoView {
    let health = Resource::new(|| (), |()| get_recorder_health());
    view! {
        <Transition>
            {move || {
                let message = health.get().and_then(Result::ok).and_then(|health| message_of(&health));
                message.map(|message| view! {
                    <section class="alerts" aria-label="Recording">
                        <Notice level=Level::Critical word="Calls lost" message/>
                    </section>
                })
            }}
        </Transition>
    }
}

/// How many calls are missing from the figures, and why. Those that the ledger refuses are kept in the spool.
fn message_of(health: &RecorderHealth) -> Option<String> {
    let LostCalls { spool_full, spool_unavailable, overloaded, rejected } = health.lost;
    let reasons = [
        (spool_full, "because no space was left"),
        (spool_unavailable, "because the spool could not be written"),
        (overloaded, "because calls ended faster than they could be written"),
        (rejected, "because the ledger refuses what they say; they are kept in the spool"),
    ];
    let told: Vec<String> = reasons
        .iter()
        .filter(|(calls, _)| *calls > 0)
        .map(|(calls, reason)| format!("{} {reason}", counted(*calls, "call", "calls")))
        .collect();
    (!told.is_empty()).then(|| format!("The figures lack {}.", told.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_said_while_nothing_is_lost() {
        assert_eq!(message_of(&RecorderHealth { late: 7, spool_depth: 9, ..RecorderHealth::default() }), None);
    }

    #[test]
    fn each_reason_is_named_with_its_number() {
        let lost = LostCalls { spool_full: 1, rejected: 1_200, ..LostCalls::default() };
        let message = message_of(&RecorderHealth { lost, ..RecorderHealth::default() }).unwrap();
        assert_eq!(
            message,
            "The figures lack one call because no space was left, \
             1,200 calls because the ledger refuses what they say; they are kept in the spool."
        );
    }
}
