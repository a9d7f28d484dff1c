//! The connection behind the live dot. A tab has one only while it is visible, because a browser gives a server six
//! connections in all. It comes back by itself, later each time, and says nothing to the console.

use leptos::prelude::*;
use std::time::Duration;
use wasm_bindgen::prelude::*;
use web_sys::{EventSource, MessageEvent};

const ADDRESS: &str = "/api/live";
const FIRST_PAUSE_S: u64 = 2;
const LONGEST_PAUSE_S: u64 = 60;

/// Hands every version that the server tells of a question to `on_event`, with the number of the recorder's news, until what
/// called it is cleaned up.
pub fn listen(question: &str, is_connected: RwSignal<bool>, on_event: impl Fn(u64, u64) + 'static) {
    let line = Line {
        address: StoredValue::new_local(format!("{ADDRESS}?{question}")),
        stream: StoredValue::new_local(None),
        pause_s: StoredValue::new_local(FIRST_PAUSE_S),
        on_event: StoredValue::new_local(Box::new(on_event)),
        is_connected,
    };
    line.open();
    let visibility = window_event_listener_untyped("visibilitychange", move |_| match document().hidden() {
        true => line.close(),
        false => line.open(),
    });
    on_cleanup(move || visibility.remove());
}

/// Handles of the browser and what is known of the connection. Its parts are gone once the component is.
#[derive(Clone, Copy)]
struct Line {
    address: StoredValue<String, LocalStorage>,
    stream: StoredValue<Option<Stream>, LocalStorage>,
    pause_s: StoredValue<u64, LocalStorage>,
    on_event: StoredValue<Box<dyn Fn(u64, u64)>, LocalStorage>,
    is_connected: RwSignal<bool>,
}

impl Line {
    fn open(self) {
        if document().hidden() || self.stream.try_with_value(Option::is_some) != Some(false) {
            return;
        }
        match Stream::open(self) {
            Ok(stream) => self.stream.set_value(Some(stream)),
            Err(_) => self.open_later(),
        }
    }

    fn close(self) {
        self.stream.try_update_value(|stream| *stream = None);
        self.is_connected.try_set(false);
    }

    /// The browser's own attempts to come back would be too many, each with a line in the console.
    fn open_later(self) {
        let Some(pause_s) = self.pause_s.try_get_value() else { return };
        self.pause_s.set_value((pause_s * 2).min(LONGEST_PAUSE_S));
        set_timeout(move || self.open(), Duration::from_secs(pause_s));
    }

    fn tell(self, message: &MessageEvent) {
        let event = message.data().as_string().and_then(|data| read_event(&data));
        self.pause_s.try_set_value(FIRST_PAUSE_S);
        self.is_connected.try_set(true);
        if let Some((version, news)) = event {
            self.on_event.try_with_value(|on_event| on_event(version, news));
        }
    }
}

/// An open connection; dropping it closes it.
struct Stream {
    source: EventSource,
    _on_usage: Closure<dyn FnMut(MessageEvent)>,
    _on_error: Closure<dyn FnMut()>,
}

impl Stream {
    fn open(line: Line) -> Result<Self, JsValue> {
        let source = EventSource::new(&line.address.get_value())?;
        let on_usage = Closure::<dyn FnMut(MessageEvent)>::new(move |message| line.tell(&message));
        let on_error = Closure::<dyn FnMut()>::new(move || {
            // Not at once: this closure is part of what is dropped.
            set_timeout(
                move || {
                    line.close();
                    line.open_later();
                },
                Duration::ZERO,
            );
        });
        source.add_event_listener_with_callback("usage", on_usage.as_ref().unchecked_ref())?;
        source.set_onerror(Some(on_error.as_ref().unchecked_ref()));
        Ok(Self { source, _on_usage: on_usage, _on_error: on_error })
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.source.set_onerror(None);
        self.source.close();
    }
}

fn read_event(data: &str) -> Option<(u64, u64)> {
    let event = serde_json::from_str::<serde_json::Value>(data).ok()?;
    Some((event.get("version")?.as_u64()?, event.get("recorder")?.as_u64()?))
}
