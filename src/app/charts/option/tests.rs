//! The options say what the report says: axes, stacks and figures, looked up in the JSON that ECharts gets.

use super::*;
use crate::app::charts::data::MonthDay;
use crate::app::charts::fixtures::{point, share, usage};
use crate::domain::cost::CostParts;
use crate::domain::money::NanoUsd;
use crate::domain::tokens::TokenCounts;
use serde_json::{Value, json};

fn palette() -> Palette {
    Palette::read(|property| property.trim_start_matches("--").to_string())
}

fn json_of(option: ChartOption) -> Value {
    serde_json::to_value(option).unwrap()
}

/// The series of a name.
fn series<'a>(option: &'a Value, name: &str) -> &'a Value {
    let all = option["series"].as_array().unwrap();
    all.iter().find(|series| series["name"] == name).unwrap_or_else(|| panic!("no series {name}"))
}

fn names(option: &Value) -> Vec<&str> {
    option["series"].as_array().unwrap().iter().map(|series| series["name"].as_str().unwrap()).collect()
}

#[test]
fn usage_over_time_stacks_the_used_buckets_and_draws_cost_on_the_right() {
    let points = [
        point("2026-11-23", TokenCounts { input: 1_000, output: 50, ..Default::default() }, NanoUsd(1_500_000_000)),
        point("2026-11-24", TokenCounts { cache_read: 7_000, output: 20, ..Default::default() }, NanoUsd(250_000_000)),
    ];
    let option = json_of(usage_over_time(&points, &palette()));

    assert_eq!(names(&option), ["Input", "Cache read", "Output", "Cost"]);
    assert_eq!(option["xAxis"][0]["data"], json!(["2026-11-23", "2026-11-24"]));
    assert_eq!(option["yAxis"][0]["name"], "Tokens");
    assert_eq!(option["yAxis"][1]["name"], "Cost");
    assert_eq!(series(&option, "Input")["data"], json!([1_000.0, 0.0]));
    assert_eq!(series(&option, "Cache read")["data"], json!([0.0, 7_000.0]));
    assert_eq!(series(&option, "Output")["data"], json!([50.0, 20.0]));
    for bucket in ["Input", "Cache read", "Output"] {
        assert_eq!(series(&option, bucket)["stack"], "tokens");
    }
    assert_eq!(series(&option, "Input")["itemStyle"]["color"], "bucket-input");
    let cost = series(&option, "Cost");
    assert_eq!(cost["yAxisIndex"], 1.0);
    assert_eq!(cost["data"], json!([1.5, 0.25]));
    assert_eq!(cost["tooltip"]["valueFormatter"], FORMAT_USD);
}

#[test]
fn ring_shows_calls_in_each_familys_own_colour() {
    let shares = [share("sonnet", 30, 75.0), share("haiku", 10, 25.0), share("opus", 0, 0.0)];
    let option = json_of(usage_by_model(&shares, &palette()));
    let ring = series(&option, "Calls");
    assert_eq!(ring["type"], "pie");
    let parts = ring["data"].as_array().unwrap();
    assert_eq!(parts.len(), 2, "a family without calls has no part");
    assert_eq!((&parts[0]["name"], &parts[0]["value"]), (&json!("sonnet"), &json!(30.0)));
    // Alphabetical: haiku, opus, sonnet. The absent opus keeps its place.
    assert_eq!(parts[0]["itemStyle"]["color"], "series-3");
    assert_eq!(parts[1]["itemStyle"]["color"], "series-1");
}

#[test]
fn cost_bars_are_stacked_by_what_was_paid_for() {
    let dear = CostParts { input: NanoUsd(2_000_000_000), fees: NanoUsd(10_000_000), ..Default::default() };
    let cheap = CostParts { output: NanoUsd(500_000_000), ..Default::default() };
    let option = json_of(cost_by_model(&[usage("opus", dear), usage("haiku", cheap)], &palette()));

    assert_eq!(names(&option), ["Input", "Output", "Tool fees"]);
    assert_eq!(option["yAxis"][0]["data"], json!(["opus", "haiku"]));
    assert_eq!(option["yAxis"][0]["inverse"], true);
    assert_eq!(series(&option, "Input")["data"], json!([2.0, 0.0]));
    assert_eq!(series(&option, "Output")["data"], json!([0.0, 0.5]));
    assert_eq!(series(&option, "Tool fees")["data"], json!([0.01, 0.0]));
    assert_eq!(series(&option, "Tool fees")["stack"], "cost");
}

#[test]
fn cost_bars_stop_at_eight_models() {
    let part = CostParts { input: NanoUsd(1), ..Default::default() };
    let models: Vec<_> = (0..11).map(|index| usage(&format!("m{index}"), part)).collect();
    let option = json_of(cost_by_model(&models, &palette()));
    assert_eq!(option["yAxis"][0]["data"].as_array().unwrap().len(), 8);
}

#[test]
fn heat_map_has_every_hour_of_the_week_and_ends_at_the_dearest() {
    let mut cells = [[NanoUsd::ZERO; 24]; 7];
    cells[2][14] = NanoUsd(3_250_000_000);
    let option = json_of(hour_of_week(&cells, &palette()));
    let points = series(&option, "Cost")["data"].as_array().unwrap();
    assert_eq!(points.len(), 7 * 24);
    assert_eq!(points[2 * 24 + 14], json!([14.0, 2.0, 3.25]));
    assert_eq!(option["visualMap"]["max"], 3.25);
    assert_eq!(option["yAxis"][0]["data"][2], "Wed");
    assert_eq!(option["xAxis"][0]["data"][14], "14:00");
}

#[test]
fn an_empty_week_still_has_a_scale() {
    let option = json_of(chart_of(&ChartData::HourOfWeek(Box::new([[NanoUsd::ZERO; 24]; 7])), &palette()));
    assert_eq!(option["visualMap"]["max"], 1.0);
}

#[test]
fn forecast_has_gaps_where_nothing_is_known_and_a_band_of_the_right_width() {
    let dollars = |amount: i64| NanoUsd(amount * 1_000_000_000);
    let day = |label: &str, actual, expected, low, high| MonthDay { label: label.into(), actual, expected, low, high };
    let days = [
        day("1 Nov", Some(dollars(10)), None, NanoUsd::ZERO, NanoUsd::ZERO),
        day("2 Nov", Some(dollars(25)), Some(dollars(25)), dollars(25), dollars(25)),
        day("3 Nov", None, Some(dollars(40)), dollars(35), dollars(48)),
    ];
    let option = json_of(forecast(&days, Some(dollars(100)), &palette()));

    assert_eq!(series(&option, "Spent")["data"], json!([10.0, 25.0, null]));
    assert_eq!(series(&option, "Expected")["data"], json!([null, 25.0, 40.0]));
    let band: Vec<&Value> =
        option["series"].as_array().unwrap().iter().filter(|series| series["stack"] == "band").collect();
    assert_eq!((&band[0]["id"], &band[0]["data"]), (&json!("band-low"), &json!([null, 25.0, 35.0])));
    assert_eq!((&band[1]["id"], &band[1]["data"]), (&json!("band-width"), &json!([null, 0.0, 13.0])));
    assert_eq!(series(&option, "Limit")["data"], json!([100.0, 100.0, 100.0]));

    let unlimited = json_of(forecast(&days, None, &palette()));
    assert!(!names(&unlimited).contains(&"Limit"));
}
