//! One's own password once more, in a form that does what a session left open should not be enough for; and what every form
//! with a password tells password managers.

use crate::app::kit::field::TextField;
use crate::app::server_fns::error::AppError;
use leptos::prelude::*;

pub const OWN_PASSWORD_HINT: &str = "Not needed within 5 minutes of logging in.";

/// For a page with one such form.
#[component]
pub fn OwnPasswordField(
    /// How the form's last sending failed, if it did.
    #[prop(into)]
    error: Signal<Option<AppError>>,
) -> impl IntoView {
    view! {
        <PasswordOwner/>
        <TextField name="your_password" label="Your password" input_type="password" autocomplete="current-password"
            value=Signal::derive(String::new) fault=Signal::derive(move || error.get().and_then(own_password_fault))
            hint=OWN_PASSWORD_HINT/>
    }
}

/// Tells password managers that a form's password is one under a name; it is not sent.
#[component]
pub fn PasswordOwner(#[prop(optional, into)] login: Option<String>) -> impl IntoView {
    view! { <input type="text" value=login autocomplete="username" hidden/> }
}

/// What is wrong with the password, if that is what is wrong.
pub fn own_password_fault(error: AppError) -> Option<String> {
    match error {
        AppError::Invalid { field, message } if field == "your_password" => Some(message),
        _ => None,
    }
}
