use super::*;
use proptest::prelude::*;

fn date(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

fn usd(dollars: i64) -> NanoUsd {
    NanoUsd(dollars * 1_000_000_000)
}

/// Each day from `from` up to and without `to` at the cost that `cost` gives it.
fn history(from: &str, to: &str, cost: impl Fn(NaiveDate) -> i64) -> Vec<(NaiveDate, NanoUsd)> {
    days_between(date(from), date(to)).map(|day| (day, usd(cost(day)))).collect()
}

fn is_workday(day: NaiveDate) -> bool {
    weekday(day) < 5
}

#[test]
fn even_days_end_where_the_average_does() {
    // 10 days of June at $2, nothing yet today (the 11th), none of it passed: 20 days to come.
    let forecast = forecast(&history("2025-06-01", "2025-06-11", |_| 2), date("2025-06-11"), 0.0).unwrap();
    assert_eq!((forecast.month.as_str(), forecast.spent_so_far, forecast.expected), ("2025-06", usd(20), usd(60)));
    assert_eq!((forecast.low, forecast.high), (usd(60), usd(60)), "what never varies has no band");
    assert_eq!((forecast.history_days, forecast.is_weekday_aware), (10, false));
    assert_eq!(forecast.expected_formatted, "$60.00");
    assert_eq!(forecast.days.len(), 20);
    assert_eq!((forecast.days[0].date.as_str(), forecast.days[0].expected), ("2025-06-11", usd(22)));
    assert_eq!((forecast.days[19].date.as_str(), forecast.days[19].expected), ("2025-06-30", usd(60)));
}

#[test]
fn the_rest_of_today_counts_by_its_share() {
    let mut known = history("2025-06-01", "2025-06-11", |_| 2);
    known.push((date("2025-06-11"), usd(5)));
    let forecast = forecast(&known, date("2025-06-11"), 0.75).unwrap();
    // $25 so far, a quarter of $2, 19 days at $2.
    assert_eq!((forecast.spent_so_far, forecast.expected), (usd(25), NanoUsd(63_500_000_000)));
}

#[test]
fn weekdays_are_told_apart_after_two_weeks() {
    let workdays = |day| if is_workday(day) { 10 } else { 0 };
    // Sunday 15 June 2025: 10 workdays behind, 11 ahead (16–20, 23–27, 30).
    let forecast = forecast(&history("2025-06-01", "2025-06-15", workdays), date("2025-06-15"), 0.0).unwrap();
    assert!(forecast.is_weekday_aware);
    assert_eq!((forecast.spent_so_far, forecast.expected), (usd(100), usd(210)));
    assert_eq!(forecast.runs_out_on(usd(150)), Some("2025-06-20"));
    assert_eq!(forecast.runs_out_on(usd(210)), Some("2025-06-30"));
    assert_eq!(forecast.runs_out_on(usd(211)), None);
    assert_eq!(forecast.runs_out_on(usd(90)), Some("2025-06-15"), "reached before today: today");
}

#[test]
fn one_wild_day_does_not_set_the_pace() {
    let mut known = history("2025-04-01", "2025-06-02", |_| 1);
    known.iter_mut().filter(|(day, _)| *day == date("2025-05-13")).for_each(|(_, cost)| *cost = usd(1_000));
    let forecast = forecast(&known, date("2025-06-02"), 0.0).unwrap();
    assert_eq!(forecast.expected, usd(30));
}

#[test]
fn too_little_history_gives_none() {
    let today = date("2025-06-11");
    assert_eq!(forecast(&[], today, 0.5), None);
    assert_eq!(forecast(&history("2025-06-09", "2025-06-12", |_| 2), today, 0.5), None, "two days and today");
    assert!(forecast(&history("2025-06-08", "2025-06-12", |_| 2), today, 0.5).is_some());
    assert_eq!(forecast(&history("2025-06-12", "2025-07-12", |_| 2), today, 0.5), None, "only days to come");
}

#[test]
fn a_missing_day_cost_nothing() {
    let known = [(date("2025-06-01"), usd(4)), (date("2025-06-04"), usd(4))];
    // $8 in 4 days: $2 a day, 26 days to come.
    assert_eq!(forecast(&known, date("2025-06-05"), 0.0).unwrap().expected, usd(60));
}

#[test]
fn the_months_last_moment_is_certain() {
    let known = history("2025-06-01", "2025-07-01", |day| i64::from(day.day()));
    let forecast = forecast(&known, date("2025-06-30"), 1.0).unwrap();
    assert_eq!((forecast.low, forecast.expected, forecast.high), (usd(465), usd(465), usd(465)));
    assert_eq!(forecast.days.len(), 1);
}

#[test]
fn past_errors_know_only_what_was_known_then() {
    // $1 a day until 10 May, $3 after: on 10 May nobody could know.
    let rising = |day| if day < date("2025-05-10") { 1 } else { 3 };
    let known = history("2025-03-01", "2025-06-10", rising);
    let forecast = forecast(&known, date("2025-06-10"), 0.0).unwrap();
    let may = &forecast.past_errors[0];
    // Actual: 9 days at $1 and 22 at $3. Forecast: 31 days at $1.
    assert_eq!((may.month.as_str(), may.actual, may.forecast, may.percent), ("2025-05", usd(75), usd(31), -58.7));
    let april = &forecast.past_errors[1];
    assert_eq!((april.month.as_str(), april.actual, april.percent), ("2025-04", usd(30), 0.0));
    let march = &forecast.past_errors[2];
    assert_eq!((march.month.as_str(), march.percent), ("2025-03", 0.0), "nine days were known");
    assert_eq!(forecast.past_errors.len(), 3);
    assert!(forecast.low < forecast.expected && forecast.expected < forecast.high);
}

#[test]
fn a_day_that_shorter_months_lack_is_their_last() {
    let known = history("2025-01-01", "2025-03-31", |_| 1);
    let forecast = forecast(&known, date("2025-03-31"), 0.0).unwrap();
    let february = &forecast.past_errors[0];
    assert_eq!((february.month.as_str(), february.forecast, february.actual), ("2025-02", usd(28), usd(28)));
}

#[test]
fn months_without_spend_have_no_error() {
    let known = history("2025-01-01", "2025-04-10", |day| i64::from(day.month() != 2));
    let forecast = forecast(&known, date("2025-04-10"), 0.0).unwrap();
    let months: Vec<&str> = forecast.past_errors.iter().map(|error| error.month.as_str()).collect();
    assert_eq!(months, ["2025-03", "2025-01"]);
}

#[test]
fn the_band_holds_most_months_of_a_steady_habit() {
    // Workdays cost $5 to $15, scattered by a fixed generator; each of the 300 forecasts is compared with what came.
    let mut state = 42_u64;
    let mut scatter = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as i64 % 11 + 5
    };
    let days: Vec<(NaiveDate, NanoUsd)> = days_between(date("2024-01-01"), date("2025-04-01"))
        .map(|day| (day, usd(if is_workday(day) { scatter() } else { 0 })))
        .collect();
    let (mut inside, mut all) = (0, 0);
    for made_at in 100..400 {
        let today = days[made_at].0;
        let forecast = forecast(&days[..made_at], today, 0.0).unwrap();
        let month = first_of_month(today);
        let actual: i64 = days.iter().filter(|(day, _)| first_of_month(*day) == month).map(|(_, cost)| cost.0).sum();
        all += 1;
        inside += i32::from((forecast.low.0..=forecast.high.0).contains(&actual));
    }
    let share = inside * 100 / all;
    assert!((70..=97).contains(&share), "{share} % of the months ended inside a band for 80 %");
}

#[test]
fn a_habit_that_comes_in_phases_widens_the_band() {
    // The same costs, once mixed day by day and once four weeks on and four weeks off.
    let phases = |day: NaiveDate| if day.num_days_from_ce() / 28 % 2 == 0 { 10 } else { 0 };
    let mixed = |day: NaiveDate| if day.num_days_from_ce() % 2 == 0 { 10 } else { 0 };
    let width = |cost: &dyn Fn(NaiveDate) -> i64| {
        let forecast = forecast(&history("2025-01-01", "2025-06-11", cost), date("2025-06-11"), 0.0).unwrap();
        forecast.high.0 - forecast.expected.0
    };
    assert!(width(&phases) > 2 * width(&mixed), "{} and {}", width(&phases), width(&mixed));
}

proptest! {
    #[test]
    fn the_order_holds_for_any_history(
        costs in proptest::collection::vec(0..=i64::MAX / 1_000, 0..120),
        today in 0..140usize,
        share in proptest::num::f64::ANY,
    ) {
        let first = date("2024-01-20");
        let known: Vec<_> = costs.iter().zip(first.iter_days()).map(|(cost, day)| (day, NanoUsd(*cost))).collect();
        let today = first + Days::new(today as u64);
        if let Some(forecast) = forecast(&known, today, share) {
            prop_assert!(NanoUsd::ZERO <= forecast.spent_so_far && forecast.spent_so_far <= forecast.low);
            prop_assert!(forecast.low <= forecast.expected && forecast.expected <= forecast.high);
            prop_assert!(forecast.days.is_sorted_by_key(|day| day.expected));
            prop_assert!(forecast.days.iter().all(|day| day.low <= day.expected && day.expected <= day.high));
            prop_assert!(forecast.past_errors.iter().all(|error| error.percent.is_finite()));
        }
    }
}

#[test]
fn the_month_so_far_has_every_day_from_the_first() {
    // Use began on 29 May; the 2nd of June cost nothing.
    let known = [("2025-05-29", 9), ("2025-06-01", 4), ("2025-06-03", 5)].map(|(day, cost)| (date(day), usd(cost)));
    let forecast = forecast(&known, date("2025-06-04"), 0.5).unwrap();
    assert_eq!(forecast.spent_by_day, [usd(4), usd(0), usd(5), usd(0)]);
    assert_eq!(forecast.spent_by_day.iter().map(|day| day.0).sum::<i64>(), forecast.spent_so_far.0);
}
