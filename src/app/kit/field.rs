//! A text field of a form: label, input, hint, and what is wrong with it, tied together for screen readers.

use crate::app::format::capitalised;
use crate::app::kit::icon::{Icon, IconView};
use leptos::prelude::*;

#[component]
pub fn TextField(
    /// Its name in the form, and the base of its ids.
    name: &'static str,
    label: &'static str,
    /// What it holds at first, and again whenever this changes.
    #[prop(into)]
    value: Signal<String>,
    /// What is wrong with what it holds.
    #[prop(into)]
    fault: Signal<Option<String>>,
    #[prop(optional)] hint: Option<&'static str>,
    /// Before and behind the text, such as `$` and `%`.
    #[prop(optional)]
    before: Option<&'static str>,
    #[prop(optional)] behind: Option<&'static str>,
    /// Which keys a telephone offers: `decimal`, `numeric`, `text`.
    #[prop(default = "text")]
    inputmode: &'static str,
    /// `text`, or `password` for what nobody is to read.
    #[prop(default = "text")]
    kind: &'static str,
    /// What a browser may fill in.
    #[prop(default = "off")]
    autocomplete: &'static str,
    /// The id of a list of suggestions.
    #[prop(optional)]
    list: Option<&'static str>,
    #[prop(optional)] placeholder: Option<&'static str>,
    /// Read out in place of a label that only its neighbours make clear.
    #[prop(optional)]
    spoken_label: Option<&'static str>,
) -> impl IntoView {
    let id = format!("field-{name}");
    let (hint_id, fault_id) = (format!("{id}-hint"), format!("{id}-fault"));
    let described_by = match hint {
        Some(_) => format!("{hint_id} {fault_id}"),
        None => fault_id.clone(),
    };
    let is_wrong = move || fault.with(Option::is_some);
    view! {
        <div class="form-field" class:form-field-wrong=is_wrong>
            <label for=id.clone()>{label}</label>
            <div class="input-box">
                {before.map(|text| view! { <span class="input-unit" aria-hidden="true">{text}</span> })}
                <input
                    id=id
                    name=name
                    type=kind
                    inputmode=inputmode
                    list=list
                    placeholder=placeholder
                    maxlength=if kind == "password" { "256" } else { "200" }
                    autocomplete=autocomplete
                    spellcheck="false"
                    aria-label=spoken_label
                    aria-describedby=described_by
                    aria-invalid=move || is_wrong().then_some("true")
                    value=value.get_untracked()
                    prop:value=move || value.get()
                />
                {behind.map(|text| view! { <span class="input-unit" aria-hidden="true">{text}</span> })}
            </div>
            {hint.map(|hint| view! { <p id=hint_id class="field-hint">{hint}</p> })}
            <p id=fault_id class="field-fault" aria-live="polite">
                {move || fault.get().map(|message| view! { <IconView icon=Icon::Warning/><span>{sentence(&message)}</span> })}
            </p>
        </div>
    }
    .into_any()
}

/// Faults are worded to follow a field's name; under the field they stand alone.
fn sentence(fault: &str) -> String {
    capitalised(fault) + "."
}

#[cfg(test)]
mod tests {
    use super::sentence;

    #[test]
    fn a_fault_under_its_field_is_a_sentence() {
        assert_eq!(sentence("must be at most a trillion"), "Must be at most a trillion.");
    }
}
