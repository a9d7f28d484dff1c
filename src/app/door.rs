//! The pages outside of the dashboard: the login, the owner's first password, an invitation, the way back from a provider. They
//! are plain forms, rendered on the server and never hydrated, so that they work in any browser and load nothing but the style
//! sheet.

use crate::app::format::capitalised;
use crate::app::kit::icon::{BrandMark, Icon, IconView};
use crate::app::state::theme::Theme;
use crate::domain::query::percent_encode;
use leptos::config::LeptosOptions;
use leptos::prelude::*;
use provider::{link_form, provider_button, provider_problem};

pub use provider::{LinkDoor, ProviderDoor, ProviderProblem};

mod provider;

/// What stands at the door.
pub enum Door<'a> {
    Login(LoginDoor<'a>),
    Setup(SetupDoor<'a>),
    SetupIsOver,
    Join(JoinDoor<'a>),
    InviteIsOver,
    Provider(ProviderDoor<'a>),
    Link(LinkDoor<'a>),
}

#[derive(Default)]
pub struct LoginDoor<'a> {
    /// What was entered before.
    pub login: &'a str,
    /// Where to go afterwards; a path of ours.
    pub next: &'a str,
    /// What people call the provider that they may log in through, if there is one.
    pub provider: Option<&'a str>,
    /// What was wrong, as a sentence; empty if nothing was.
    pub problem: String,
    /// Nobody can log in yet.
    pub lacks_password: bool,
}

pub struct SetupDoor<'a> {
    pub token: &'a str,
    pub fault: Option<&'static str>,
}

#[derive(Default)]
pub struct JoinDoor<'a> {
    pub token: &'a str,
    pub login: &'a str,
    /// As of [`LoginDoor`].
    pub provider: Option<&'a str>,
    pub login_fault: Option<&'static str>,
    pub password_fault: Option<&'static str>,
}

impl Door<'_> {
    /// The whole document. Its title is fixed text: nothing untrusted may stand in a `<title>`.
    pub fn render(self, options: &LeptosOptions, theme: Theme) -> String {
        let stylesheet = format!("/{}/{}.css", options.site_pkg_dir, options.output_name);
        let title = self.title();
        Owner::new().with(|| {
            view! {
                <!DOCTYPE html>
                <html lang="en" data-theme=theme.name()>
                    <head>
                        <meta charset="utf-8"/>
                        <meta name="viewport" content="width=device-width, initial-scale=1, viewport-fit=cover"/>
                        <meta name="color-scheme" content="light dark"/>
                        <meta name="referrer" content="same-origin"/>
                        <title>{format!("{title} · Tollbridge")}</title>
                        <link rel="icon" href="/favicon.svg" type="image/svg+xml"/>
                        <link rel="stylesheet" href=stylesheet/>
                    </head>
                    <body>
                        <main class="door">
                            <p class="brand"><BrandMark/>"Tollbridge"</p>
                            <section class="card door-card">
                                <h1>{title}</h1>
                                {self.body()}
                            </section>
                        </main>
                    </body>
                </html>
            }
            .to_html()
        })
    }

    fn title(&self) -> &'static str {
        match self {
            Self::Login(_) => "Log in",
            Self::Setup(_) => "Set the owner's password",
            Self::SetupIsOver => "This link is over",
            Self::Join(_) => "Join",
            Self::InviteIsOver => "This invitation is over",
            Self::Provider(_) => "You are not logged in",
            Self::Link(_) => "Is this account yours?",
        }
    }

    fn body(self) -> AnyView {
        match self {
            Self::Login(door) => login_form(door),
            Self::Setup(door) => setup_form(&door),
            Self::Join(door) => join_form(&door),
            Self::Provider(door) => provider_problem(&door),
            Self::Link(door) => link_form(door),
            Self::SetupIsOver => view! {
                <p class="quiet">
                    "It holds for 15 minutes and for one password. Start Tollbridge again for another link, or run "
                    <code>"tollbridge users set-password"</code> " where it is installed."
                </p>
                <a class="button" href="/login">"Go to the login"</a>
            }
            .into_any(),
            Self::InviteIsOver => view! {
                <p class="quiet">"It holds for a week and for one account. Ask whoever invited you for another."</p>
                <a class="button" href="/login">"Go to the login"</a>
            }
            .into_any(),
        }
    }
}

fn login_form(door: LoginDoor<'_>) -> AnyView {
    let problem = (!door.problem.is_empty()).then(|| view! { <DoorNotice message=door.problem/> });
    let lacks_password = door.lacks_password.then(|| {
        view! {
            <p class="notice level-info">
                <IconView icon=Icon::Info/>
                <span>
                    "The owner has no password yet. Run " <code>"tollbridge users set-password"</code>
                    " where Tollbridge is installed, or open the link that it printed when it started."
                </span>
            </p>
        }
    });
    let provider = door
        .provider
        .filter(|_| !door.lacks_password)
        .map(|provider| provider_button(provider, "Log in", &query_of("next", door.next)));
    view! {
        {problem}
        {lacks_password}
        <form class="form" method="post" action="/login">
            <input type="hidden" name="next" value=door.next.to_owned()/>
            <DoorField name="login" label="Name or e-mail address" kind="text" autocomplete="username" value=door.login.to_owned()/>
            <DoorField name="password" label="Password" kind="password" autocomplete="current-password"/>
            <button class="button">"Log in"</button>
        </form>
        {provider}
    }
    .into_any()
}

fn setup_form(door: &SetupDoor<'_>) -> AnyView {
    view! {
        <p class="quiet">
            "With it you log in as " <strong>"owner"</strong> ". From then on everybody needs a login, and every client a key."
        </p>
        <form class="form" method="post" action="/setup">
            <input type="hidden" name="token" value=door.token.to_owned()/>
            // Password managers store under the name that stands beside it.
            <input type="text" name="login" value="owner" autocomplete="username" readonly hidden/>
            <NewPasswordFields fault=door.fault/>
            <button class="button">"Set password"</button>
        </form>
    }
    .into_any()
}

fn join_form(door: &JoinDoor<'_>) -> AnyView {
    let provider = door.provider.map(|provider| provider_button(provider, "Join", &query_of("invite", door.token)));
    view! {
        <p class="quiet">"You are invited to this Tollbridge. Choose what you log in with."</p>
        <form class="form" method="post" action="/join">
            <input type="hidden" name="token" value=door.token.to_owned()/>
            <DoorField name="login" label="Name or e-mail address" kind="text" autocomplete="username"
                value=door.login.to_owned() fault=door.login_fault/>
            <NewPasswordFields fault=door.password_fault/>
            <button class="button">"Join"</button>
        </form>
        {provider}
    }
    .into_any()
}

/// For behind an address; empty for nothing.
fn query_of(name: &str, value: &str) -> String {
    if value.is_empty() { String::new() } else { format!("?{name}={}", percent_encode(value)) }
}

#[component]
fn NewPasswordFields(fault: Option<&'static str>) -> impl IntoView {
    view! {
        <DoorField name="password" label="Password" kind="password" autocomplete="new-password" fault
            hint="At least 15 characters; a few words will do."/>
        <DoorField name="again" label="Once more" kind="password" autocomplete="new-password"/>
    }
}

/// A field that has to be filled in, with what is wrong with it.
#[component]
fn DoorField(
    name: &'static str,
    label: &'static str,
    kind: &'static str,
    autocomplete: &'static str,
    #[prop(optional)] value: String,
    #[prop(optional)] hint: Option<&'static str>,
    #[prop(default = None)] fault: Option<&'static str>,
) -> impl IntoView {
    let id = format!("field-{name}");
    let (hint_id, fault_id) = (format!("{id}-hint"), format!("{id}-fault"));
    let described_by = format!("{hint_id} {fault_id}");
    view! {
        <div class="form-field" class:form-field-wrong=fault.is_some()>
            <label for=id.clone()>{label}</label>
            <div class="input-box">
                <input id=id name=name type=kind autocomplete=autocomplete value=value maxlength="256" required
                    spellcheck="false" autocapitalize="none" aria-describedby=described_by
                    aria-invalid=fault.map(|_| "true")/>
            </div>
            {hint.map(|hint| view! { <p id=hint_id class="field-hint">{hint}</p> })}
            {fault.map(|fault| view! {
                <p id=fault_id class="field-fault" role="alert">
                    <IconView icon=Icon::Warning/><span>{capitalised(fault) + "."}</span>
                </p>
            })}
        </div>
    }
}

#[component]
fn DoorNotice(message: String) -> impl IntoView {
    view! {
        <p class="notice level-critical" role="alert"><IconView icon=Icon::Critical/><span>{message}</span></p>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options() -> LeptosOptions {
        LeptosOptions::builder().output_name("tollbridge").build()
    }

    #[test]
    fn what_was_entered_comes_back_as_text_and_never_as_markup() {
        let attack = "\"><script>alert(1)</script>";
        let login = LoginDoor {
            login: attack,
            next: attack,
            problem: attack.into(),
            provider: Some(attack),
            lacks_password: false,
        };
        let join = JoinDoor { token: attack, login: attack, ..JoinDoor::default() };
        for door in [Door::Login(login), Door::Join(join), Door::Setup(SetupDoor { token: attack, fault: None })] {
            let html = door.render(&options(), Theme::Dark);
            assert!(html.starts_with("<!DOCTYPE html>") && html.contains("data-theme=\"dark\""), "{html}");
            assert!(!html.contains("<script") && html.contains("&lt;script"), "{html}");
        }
    }

    #[test]
    fn a_fault_stands_under_its_field_and_no_password_comes_back() {
        let fault = Some("must have at least 15 characters; a few words will do");
        let html = Door::Setup(SetupDoor { token: "abc", fault }).render(&options(), Theme::System);
        assert!(html.contains("Must have at least 15 characters; a few words will do."), "{html}");
        assert!(html.contains("id=\"field-password-fault\""), "{html}");
        assert_eq!(html.matches("type=\"password\"").count(), 2);
    }
}
