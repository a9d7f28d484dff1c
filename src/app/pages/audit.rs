//! The audit log: who changed what, when and from where. For who manages this Tollbridge. The address says which rows, and
//! nothing on the page needs scripts.

use crate::app::kit::card::{Card, CardEmpty, CardSkeleton};
use crate::app::server_fns::audit::{AuditList, ShownAuditRow, get_audit_log};
use crate::domain::audit::AuditGroup;
use crate::domain::query::percent_encode;
use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::use_query_map;

/// All that the page's address says; a group that is none is that of all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct AuditAddress {
    group: String,
    person: String,
    /// Where the page of older rows begins.
    after: Option<String>,
}

const TITLE: &str = "Who changed what";

#[component]
pub fn Audit() -> impl IntoView {
    let params = use_query_map();
    let address = Memo::new(move |_| {
        params.with(|params| AuditAddress {
            group: params.get("group").unwrap_or_default(),
            person: params.get("person").unwrap_or_default(),
            after: params.get("after").filter(|after| !after.is_empty()),
        })
    });
    let log = Resource::new(
        move || address.get(),
        |AuditAddress { group, person, after }| get_audit_log(group, person, after),
    );
    let card = move |answer| match answer {
        Ok(list) => log_of(list, &address.get_untracked()),
        Err(error) => {
            let message = ToString::to_string(&error);
            view! { <Card id="audit-log" title=TITLE><CardEmpty message/></Card> }.into_any()
        }
    };
    view! {
        <Title text="Audit log · Tollbridge"/>
        <header class="page-head">
            <div class="page-title"><h1>"Audit log"</h1></div>
            <div class="page-controls"><a class="inline-link" href="/settings">"Settings"</a></div>
        </header>
        <div class="answer">
            <Transition fallback=|| view! { <CardSkeleton/> }>{move || log.get().map(card)}</Transition>
        </div>
    }
    .into_any()
}

impl AuditAddress {
    /// The first page, or the one that begins at a cursor.
    fn href(&self, after: Option<&str>) -> String {
        let pairs = [("group", Some(&*self.group)), ("person", Some(&*self.person)), ("after", after)];
        let given =
            pairs.into_iter().filter_map(|(name, value)| Some((name, value.filter(|value| !value.is_empty())?)));
        let query: Vec<String> = given.map(|(name, value)| format!("{name}={}", percent_encode(value))).collect();
        if query.is_empty() { "/settings/audit".into() } else { format!("/settings/audit?{}", query.join("&")) }
    }
}

fn log_of(list: AuditList, address: &AuditAddress) -> AnyView {
    let AuditList { rows, next, time_zone, people } = list;
    let aside = move || view! { <span class="quiet">{format!("Times of {time_zone}; kept for a year")}</span> };
    let is_narrowed = *address != AuditAddress::default();
    let none = rows.is_empty().then(|| {
        let message = if is_narrowed {
            "Nothing like that is in the log."
        } else {
            "Nothing is in the log yet: logins, keys, people, budgets, channels and prices are written down from now on."
        };
        view! { <CardEmpty message/> }
    });
    let table = (!rows.is_empty()).then(|| {
        view! {
            <div class="table-box" tabindex="0" role="region" aria-label="Table of the audit log">
                <table class="audit-table">
                    <thead><tr>{["When", "Who", "What", "About", "From"].map(|head| view! { <th scope="col">{head}</th> }).into_iter().collect_view()}</tr></thead>
                    <tbody>{rows.into_iter().map(row).collect_view()}</tbody>
                </table>
            </div>
        }
    });
    let older =
        next.map(|cursor| view! { <a class="button button-plain" href=address.href(Some(&cursor))>"Older"</a> });
    let newest = address
        .after
        .is_some()
        .then(|| view! { <a class="button button-plain" href=address.href(None)>"Back to the newest"</a> });
    let form = filter_form(address, people);
    view! {
        <Card id="audit-log" title=TITLE aside>
            {form}
            {none}
            {table}
            <nav class="alert-pages" aria-label="Pages of the audit log">{newest}{older}</nav>
        </Card>
    }
    .into_any()
}

fn filter_form(address: &AuditAddress, people: Vec<String>) -> impl IntoView + use<> {
    let choice = |group: AuditGroup| {
        let is_chosen = group.name() == address.group;
        view! { <option value=group.name() selected=is_chosen>{group.name()}</option> }
    };
    let choices = AuditGroup::ALL.map(choice).into_iter().collect_view();
    let suggestions = people.into_iter().map(|login| view! { <option value=login></option> }).collect_view();
    view! {
        <form method="get" action="/settings/audit" class="audit-filter">
            <label class="field"><span>"About"</span><select name="group"><option value="">"everything"</option>{choices}</select></label>
            <label class="field"><span>"Person"</span>
                <input type="text" name="person" maxlength="200" autocomplete="off" list="audit-people" value=address.person.clone()/>
            </label>
            <datalist id="audit-people">{suggestions}</datalist>
            <button class="button">"Show"</button>
        </form>
    }
}

fn row(row: ShownAuditRow) -> impl IntoView {
    let ShownAuditRow { instant, at, who, action, target, detail, from } = row;
    view! {
        <tr>
            <td class="figure"><time datetime=instant>{at}</time></td>
            <td>{who}</td>
            <th scope="row">{action}</th>
            <td>{target}" "<span class="quiet small">{detail}</span></td>
            <td class="figure">{from}</td>
        </tr>
    }
}
