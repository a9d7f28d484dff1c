//! A field of a form, for a text or a choice: label, input, hint, and what is wrong with it, tied together for screen
//! readers.

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
    /// What the browser takes it for: `text`, `date`, `url`, or `password` for what nobody is to read.
    #[prop(default = "text")]
    input_type: &'static str,
    #[prop(default = 256)] maxlength: u32,
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
                    type=input_type
                    inputmode=inputmode
                    list=list
                    placeholder=placeholder
                    maxlength=maxlength
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
            <FieldFault id=fault_id fault/>
        </div>
    }
    .into_any()
}

/// One of the things that can be chosen.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Choice {
    pub value: String,
    pub label: String,
}

impl Choice {
    pub fn of((value, label): (&str, &str)) -> Self {
        Self { value: value.into(), label: label.into() }
    }
}

#[component]
pub fn SelectField(
    /// Its name in the form, and the base of its ids.
    name: &'static str,
    label: &'static str,
    choices: Vec<Choice>,
    /// The value that is chosen at first; the first one where there is none such.
    chosen: String,
    /// What is wrong with what is chosen.
    #[prop(into)]
    fault: Signal<Option<String>>,
) -> impl IntoView {
    let id = format!("field-{name}");
    let fault_id = format!("{id}-fault");
    let is_wrong = move || fault.with(Option::is_some);
    let options = choices.into_iter().map(|choice| {
        let is_chosen = choice.value == chosen;
        view! { <option value=choice.value selected=is_chosen>{choice.label}</option> }
    });
    view! {
        <div class="form-field" class:form-field-wrong=is_wrong>
            <label for=id.clone()>{label}</label>
            <div class="input-box">
                <select id=id name=name autocomplete="off" aria-describedby=fault_id.clone()
                    aria-invalid=move || is_wrong().then_some("true")>
                    {options.collect_view()}
                </select>
            </div>
            <FieldFault id=fault_id fault/>
        </div>
    }
    .into_any()
}

#[component]
fn FieldFault(id: String, fault: Signal<Option<String>>) -> impl IntoView {
    view! {
        <p id=id class="field-fault" aria-live="polite">
            {move || fault.get().map(|message| view! { <IconView icon=Icon::Warning/><span>{sentence(&message)}</span> })}
        </p>
    }
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
