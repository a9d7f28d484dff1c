//! The one place that talks to ECharts: loading the vendored bundle, and a handle on a chart that is on the page. The
//! bundle (scripts/echarts) sets the global `echarts`; the formats it calls are registered here.

use super::axis_text::{axis_tokens, axis_usd, short_date};
use crate::domain::money::{NanoUsd, format_cost, group_thousands};
use crate::domain::tokens::format_tokens;
use js_sys::{JSON, Object, Promise, Reflect};
use leptos::prelude::{document, window};
use std::cell::RefCell;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::{Element, HtmlElement};

/// As scripts/echarts/bundle.mjs writes it to public/; the version is the one in package.json there.
pub const BUNDLE_PATH: &str = "/vendor/echarts-6.1.0.min.js";

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_namespace = echarts, js_name = init, catch)]
    fn init_echarts(node: &HtmlElement, theme: &JsValue, options: &JsValue) -> Result<EChartsInstance, JsValue>;

    #[wasm_bindgen(js_namespace = echarts, js_name = setFormat)]
    fn set_format(name: &str, format: &JsValue);

    /// The bundle's own: clicks as data indices.
    #[wasm_bindgen(js_namespace = echarts, js_name = onPick)]
    fn on_pick(chart: &EChartsInstance, handler: &JsValue);

    type EChartsInstance;

    #[wasm_bindgen(method, js_name = setOption, catch)]
    fn set_option(this: &EChartsInstance, option: &JsValue, options: &JsValue) -> Result<(), JsValue>;

    #[wasm_bindgen(method)]
    fn resize(this: &EChartsInstance);

    #[wasm_bindgen(method)]
    fn dispose(this: &EChartsInstance);

}

/// A chart on the page; dropping it takes it off.
pub struct EChart {
    instance: EChartsInstance,
    /// ECharts calls it for as long as the instance lives.
    _on_click: Option<Closure<dyn Fn(u32)>>,
}

impl EChart {
    /// Draws on `node`, which must have a size. [`load`] must have succeeded.
    ///
    /// # Errors
    /// What ECharts threw.
    pub fn new(node: &HtmlElement, option_json: &str, on_click: Option<Box<dyn Fn(u32)>>) -> Result<Self, JsValue> {
        let theme = object([("textStyle", object([("fontFamily", font_family(node)?.into())])?)])?;
        let instance = init_echarts(node, &theme, &object([("renderer", "svg".into())])?)?;
        let on_click = on_click.map(Closure::<dyn Fn(u32)>::wrap);
        if let Some(handler) = &on_click {
            on_pick(&instance, handler.as_ref());
        }
        let drawn = Self { instance, _on_click: on_click };
        drawn.update(option_json)?;
        Ok(drawn)
    }

    /// Draws the new option in place of the old one. Nothing is merged, so that a series that is gone goes.
    ///
    /// # Errors
    /// What ECharts threw.
    pub fn update(&self, option_json: &str) -> Result<(), JsValue> {
        // JSON, because code that builds JavaScript objects field by field is several times as large.
        let option = JSON::parse(option_json)?;
        self.instance.set_option(&option, &object([("notMerge", true.into()), ("lazyUpdate", false.into())])?)
    }

    /// Fits the chart to its node.
    pub fn resize(&self) {
        self.instance.resize();
    }
}

impl Drop for EChart {
    fn drop(&mut self) {
        self.instance.dispose();
    }
}

/// Loads the bundle; once for the page, however many charts ask. A failed load is tried again at the next call.
///
/// # Errors
/// The script did not load.
pub async fn load() -> Result<(), JsValue> {
    thread_local! {
        static LOADING: RefCell<Option<Promise>> = const { RefCell::new(None) };
    }
    let loading = LOADING.with_borrow_mut(|loading| loading.get_or_insert_with(add_script).clone());
    let outcome = JsFuture::from(loading).await;
    if outcome.is_err() {
        LOADING.set(None);
    }
    outcome.map(|_| ())
}

/// A promise that is kept when the bundle has run and the formats are registered.
fn add_script() -> Promise {
    Promise::new(&mut |resolve, reject| {
        let on_load = Closure::once_into_js(move || {
            register_formats();
            let _ = resolve.call0(&JsValue::NULL);
        });
        let on_error = Closure::once_into_js({
            let reject = reject.clone();
            move || reject.call0(&JsValue::NULL)
        });
        if let Err(error) = append_script(&on_load, &on_error) {
            let _ = reject.call1(&JsValue::NULL, &error);
        }
    })
}

fn append_script(on_load: &JsValue, on_error: &JsValue) -> Result<(), JsValue> {
    let script = document().create_element("script")?;
    script.set_attribute("src", BUNDLE_PATH)?;
    // The attribute reads as empty on a page with a Content-Security-Policy; the property still knows the nonce.
    if let Some(trusted) = document().query_selector("script[nonce]")? {
        let nonce = JsValue::from_str("nonce");
        Reflect::set(&script, &nonce, &Reflect::get(&trusted, &nonce)?)?;
    }
    script.add_event_listener_with_callback("load", on_load.unchecked_ref())?;
    script.add_event_listener_with_callback("error", on_error.unchecked_ref())?;
    let head = document().head().ok_or(JsValue::UNDEFINED)?;
    head.append_child(&script)?;
    Ok(())
}

/// The named formats of `option`, by the functions that write the page's own figures.
fn register_formats() {
    register("count", |value| group_thousands(number(value) as u64));
    register("tokens", |value| format_tokens(number(value) as u64));
    register("usd", |value| format_cost(nano_usd(value)));
    register("axisTokens", |value| axis_tokens(number(value) as u64));
    register("axisUsd", |value| axis_usd(nano_usd(value)));
    register("axisDate", |value| short_date(&value.as_string().unwrap_or_default()));
}

/// Lives as long as the page.
fn register(name: &str, format: impl Fn(JsValue) -> String + 'static) {
    set_format(name, &Closure::<dyn Fn(JsValue) -> String>::new(format).into_js_value());
}

fn number(value: JsValue) -> f64 {
    value.as_f64().unwrap_or_default()
}

fn nano_usd(value: JsValue) -> NanoUsd {
    NanoUsd((number(value) * 1e9).round() as i64)
}

fn font_family(node: &Element) -> Result<String, JsValue> {
    let style = window().get_computed_style(node)?.ok_or(JsValue::UNDEFINED)?;
    style.get_property_value("font-family")
}

fn object<const N: usize>(entries: [(&str, JsValue); N]) -> Result<JsValue, JsValue> {
    let object = Object::new();
    for (key, value) in entries {
        Reflect::set(&object, &key.into(), &value)?;
    }
    Ok(object.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn the_bundle_is_where_the_page_looks_for_it() {
        let file = format!("{}/public{BUNDLE_PATH}", env!("CARGO_MANIFEST_DIR"));
        assert!(Path::new(&file).is_file(), "{file}: run scripts/echarts/bundle.mjs and name its version here");
    }
}
