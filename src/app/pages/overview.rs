//! The Overview: what it cost, whether that is fine, and what made it so. The address is the question; the answer stays
//! on the page, dimmed, until the next one is there.

use crate::app::kit::card::CardSkeleton;
use crate::app::kit::field::Choice;
use crate::app::kit::notice::{Level, Notice};
use crate::app::server_fns::error::{AppError, answer_with_status};
use crate::app::server_fns::report::{OverviewHead, get_heat_map, get_overview_head, get_report};
use crate::app::state::address::OverviewAddress;
use crate::app::widgets::Answer;
use crate::app::widgets::alerts_strip::AlertsStrip;
use crate::app::widgets::budget_card::BudgetCard;
use crate::app::widgets::cost_by_model::CostByModel;
use crate::app::widgets::first_start::FirstStart;
use crate::app::widgets::forecast_card::ForecastCard;
use crate::app::widgets::headline::Headline;
use crate::app::widgets::heat_map::HeatMapCard;
use crate::app::widgets::live_dot::{Live, LiveDot, follow_moves};
use crate::app::widgets::metric_cards::MetricCards;
use crate::app::widgets::model_filter::ModelFilter;
use crate::app::widgets::model_table::ModelTable;
use crate::app::widgets::projection_card::ProjectionCard;
use crate::app::widgets::range_switch::{CompareToggle, RangeSwitch};
use crate::app::widgets::recorder_strip::RecorderStrip;
use crate::app::widgets::usage_by_model::UsageByModel;
use crate::app::widgets::usage_over_time::UsageOverTime;
use crate::app::widgets::whose_chooser::WhoseChooser;
use crate::domain::heat_map::HeatMap;
use crate::domain::query::{UsageQuery, Whose};
use crate::domain::report::UsageReport;
use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::use_query_map;

type Question = Result<UsageQuery, AppError>;

#[component]
pub fn Overview() -> impl IntoView {
    let params = use_query_map();
    let parsed = Memo::new(move |_| params.with(OverviewAddress::from_params));
    let question = Memo::new(move |_| parsed.with(|parsed| parsed.clone().map(|a| a.question).map_err(AppError::from)));
    let address = Signal::derive(move || parsed.get().unwrap_or_default());

    let answer = Resource::new(move || question.get(), ask_report);
    let heat_map = Resource::new(move || question.get(), ask_heat_map);
    let head_question = Memo::new(move |_| question.with(question_of_head));
    let head = Resource::new(move || head_question.get(), get_overview_head);

    let follows_move = StoredValue::new(false);
    let followed = Memo::new(move |_| UsageQuery { time_zone: None, ..head_question.get() });
    let Live { is_connected, recorder_news } = follow_moves(followed.into(), move || {
        follows_move.set_value(true);
        answer.refetch();
        heat_map.refetch();
        head.refetch();
    });

    let is_fetching = RwSignal::new(false);
    let is_dimmed = RwSignal::new(false);
    // Effects run in the browser only, so server and browser begin with the same class. What is asked again because numbers
    // moved dims nothing: it is the same question.
    Effect::new(move |was_fetching: Option<bool>| {
        let is_fetching = is_fetching.get();
        if was_fetching == Some(true) && !is_fetching {
            follows_move.set_value(false);
        }
        is_dimmed.set(is_fetching && !follows_move.get_value());
        is_fetching
    });

    view! {
        <Title text="Overview · Tollbridge"/>
        <header class="page-head">
            <div class="page-title">
                <h1>"Overview"</h1>
                <Transition><BesideTitle head address is_connected/></Transition>
            </div>
            <div class="page-controls">
                <CompareToggle address/>
                <RangeSwitch address/>
            </div>
        </header>
        <RecorderStrip news=recorder_news/>
        <div class="answer" class:answer-old=is_dimmed aria-busy=move || is_dimmed.get().to_string()>
            <Transition fallback=Skeleton set_pending=is_fetching>
                <Content answer head heat_map address/>
            </Transition>
        </div>
    }
    .into_any()
}

#[component]
fn BesideTitle(
    head: Resource<Result<OverviewHead, AppError>>,
    address: Signal<OverviewAddress>,
    is_connected: Signal<bool>,
) -> impl IntoView {
    // Made anew only when it changes: a list that is open would close with every call.
    let others = others_in(head);
    view! {
        {move || others.with(|others| (!others.is_empty()).then(|| view! { <WhoseChooser others=others.clone() address/> }))}
        {move || head.get().map(|head| view! { <LiveDot call=head.ok().and_then(|head| head.latest_call) is_connected/> })}
    }
}

/// Whose figures can be chosen, as last known.
fn others_in(head: Resource<Result<OverviewHead, AppError>>) -> Memo<Vec<Choice>> {
    Memo::new(move |before: Option<&Vec<Choice>>| match head.get() {
        Some(Ok(head)) => head.others,
        _ => before.cloned().unwrap_or_default(),
    })
}

/// What the page can show. The cards are built once and then updated in place, so that charts stay alive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Loading,
    NothingRecorded,
    Failed,
    Figures,
}

#[component]
fn Content(
    answer: Resource<Result<Answer, AppError>>,
    head: Resource<Result<OverviewHead, AppError>>,
    heat_map: Resource<Result<HeatMap, AppError>>,
    address: Signal<OverviewAddress>,
) -> impl IntoView {
    // Memos made here read the resources below the Transition, which therefore waits for them.
    let kept = Memo::new(move |before: Option<&Option<Answer>>| match answer.get() {
        Some(Ok(answer)) => Some(answer),
        _ => before.cloned().flatten(),
    });
    let failure = Memo::new(move |_| answer.get().and_then(Result::err));
    let hours = Memo::new(move |_| heat_map.get());
    let others = others_in(head);
    // Who looks at others' usage knows how it gets in.
    let is_own = move || address.with(|address| address.question.whose == Whose::Own);
    let is_empty =
        Memo::new(move |_| head.get().map(|head| head.is_ok_and(|head| head.latest_call.is_none()) && is_own()));
    let stage = Memo::new(move |_| {
        let (has_figures, has_failed) = (kept.with(Option::is_some), failure.with(Option::is_some));
        match is_empty.get() {
            None => Stage::Loading,
            Some(true) if !has_failed => Stage::NothingRecorded,
            Some(_) if has_figures => Stage::Figures,
            Some(_) if has_failed => Stage::Failed,
            Some(_) => Stage::Loading,
        }
    });
    move || match stage.get() {
        Stage::Loading => ().into_any(),
        Stage::NothingRecorded => view! { <FirstStart/> }.into_any(),
        Stage::Failed => failure.get().map(|error| view! { <Failure error/> }).into_any(),
        Stage::Figures => {
            let figures = kept.get_untracked().map(|first| {
                let answer = Signal::derive(move || kept.get().unwrap_or_else(|| first.clone()));
                view! { <Figures answer others failure hours address/> }
            });
            figures.into_any()
        }
    }
}

#[component]
fn Figures(
    answer: Signal<Answer>,
    others: Memo<Vec<Choice>>,
    failure: Memo<Option<AppError>>,
    hours: Memo<Option<Result<HeatMap, AppError>>>,
    address: Signal<OverviewAddress>,
) -> impl IntoView {
    let report: Signal<UsageReport> = Memo::new(move |_| answer.with(|answer| answer.report.clone())).into();
    let compare = move || address.with(|address| address.question.compare);
    let is_filtered = move || address.with(|address| address.question.model.is_some());
    let stale = move || {
        failure.get().map(|error| {
            let message = format!("{error} The figures below are the ones from before.");
            view! { <Notice level=Level::Warning word="Not up to date" message/> }
        })
    };
    view! {
        {stale}
        {move || report.with(|report| report.has_demo_data).then(|| view! { <DemoBanner/> })}
        <Headline answer others/>
        <ModelFilter address answer/>
        <AlertsStrip report/>
        <BudgetCard report is_filtered/>
        <MetricCards report compare/>
        <div class="cards">
            <UsageOverTime report address/>
            <UsageByModel report/>
            <CostByModel report/>
            <HeatMapCard heat_map=hours/>
            <ForecastCard report/>
            <ProjectionCard report/>
            <ModelTable report address/>
        </div>
        <p class="foot quiet">{move || report.with(|report| format!("Days are cut in {}.", report.time_zone))}</p>
    }
    .into_any()
}

#[component]
fn DemoBanner() -> impl IntoView {
    view! {
        <div class="notice level-info demo-banner">
            <p>
                <strong>"Sample data."</strong>
                " Some of these figures are made up. "
                <code>"tollbridge demo --remove"</code>
                " takes every one of them out again."
            </p>
        </div>
    }
}

/// The whole page could not be answered, and there is no earlier answer to keep.
#[component]
fn Failure(error: AppError) -> impl IntoView {
    let advice = match error {
        AppError::Invalid { .. } => ("This address asks for something unclear", ""),
        AppError::LoggedOut => ("Your session is over", "Log in again to see the figures."),
        AppError::Forbidden => ("These figures are not yours to see", ""),
        AppError::NotFound => ("There is nothing at this address", ""),
        AppError::Unavailable => ("The figures are out of reach", "What was recorded is safe. Try again in a moment."),
        AppError::Internal { .. } => (
            "The figures could not be worked out",
            "What was recorded is safe. The server's log says more under this id.",
        ),
    };
    let way_out = match error {
        // The login is no page of the dashboard's own.
        AppError::LoggedOut => view! { <a class="button" href="/login" rel="external">"Log in"</a> }.into_any(),
        _ => view! { <a class="button" href="/">"Show the last 30 days"</a> }.into_any(),
    };
    view! {
        <section class="blank-page" role="alert">
            <h2>{advice.0}</h2>
            <p class="quiet">{error.to_string()}</p>
            <p class="quiet">{advice.1}</p>
            {way_out}
        </section>
    }
}

#[component]
fn Skeleton() -> impl IntoView {
    view! {
        <p class="visually-hidden" role="status">"Loading the figures"</p>
        <CardSkeleton class="budget"/>
        <CardSkeleton class="metrics"/>
        <div class="cards">
            <CardSkeleton class="span-8"/>
            <CardSkeleton class="span-4"/>
        </div>
    }
}

async fn ask_report(question: Question) -> Result<Answer, AppError> {
    let question = refuse_unclear(question)?;
    let report = get_report(question.clone()).await?;
    Ok(Answer { question, report })
}

async fn ask_heat_map(question: Question) -> Result<HeatMap, AppError> {
    get_heat_map(refuse_unclear(question)?).await
}

/// An address that is not understood never reaches a server function, but the page still answers with 400.
fn refuse_unclear(question: Question) -> Question {
    question.inspect_err(|error| answer_with_status(error.status()))
}

/// The rest of a question does not change what stands beside the title.
fn question_of_head(question: &Question) -> UsageQuery {
    let UsageQuery { whose, time_zone, .. } = question.clone().unwrap_or_default();
    UsageQuery { whose, time_zone, ..UsageQuery::default() }
}
