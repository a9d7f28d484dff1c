use super::*;
use crate::domain::period::resolve;
use proptest::prelude::*;

/// 10 March 2025, 15:30 in Berlin.
const NOW_MS: i64 = 1_741_617_000_000;

fn totals(calls: u64, output: u64, cents: i64) -> UsageTotals {
    let tokens = TokenCounts { output, ..Default::default() };
    let cost = NanoUsd::from_cents(cents).unwrap();
    let cost_parts = CostParts { output: cost, ..Default::default() };
    UsageTotals { calls, tokens, cost, cost_parts, ..Default::default() }
}

fn model(model: &str, family: &str, totals: UsageTotals) -> ModelTotals {
    ModelTotals { provider: "anthropic".into(), model: model.into(), family: family.into(), totals }
}

/// The report of a week in Berlin.
fn report_of(totals: UsageTotals, previous: Option<UsageTotals>, per_model: Vec<ModelTotals>) -> UsageReport {
    let zone = Zone::parse("Europe/Berlin").unwrap();
    let period = resolve(&"range=week".parse().unwrap(), &zone, NOW_MS).unwrap();
    UsageReport::assemble(ReportInput {
        period: &period,
        zone: &zone,
        totals,
        previous,
        per_model,
        series: vec![totals],
        projection_days: period.days,
        forecast: None,
        alerts: Vec::new(),
        anomalies: Vec::new(),
        budget: None,
        has_demo_data: false,
    })
}

#[test]
fn the_summary_adds_up() {
    let week = UsageTotals { unpriced_calls: 1, timed_calls: 2, response_time_sum_ms: 3_001, ..totals(3, 1_000, 105) };
    let report = report_of(week, Some(totals(1, 10, 50)), Vec::new());
    let summary = &report.summary;
    assert_eq!((summary.total_calls, summary.total_tokens, summary.total_cost), (3, 1_000, 105));
    assert_eq!((summary.total_cost_usd.as_str(), summary.total_cost_formatted.as_str()), ("1.05", "$1.05"));
    assert_eq!(summary.avg_tokens_per_call, 333);
    // $1.05 over the two calls whose price is known.
    assert_eq!((summary.avg_cost_per_call, summary.avg_cost_per_call_usd.as_str()), (53, "0.525"));
    assert_eq!(summary.avg_response_time_ms, Some(1_501), "1,500.5 rounded");
    assert_eq!(summary.period_start, "2025-03-04T00:00:00+01:00");
    assert_eq!(summary.period_end, "2025-03-10T23:59:59.999+01:00");
    assert_eq!(summary.period_days, 7);
    let previous = summary.previous.as_ref().unwrap();
    assert_eq!((previous.total_cost, previous.period_start.as_str()), (50, "2025-02-25T00:00:00+01:00"));
    assert_eq!(previous.period_end, "2025-03-03T23:59:59.999+01:00");
    assert_eq!((report.aggregation, report.time_zone.as_str()), (Aggregation::Daily, "Europe/Berlin"));
}

#[test]
fn families_and_models_stand_dearest_first() {
    let models = vec![
        model("claude-haiku-4-5", "haiku", totals(5, 100, 0)),
        model("claude-sonnet-4", "sonnet", totals(1, 100, 100)),
        model("gpt-free", "gpt", totals(9, 100, 0)),
        model("claude-opus-4", "opus", totals(1, 100, 150)),
        model("claude-sonnet-4-5", "sonnet", totals(1, 100, 100)),
        model("claude-haiku-3-5", "haiku", totals(5, 100, 0)),
    ];
    let report = report_of(totals(22, 600, 350), None, models);
    let families: Vec<&str> = report.model_breakdown.iter().map(|share| share.model.as_str()).collect();
    assert_eq!(families, ["sonnet", "opus", "haiku", "gpt"], "haiku has more calls than gpt");
    let sonnet = &report.model_breakdown[0];
    assert_eq!((sonnet.calls, sonnet.cost, sonnet.percent_of_calls, sonnet.percent_of_cost), (2, 200, 9.1, 57.1));
    let models: Vec<&str> = report.models.iter().map(|model| model.model.as_str()).collect();
    let expected =
        ["claude-opus-4", "claude-sonnet-4", "claude-sonnet-4-5", "gpt-free", "claude-haiku-3-5", "claude-haiku-4-5"];
    assert_eq!(models, expected);
    assert_eq!(report.models[0].percent_of_cost, 42.9);
}

#[test]
fn nothing_to_share_is_no_share() {
    let report = report_of(UsageTotals::default(), None, vec![model("m", "f", UsageTotals::default())]);
    assert_eq!((report.model_breakdown[0].percent_of_calls, report.models[0].percent_of_cost), (0.0, 0.0));
    assert_eq!(report.summary.avg_cost_per_call_usd, "0");
    assert_eq!(report.summary.avg_response_time_ms, None);
    assert_eq!(report.projection.monthly_cost, 0);
}

#[test]
fn every_bucket_has_a_point() {
    let report = report_of(totals(2, 1_500, 30), None, Vec::new());
    let dates: Vec<&str> = report.time_series.iter().map(|point| point.date.as_str()).collect();
    assert_eq!(dates.len(), 7);
    assert_eq!((dates[0], dates[6]), ("2025-03-04", "2025-03-10"));
    let (first, second) = (&report.time_series[0], &report.time_series[1]);
    assert_eq!((first.calls, first.cost, first.tokens_formatted.as_str()), (2, 30, "1.50K"));
    assert_eq!((second.calls, second.cost_formatted.as_str(), second.tokens_formatted.as_str()), (0, "$0.00", "0"));
}

#[test]
fn the_projection_is_over_the_given_days() {
    let report = report_of(totals(7, 700, 700), None, Vec::new());
    assert_eq!((report.projection.monthly_cost, report.projection.daily_average.cost), (3_000, 100));
}

#[test]
fn the_json_keeps_thebridges_names() {
    let week = totals(7, 700, 700);
    let report = report_of(week, None, vec![model("claude-sonnet-4", "sonnet", week)]);
    let json = serde_json::to_value(&report).unwrap();
    for pointer in [
        "/summary/totalCalls",
        "/summary/totalTokens",
        "/summary/totalCost",
        "/summary/totalCostFormatted",
        "/summary/avgTokensPerCall",
        "/summary/avgCostPerCall",
        "/summary/avgCostPerCallFormatted",
        "/summary/periodStart",
        "/summary/periodEnd",
        "/summary/periodDays",
        "/summary/totalCostUsd",
        "/modelBreakdown/0/tokensFormatted",
        "/modelBreakdown/0/costFormatted",
        "/modelBreakdown/0/percentOfCalls",
        "/modelBreakdown/0/percentOfCost",
        "/projection/monthlyTokensFormatted",
        "/projection/dailyAverage/costFormatted",
        "/timeSeries/0/date",
        "/timeSeries/0/tokensFormatted",
        "/alerts",
        "/anomalies",
        "/budget",
    ] {
        assert!(json.pointer(pointer).is_some(), "{pointer} is missing");
    }
    assert!(json.pointer("/summary/previous").is_none());
    assert_eq!(serde_json::from_value::<UsageReport>(json).unwrap(), report);
}

#[test]
fn totals_add_up_part_by_part_and_never_wrap() {
    let one = UsageTotals { failed_calls: 1, unpriced_calls: 2, web_search_count: 3, ..totals(4, 5, 6) };
    let sum: UsageTotals = [one, one, UsageTotals::default()].into_iter().sum();
    assert_eq!((sum.calls, sum.failed_calls, sum.unpriced_calls, sum.web_search_count), (8, 2, 4, 6));
    assert_eq!((sum.tokens.output, sum.cost.to_cents(), sum.cost_parts.output.to_cents()), (10, 12, 12));
    let full = UsageTotals { calls: u64::MAX, cost: NanoUsd(i64::MAX), ..Default::default() };
    assert_eq!(full.plus(&one).calls, u64::MAX);
    assert_eq!(full.plus(&one).cost, NanoUsd(i64::MAX));
}

proptest! {
    #[test]
    fn shares_are_finite_and_within_the_whole(parts in proptest::collection::vec((0..1_000u64, 0..1_000_000i64), 0..12)) {
        let models: Vec<ModelTotals> = parts
            .iter()
            .enumerate()
            .map(|(index, (calls, cents))| model(&format!("m{index}"), &format!("f{}", index % 3), totals(*calls, 1, *cents)))
            .collect();
        let whole: UsageTotals = models.iter().map(|model| model.totals).sum();
        let report = report_of(whole, None, models);
        for share in &report.model_breakdown {
            prop_assert!((0.0..=100.0).contains(&share.percent_of_calls));
            prop_assert!((0.0..=100.0).contains(&share.percent_of_cost));
        }
        let family_cost: i64 = report.model_breakdown.iter().map(|share| share.cost_nano_usd.0).sum();
        prop_assert_eq!(family_cost, whole.cost.0);
        prop_assert!(report.models.is_sorted_by(|one, two| one.totals.cost >= two.totals.cost));
    }
}
