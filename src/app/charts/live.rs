//! A chart's life in the browser: it is drawn when its node and the bundle are there, and follows its figures, its size
//! and the theme until its component is cleaned up. Only this file holds browser handles of a chart.

use super::data::ChartData;
use super::echarts::{self, EChart};
use super::option::{ChartOption, chart_of};
use super::palette::Palette;
use leptos::html::Div;
use leptos::prelude::*;
use wasm_bindgen::prelude::*;
use web_sys::{HtmlElement, MediaQueryList, MutationObserver, MutationObserverInit, ResizeObserver};

const DARK_QUERY: &str = "(prefers-color-scheme: dark)";
const STILL_QUERY: &str = "(prefers-reduced-motion: reduce)";
const ANIMATION_MS: u32 = 250;

/// Keeps `node` showing `data`. Call it once, from the component that renders the node; `is_failed` becomes true if the
/// chart cannot be drawn.
pub fn keep_drawn(
    node: NodeRef<Div>,
    data: Signal<ChartData>,
    on_click: Option<Callback<u32>>,
    is_failed: RwSignal<bool>,
) {
    let chart = StoredValue::new_local(None::<EChart>);
    let observers = StoredValue::new_local(None::<Observers>);
    let turns = StoredValue::new(0_u32);
    let is_loaded = RwSignal::new(false);
    let redraw = Trigger::new();

    Effect::new(move |_| {
        let Some(node) = node.get() else { return };
        observers.set_value(Observers::of(&node, chart, redraw).ok());
        leptos::task::spawn_local(async move {
            // The component may be gone by then, and its signals with it.
            let _ = match echarts::load().await {
                Ok(()) => is_loaded.try_set(true),
                Err(_) => is_failed.try_set(true),
            };
        });
    });

    Effect::new(move |_| {
        redraw.track();
        let figures = data.get();
        let Some(node) = node.get() else { return };
        if !is_loaded.get() || node.client_width() == 0 {
            return;
        }
        let palette = read_palette(&node);
        let turn = turns.try_update_value(|turn| {
            *turn += 1;
            *turn
        });
        leptos::task::spawn_local(async move {
            let option = write_option(figures, palette, !matches(STILL_QUERY)).await;
            // Newer figures may have overtaken these, or the component may be gone.
            if turn.is_none() || turns.try_get_value() != turn {
                return;
            }
            let outcome = chart.try_update_value(|chart| match chart {
                Some(drawn) => drawn.update(&option),
                None => EChart::new(&node, &option, on_click.map(|on_click| reporter(on_click, data)))
                    .map(|drawn| *chart = Some(drawn)),
            });
            let _ = is_failed.try_set(matches!(outcome, Some(Err(_))));
        });
    });
}

/// The option as JSON. It is a file of its own in the browser, loaded while the page can be used already.
#[lazy]
fn write_option(figures: ChartData, palette: Palette, is_animated: bool) -> String {
    let option = ChartOption {
        animation: is_animated,
        animation_duration: ANIMATION_MS,
        animation_duration_update: ANIMATION_MS,
        ..chart_of(&figures, &palette)
    };
    // It holds no maps with odd keys, so it can always be written.
    serde_json::to_string(&option).unwrap_or_default()
}

fn reporter(on_click: Callback<u32>, data: Signal<ChartData>) -> Box<dyn Fn(u32)> {
    Box::new(move |drawn_index| {
        if let Some(position) = data.with_untracked(|data| data.position_of_drawn(drawn_index)) {
            on_click.run(position);
        }
    })
}

/// The colours that the style sheet gives the node under the theme that is on.
fn read_palette(node: &HtmlElement) -> Palette {
    let style = window().get_computed_style(node).ok().flatten();
    Palette::read(|property| {
        let value = style.as_ref().and_then(|style| style.get_property_value(property).ok());
        value.unwrap_or_default().trim().to_string()
    })
}

fn matches(query: &str) -> bool {
    window().match_media(query).ok().flatten().is_some_and(|list| list.matches())
}

/// Everything a drawn chart listens to; dropping it stops the listening.
struct Observers {
    size: ResizeObserver,
    theme: MutationObserver,
    system_theme: Option<MediaQueryList>,
    /// Called by `size` for as long as that observes.
    _on_resize: Closure<dyn FnMut()>,
    on_theme: Closure<dyn FnMut()>,
}

type ChartSlot = StoredValue<Option<EChart>, LocalStorage>;

impl Observers {
    fn of(node: &HtmlElement, chart: ChartSlot, redraw: Trigger) -> Result<Self, JsValue> {
        let on_resize = Closure::<dyn FnMut()>::new(move || resize_or_draw(chart, redraw));
        let on_theme = Closure::<dyn FnMut()>::new(move || {
            // ECharts mixes old and new colours if a live chart changes its theme, so it starts anew.
            chart.try_update_value(|chart| *chart = None);
            redraw.notify();
        });
        let observers = Self {
            size: ResizeObserver::new(on_resize.as_ref().unchecked_ref())?,
            theme: MutationObserver::new(on_theme.as_ref().unchecked_ref())?,
            system_theme: window().match_media(DARK_QUERY)?,
            _on_resize: on_resize,
            on_theme,
        };
        observers.size.observe(node);
        observers.observe_theme()?;
        Ok(observers)
    }

    fn observe_theme(&self) -> Result<(), JsValue> {
        let root = document().document_element().ok_or(JsValue::UNDEFINED)?;
        let only_theme = MutationObserverInit::new();
        only_theme.set_attributes(true);
        only_theme.set_attribute_filter(&js_sys::Array::of1(&"data-theme".into()));
        self.theme.observe_with_options(&root, &only_theme)?;
        if let Some(query) = &self.system_theme {
            query.add_event_listener_with_callback("change", self.on_theme.as_ref().unchecked_ref())?;
        }
        Ok(())
    }
}

/// A node that was hidden until now has not been drawn on.
fn resize_or_draw(chart: ChartSlot, redraw: Trigger) {
    let is_drawn = chart.try_with_value(|chart| chart.as_ref().map(EChart::resize).is_some());
    if is_drawn == Some(false) {
        redraw.notify();
    }
}

impl Drop for Observers {
    fn drop(&mut self) {
        self.size.disconnect();
        self.theme.disconnect();
        if let Some(query) = &self.system_theme {
            let _ = query.remove_event_listener_with_callback("change", self.on_theme.as_ref().unchecked_ref());
        }
    }
}
