//! Tokens and cost over the period, bucket by bucket. A click on a bucket looks into it.

use crate::app::charts::{ChartData, ChartFigure, ChartHeight};
use crate::app::kit::card::Panel;
use crate::app::state::address::{OverviewAddress, use_go_to};
use crate::domain::query::{Aggregation, Range, read_date};
use crate::domain::report::UsageReport;
use chrono::{Days, Months};
use leptos::prelude::*;

#[component]
pub fn UsageOverTime(report: Signal<UsageReport>, address: Signal<OverviewAddress>) -> impl IntoView {
    let go_to = use_go_to();
    let data = Signal::derive(move || report.with(|report| ChartData::UsageOverTime(report.time_series.clone())));
    let look_into = move |index: u32| {
        let range = report.with_untracked(|report| {
            let point = report.time_series.get(usize::try_from(index).ok()?)?;
            bucket_range(&point.date, report.aggregation)
        });
        if let Some(range) = range {
            go_to(&address.with_untracked(|address| address.with_range(range)));
        }
    };
    view! {
        <Panel id="usage-over-time" class="span-8 fill">
            <ChartFigure id="usage-over-time-chart" title="Usage over time" data height=ChartHeight::Tall on_click=Callback::new(look_into)/>
        </Panel>
    }
}

/// The days of a bucket; none for an hour, which is the smallest there is.
fn bucket_range(date: &str, aggregation: Aggregation) -> Option<Range> {
    let (from, to) = match aggregation {
        Aggregation::Hourly => return None,
        Aggregation::Daily => (read_date(date)?, read_date(date)?),
        Aggregation::Weekly => (read_date(date)?, read_date(date)?.checked_add_days(Days::new(6))?),
        Aggregation::Monthly => {
            let from = read_date(&format!("{date}-01"))?;
            (from, from.checked_add_months(Months::new(1))?.pred_opt()?)
        }
    };
    Some(Range::Custom { from, to })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_is_its_days() {
        let said = |date, aggregation| match bucket_range(date, aggregation) {
            Some(Range::Custom { from, to }) => format!("{from} {to}"),
            _ => "nothing".into(),
        };
        assert_eq!(said("2026-11-24", Aggregation::Daily), "2026-11-24 2026-11-24");
        assert_eq!(said("2026-11-22", Aggregation::Weekly), "2026-11-22 2026-11-28");
        assert_eq!(said("2028-02", Aggregation::Monthly), "2028-02-01 2028-02-29");
        assert_eq!(said("2026-11-24 14:00", Aggregation::Hourly), "nothing");
    }
}
