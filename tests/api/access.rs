//! Who may call what: every route and every server function, by everybody, against a table written by hand. A route that
//! is missing from the table fails the test.

use super::oidc::test_oidc;
use super::people::{Person, TestPeople};
use super::server::{HOST, TestServer, front};
use axum::body::Body;
use axum::http::{Method, Request, StatusCode};
use std::collections::BTreeSet;
use tollbridge::app::App;
use tollbridge::app::state::calculator_address::CalculatorAddress;
use tollbridge::domain::api_key::KeyScope;
use tollbridge::domain::query::UsageQuery;
use tollbridge::http::auth::Access;
use tollbridge::http::router::{API, OPEN};

/// Once the owner has a password. Those on the left come with a session's cookie, or with nothing; those on the right with
/// a key of the member's that has this one scope. `-` is not called: it would read the logs of the machine that tests.
const TABLE: &str = "
                                                   nobody  member  admin  shut-out   proxy  ingest  read  admin-key
    POST   /api/analytics/usage                       401     401    401       401     403     201   403        403
    GET    /api/analytics/tokens                      401     401    401       401     403     403   200        403
    GET    /api/analytics/budget                      401     401    401       401     403     403   200        403
    POST   /api/analytics/budget                      401     401    401       401     403     403   403        200
    GET    /api/analytics/budgets                     401     401    401       401     403     403   200        403
    POST   /api/analytics/budgets                     401     401    401       401     403     403   403        201
    PUT    /api/analytics/budgets/{id}                401     401    401       401     403     403   403        404
    DELETE /api/analytics/budgets/{id}                401     401    401       401     403     403   403        404
    GET    /api/analytics/alerts                      401     401    401       401     403     403   200        403
    POST   /api/analytics/alerts/{id}/acknowledge     401     401    401       401     403     403   403        404
    POST   /api/analytics/alerts/{id}/normal          401     401    401       401     403     403   403        404
    GET    /api/analytics/pauses                      401     401    401       401     403     403   200        403
    POST   /api/analytics/pauses/{id}/resume          401     401    401       401     403     403   403        404
    GET    /api/analytics/events                      401     401    401       401     403     403   200        403
    GET    /api/analytics/events/{id}                 401     401    401       401     403     403   200        403
    GET    /api/channels                              401     401    401       401     403     403   200        403
    POST   /api/channels                              401     401    401       401     403     403   403        201
    GET    /api/channels/{id}                         401     401    401       401     403     403   404        403
    PATCH  /api/channels/{id}                         401     401    401       401     403     403   403        404
    DELETE /api/channels/{id}                         401     401    401       401     403     403   403        404
    GET    /api/channels/{id}/deliveries              401     401    401       401     403     403   404        403
    POST   /api/channels/{id}/rotate-secret           401     401    401       401     403     403   403        404
    POST   /api/channels/{id}/test                    401     401    401       401     403     403   403        404
    POST   /api/deliveries/{id}/send-again            401     401    401       401     403     403   403        404
    GET    /api/audit                                 401     401    401       401     403     403   403        403
    GET    /api/prices                                401     401    401       401     403     403   200        403
    POST   /api/prices/calculate                      401     401    401       401     403     403   200        403
    GET    /api/live                                  401     200    200       401     403     403   200        403
    POST   /api/chat                                  401     503    503       401     503     403   403        403

    POST   /v1/messages                               401     401    401       401     502     403   403        403
    GET    /api/hello                                 401     401    401       401     502     403   403        403

    GET    /                                          303     200    200       303     303     303   303        303
    GET    /analytics                                 303     200    200       303     303     303   303        303
    GET    /alerts                                    303     200    200       303     303     303   303        303
    GET    /alerts/channels                           303     200    200       303     303     303   303        303
    GET    /budgets                                   303     200    200       303     303     303   303        303
    GET    /calculator                                303     200    200       303     303     303   303        303
    GET    /chat                                      303     200    200       303     303     303   303        303
    GET    /keys                                      303     200    200       303     303     303   303        303
    GET    /settings                                  303     200    200       303     303     303   303        303
    GET    /settings/audit                            303     403    200       303     303     303   303        303
    GET    /start                                     303     200    200       303     303     303   303        303

    POST   /_fn/get_report                            401     200    200       401     401     401   401        401
    POST   /_fn/get_heat_map                          401     200    200       401     401     401   401        401
    POST   /_fn/get_overview_head                     401     200    200       401     401     401   401        401
    POST   /_fn/get_live_version                      401     200    200       401     401     401   401        401
    POST   /_fn/get_recorder                          401     200    200       401     401     401   401        401
    POST   /_fn/get_recorder_news                     401     200    200       401     401     401   401        401
    POST   /_fn/get_budget_draft                      401     200    200       401     401     401   401        401
    POST   /_fn/save_budget                           401     200    200       401     401     401   401        401
    POST   /_fn/get_budgets                           401     200    200       401     401     401   401        401
    POST   /_fn/get_named_budget_draft                401     200    200       401     401     401   401        401
    POST   /_fn/save_named_budget                     401     200    200       401     401     401   401        401
    POST   /_fn/delete_budget                         401     404    404       401     401     401   401        401
    POST   /_fn/get_quotes                            401     200    200       401     401     401   401        401
    POST   /_fn/get_month_elsewhere                   401     200    200       401     401     401   401        401
    POST   /_fn/get_price_cards                       401     200    200       401     401     401   401        401
    POST   /_fn/get_model_names                       401     200    200       401     401     401   401        401
    POST   /_fn/get_keys                              401     200    200       401     401     401   401        401
    POST   /_fn/create_key                            401     200    200       401     401     401   401        401
    POST   /_fn/revoke_key                            401     404    404       401     401     401   401        401
    POST   /_fn/get_alerts                            401     200    200       401     401     401   401        401
    POST   /_fn/acknowledge_alert                     401     404    404       401     401     401   401        401
    POST   /_fn/mark_alert_normal                     401     404    404       401     401     401   401        401
    POST   /_fn/resume_session                        401     404    404       401     401     401   401        401
    POST   /_fn/get_channels                          401     200    200       401     401     401   401        401
    POST   /_fn/get_channel_draft                     401     200    200       401     401     401   401        401
    POST   /_fn/save_channel                          401     200    200       401     401     401   401        401
    POST   /_fn/test_channel                          401     404    404       401     401     401   401        401
    POST   /_fn/switch_channel                        401     404    404       401     401     401   401        401
    POST   /_fn/delete_channel                        401     404    404       401     401     401   401        401
    POST   /_fn/rotate_signing_secret                 401     404    404       401     401     401   401        401
    POST   /_fn/send_delivery_again                   401     404    404       401     401     401   401        401
    POST   /_fn/get_chat_set_up                       401     200    200       401     401     401   401        401
    POST   /_fn/get_turn_usage                        401     200    200       401     401     401   401        401
    POST   /_fn/get_audit_log                         401     403    200       401     401     401   401        401
    POST   /_fn/get_system                            401     200    200       401     401     401   401        401
    POST   /_fn/get_people                            401     200    200       401     401     401   401        401
    POST   /_fn/invite_person                         401     403    200       401     401     401   401        401
    POST   /_fn/change_person                         401     403    404       401     401     401   401        401
    POST   /_fn/change_password                       401     400    400       401     401     401   401        401
    POST   /_fn/unlink_provider                       401     404    404       401     401     401   401        401
    POST   /_fn/get_arrivals                          401     200    200       401     401     401   401        401
    POST   /_fn/get_log_folders                       401     200    200       401     401     401   401        401
    POST   /_fn/get_base_url                          401     200    200       401     401     401   401        401
    POST   /_fn/start_import                          401     403      -       401     401     401   401        401
    POST   /_fn/load_sample_data                      401     200    200       401     401     401   401        401
    POST   /_fn/remove_sample_data                    401     200    200       401     401     401   401        401

    GET    /healthz                                   200     200    200       200     200     200   200        200
    GET    /readyz                                    200     200    200       200     200     200   200        200
    GET    /login                                     200     303    303       200     200     200   200        200
    POST   /login                                     401     401    401       401     401     401   401        401
    GET    /login/oidc                                503     503    503       503     503     503   503        503
    GET    /login/oidc/callback                       400     400    400       400     400     400   400        400
    POST   /login/oidc/link                           400     400    400       400     400     400   400        400
    POST   /logout                                    303     303    303       303     303     303   303        303
    GET    /setup                                     410     410    410       410     410     410   410        410
    POST   /setup                                     410     410    410       410     410     410   410        410
    GET    /join                                      410     410    410       410     410     410   410        410
    POST   /join                                      410     410    410       410     410     410   410        410
";

#[tokio::test]
async fn everybody_gets_what_the_table_says_and_nothing_else() {
    let people = TestPeople::start().await;
    people
        .server
        .post_with("/api/analytics/usage", &[JSON, ("x-tollbridge-key", &people.key(KeyScope::Ingest))], CALL)
        .await;
    let own_event = people.event_of_member().await;
    let (callers, rows) = read_table();
    let mut wrong = Vec::new();
    for Row { method, path, statuses } in &rows {
        for (caller, expected) in callers.iter().zip(statuses).filter(|(_, expected)| **expected != "-") {
            let status = people.call(caller, method, path, &own_event).await;
            if status.as_str() != *expected {
                wrong.push(format!("{method} {path} by {caller}: {status}, not {expected}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn the_table_has_every_route_and_server_function() {
    let (_, rows) = read_table();
    let listed: BTreeSet<String> = rows.iter().map(|row| format!("{} {}", row.method, row.path)).collect();
    assert_eq!(listed.len(), rows.len(), "no row stands twice");
    // Loads the server functions.
    let _server = TestServer::start().await;
    let api = API.iter().map(|route| format!("{} /api{}", route.method, route.path));
    let open = OPEN.iter().map(|route| format!("{} {}", route.method, route.path));
    let pages = leptos_axum::generate_route_list(App).into_iter().map(|page| format!("GET {}", page.path()));
    let functions =
        leptos::server_fn::axum::server_fn_paths().map(|(path, method)| format!("{method} {}", unhashed(path)));
    let gateway = ["POST /v1/messages", "GET /api/hello"].map(String::from);
    let served: BTreeSet<String> = api.chain(open).chain(pages).chain(functions).chain(gateway).collect();
    let missing: Vec<_> = served.symmetric_difference(&listed).collect();
    assert!(missing.is_empty(), "only in the table or only in the router: {missing:#?}");
}

/// The path of a server function has the hash of its place behind its name.
fn unhashed(path: &str) -> &str {
    path.trim_end_matches(|c: char| c.is_ascii_digit())
}

const JSON: (&str, &str) = ("content-type", "application/json");
const FORM: &str = "application/x-www-form-urlencoded";
const CALL: &str = r#"{"model":"claude-sonnet-4-20250514","usage":{"input_tokens":1,"output_tokens":1}}"#;

struct Row {
    method: &'static str,
    path: &'static str,
    statuses: Vec<&'static str>,
}

fn read_table() -> (Vec<&'static str>, Vec<Row>) {
    let mut lines = TABLE.lines().filter(|line| !line.trim().is_empty());
    let callers: Vec<&str> = lines.next().unwrap().split_whitespace().collect();
    let rows = lines.map(|line| {
        let mut words = line.split_whitespace();
        let row = Row { method: words.next().unwrap(), path: words.next().unwrap(), statuses: words.collect() };
        assert_eq!(row.statuses.len(), callers.len(), "{line}");
        row
    });
    let rows = rows.collect();
    (callers, rows)
}

impl TestPeople {
    /// The status alone: a live connection would never end.
    async fn call(&self, caller: &str, method: &str, path: &str, own_event: &str) -> StatusCode {
        let address = match path.strip_prefix("/_fn/") {
            Some(_) => {
                let found = leptos::server_fn::axum::server_fn_paths().find(|(hashed, _)| unhashed(hashed) == path);
                found.map_or_else(|| path.to_owned(), |(hashed, _)| hashed.to_owned())
            }
            None => path.replace("{id}", own_event),
        };
        let (content_type, body) = body_of(path);
        let mut request = Request::builder()
            .method(method.parse::<Method>().unwrap())
            .uri(address)
            .header("host", HOST)
            .header("content-type", content_type)
            .header("accept", "application/json")
            .header("sec-fetch-site", "same-origin");
        request = match caller {
            "nobody" => request,
            "member" => request.header("cookie", self.cookie(Person::Member).await),
            "admin" => request.header("cookie", self.cookie(Person::Admin).await),
            "shut-out" => request.header("cookie", self.cookie(Person::ShutOut).await),
            scope => {
                let scope = scope.trim_end_matches("-key").parse().unwrap();
                request.header("x-tollbridge-key", self.key(scope))
            }
        };
        if path.starts_with("/v1/") || path == "/api/hello" {
            request = request.header("x-api-key", "sk-ant-of-the-client");
        }
        // A server of its own for each call: how often somebody may try is another test's subject.
        // Nobody is at the provider's address.
        let access = Access::default().with_oidc(Some(test_oidc("http://127.0.0.1:9", &[])));
        let state = tollbridge::http::state::AppState { access, ..self.server.state.clone() };
        front(&state).answer(request.body(Body::from(body)).unwrap()).await.unwrap().status()
    }
}

/// What each route takes, where that is not an empty object.
fn body_of(path: &str) -> (&'static str, String) {
    let json = |body: serde_json::Value| ("application/json", body.to_string());
    match path {
        "/api/analytics/usage" => ("application/json", CALL.replace("{\"model", "{\"id\":\"of-the-table\",\"model")),
        "/api/analytics/budget" => json(serde_json::json!({"monthlyLimitCents": 10_000})),
        "/api/prices/calculate" => ("application/json", CALL.into()),
        "/api/chat" => json(serde_json::json!({"message": "Hi"})),
        "/_fn/get_report" | "/_fn/get_heat_map" | "/_fn/get_overview_head" | "/_fn/get_live_version" => {
            json(serde_json::json!({"query": UsageQuery::default()}))
        }
        "/_fn/get_quotes" => json(serde_json::json!({"address": CalculatorAddress::default()})),
        "/_fn/get_month_elsewhere" => json(serde_json::json!({"models": []})),
        "/_fn/get_price_cards" => json(serde_json::json!({"search": "", "models": []})),
        "/_fn/create_key" => json(serde_json::json!({"name": "one", "scopes": ["read"]})),
        "/_fn/save_budget" => {
            (FORM, "limit=100&threshold_1=40&threshold_2=80&threshold_3=95&time_zone=UTC&at_limit=block".into())
        }
        "/api/analytics/budgets" | "/api/analytics/budgets/{id}" => {
            json(serde_json::json!({"name": "one", "limitCents": 100}))
        }
        "/api/channels" => json(serde_json::json!({"kind": "slack", "url": "https://hooks.slack.com/services/x"})),
        "/_fn/get_named_budget_draft" => json(serde_json::json!({"id": "", "entered": null})),
        "/_fn/save_named_budget" => {
            let fields = "budget_id=&budget_name=one&budget_scope=user&budget_project=&budget_model=&budget_period=day";
            let limits = "budget_limit=5&budget_thresholds=80&budget_time_zone=UTC&budget_at_limit=notify";
            (FORM, format!("{fields}&{limits}&raised_limit=&raised_until="))
        }
        "/_fn/get_audit_log" => json(serde_json::json!({"group": "", "person": "", "after": null})),
        "/_fn/get_alerts" => json(serde_json::json!({"show": "open", "after": null})),
        "/_fn/acknowledge_alert" | "/_fn/mark_alert_normal" | "/_fn/resume_session" => {
            (FORM, "id=none&show=open".into())
        }
        "/_fn/get_channel_draft" => json(serde_json::json!({"wanted": {"New": "slack"}})),
        "/_fn/save_channel" => {
            let form =
                "form[id]=&form[kind]=slack&form[name]=one&form[host]=&form[port]=&form[encryption]=&form[username]=";
            let rest =
                "form[from]=&form[to]=&form[min_level]=info&form[topics][0]=budget&form[quiet_from]=&form[quiet_to]=";
            let url = "form[digest]=none&form[time_zone]=UTC&url=https://hooks.slack.com/services/x";
            (FORM, format!("{form}&{rest}&{url}"))
        }
        "/_fn/rotate_signing_secret" => json(serde_json::json!({"id": "none"})),
        "/_fn/switch_channel" => (FORM, "id=none&is_enabled=false".into()),
        "/_fn/test_channel" | "/_fn/delete_channel" | "/_fn/send_delivery_again" | "/_fn/delete_budget" => {
            (FORM, "id=none".into())
        }
        "/_fn/get_turn_usage" => json(serde_json::json!({"call_id": "none"})),
        "/_fn/invite_person" => (FORM, "role=member".into()),
        "/_fn/change_person" => (FORM, "user_id=owner&change=shut_out".into()),
        "/_fn/change_password" => (FORM, "current=&password=short&again=short".into()),
        "/_fn/revoke_key" => (FORM, "id=none".into()),
        "/_fn/start_import" | "/_fn/unlink_provider" | "/_fn/load_sample_data" | "/_fn/remove_sample_data" => {
            (FORM, String::new())
        }
        "/login" => (FORM, "login=owner&password=wrong".into()),
        "/login/oidc/link" | "/logout" | "/setup" | "/join" => (FORM, String::new()),
        _ => ("application/json", "{}".into()),
    }
}

#[tokio::test]
async fn what_is_somebody_elses_is_not_there() {
    let people = TestPeople::start().await;
    let server = &people.server;
    server.post_with("/api/analytics/usage", &[JSON, ("x-tollbridge-key", &people.key(KeyScope::Ingest))], CALL).await;
    let event = format!("/api/analytics/events/{}", people.event_of_member().await);
    let own = server.get_with(&event, &[("x-tollbridge-key", &people.key(KeyScope::Read))]).await;
    assert_eq!(own.status, StatusCode::OK);
    let revoke = server.action_of_name("revoke_key");
    let form = format!("id={}", people.key_id(KeyScope::Proxy));
    for person in [Person::OtherMember, Person::Admin] {
        let foreign_key = people.new_key(person, &[KeyScope::Read]).await;
        let shown = [("x-tollbridge-key", foreign_key.as_str())];
        assert_eq!(server.get_with(&event, &shown).await.status, StatusCode::NOT_FOUND, "{person:?}");
        let report = server.get_with("/api/analytics/tokens", &shown).await.json();
        assert_eq!(report["summary"]["totalCalls"], 0, "{person:?}");
        let cookie = people.cookie(person).await;
        let headers = [("content-type", FORM), ("sec-fetch-site", "same-origin"), ("cookie", cookie.as_str())];
        assert_eq!(server.post_with(&revoke, &headers, form.clone()).await.status, StatusCode::NOT_FOUND, "{person:?}");
    }
    let cookie = people.cookie(Person::Member).await;
    let headers = [("content-type", FORM), ("sec-fetch-site", "same-origin"), ("cookie", cookie.as_str())];
    assert_eq!(server.post_with(&revoke, &headers, form).await.status, StatusCode::OK, "until here it worked");
}

#[tokio::test]
async fn the_key_of_somebody_shut_out_is_none() {
    let people = TestPeople::start().await;
    for scope in KeyScope::ALL {
        let key = people.new_key(Person::ShutOut, &[scope]).await;
        for path in ["/api/analytics/tokens", "/api/live", "/v1/messages"] {
            let shown = [("x-tollbridge-key", key.as_str()), ("x-api-key", "sk-ant-of-the-client")];
            let shown = if path == "/v1/messages" { &shown[..] } else { &shown[..1] };
            let answer = match path {
                "/v1/messages" => people.server.post_with(path, shown, "{}").await,
                _ => people.server.get_with(path, shown).await,
            };
            assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{path} {scope}");
        }
    }
}

#[tokio::test]
async fn a_session_opens_the_api_to_our_own_pages_only() {
    let people = TestPeople::start().await;
    let cookie = people.cookie(Person::Member).await;
    for elsewhere in [("sec-fetch-site", "cross-site"), ("origin", "https://evil.example"), ("accept", "*/*")] {
        let headers = [JSON, ("cookie", cookie.as_str()), elsewhere];
        let chat = people.server.post_with("/api/chat", &headers, r#"{"message":"Hi"}"#).await;
        assert!(matches!(chat.status.as_u16(), 401 | 403), "{elsewhere:?}: {}", chat.status);
        let live = people.server.get_with("/api/live", &headers).await;
        assert!(matches!(live.status.as_u16(), 401 | 403), "{elsewhere:?}: {}", live.status);
    }
}
