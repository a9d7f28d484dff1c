use super::*;
use proptest::prelude::*;

/// A Tuesday.
fn today() -> NaiveDate {
    "2026-11-24".parse().unwrap()
}

/// A day that costs the same in each of its hours from 9 to 17.
fn office_day(days_ago: i64, cents_an_hour: i64) -> HourlyCost {
    let mut day = HourlyCost::nothing_on(today() - TimeDelta::days(days_ago));
    day.hours[9..18].fill(NanoUsd::from_cents(cents_an_hour).unwrap());
    day
}

/// The Tuesdays before today, one a week.
fn tuesdays(cents_an_hour: &[i64]) -> Vec<HourlyCost> {
    (1..).map(|week| 7 * week).zip(cents_an_hour).map(|(ago, cents)| office_day(ago, *cents)).collect()
}

fn found(today: &HourlyCost, hour: usize, earlier: &[HourlyCost]) -> Option<Severity> {
    detect(today, hour, earlier, &[]).map(|anomaly| anomaly.severity)
}

#[test]
fn a_day_like_the_others_is_quiet_at_every_hour() {
    let earlier = tuesdays(&[100, 110, 90, 105, 95]);
    for hour in 0..24 {
        assert_eq!(found(&office_day(0, 110), hour, &earlier), None, "{hour}");
    }
}

#[test]
fn a_dear_day_is_seen_before_it_is_over_and_told_in_words() {
    // $1 an hour is normal: $3 by noon, $9 a day. $4 an hour is $12 by noon.
    let earlier = tuesdays(&[100, 110, 90, 105, 95]);
    let anomaly = detect(&office_day(0, 400), 11, &earlier, &[]).unwrap();
    assert_eq!(
        anomaly.description,
        "$12.00 spent so far today. On the 5 Tuesdays before, it was $3.00 by 12:00, give or take $0.15."
    );
    assert_eq!((anomaly.kind, anomaly.current_value, anomaly.normal_value), (AnomalyKind::HighCost, 1_200.0, 300.0));
    assert_eq!(anomaly.difference, 300.0);
}

#[test]
fn exactly_the_allowance_is_still_normal() {
    // The allowance is three quarters of the $9 that a day costs.
    let earlier = tuesdays(&[100; 5]);
    assert_eq!(found(&office_day(0, 175), 23, &earlier), None);
    assert_eq!(found(&office_day(0, 176), 23, &earlier), Some(Severity::Medium));
    assert_eq!(found(&office_day(0, 400), 23, &earlier), Some(Severity::Medium), "four allowances above");
    assert_eq!(found(&office_day(0, 401), 23, &earlier), Some(Severity::High));
}

#[test]
fn one_wild_day_does_not_become_the_normal() {
    // The mean of these is $73 a day, and twice that would be needed; the median is $9.
    let earlier = tuesdays(&[100, 3_000, 110, 90, 105]);
    assert!(found(&office_day(0, 200), 23, &earlier).is_some());
}

#[test]
fn days_that_differ_widely_are_given_room() {
    // Median $9, deviation $5.40: up to $37 is normal.
    let earlier = tuesdays(&[40, 100, 160, 30, 170]);
    assert_eq!(found(&office_day(0, 400), 23, &earlier), None);
    assert!(found(&office_day(0, 420), 23, &earlier).is_some());
}

#[test]
fn how_far_days_are_off_is_learnt_from_all_of_them() {
    // The Tuesdays alone are as regular as can be.
    let mut earlier = tuesdays(&[100; 3]);
    assert!(found(&office_day(0, 400), 23, &earlier).is_some());
    // With the other working days half of all are off by 60 %, so up to $37 is normal.
    earlier.extend([(1, 40), (4, 160), (5, 30), (6, 170)].map(|(ago, cents)| office_day(ago, cents)));
    assert_eq!(found(&office_day(0, 400), 23, &earlier), None);
    assert!(found(&office_day(0, 420), 23, &earlier).is_some());
}

#[test]
fn less_than_a_dollar_is_not_worth_a_word() {
    let earlier = tuesdays(&[1; 5]);
    assert_eq!(found(&office_day(0, 12), 23, &earlier), None, "$1.08 where $0.09 is normal");
    assert!(found(&office_day(0, 13), 23, &earlier).is_some());
}

#[test]
fn two_days_are_no_pattern_and_days_without_use_are_none() {
    let mut earlier = tuesdays(&[100, 100]);
    assert_eq!(found(&office_day(0, 9_000), 23, &earlier), None);
    earlier.extend((1..7).map(|ago| office_day(ago, 0)));
    assert_eq!(found(&office_day(0, 9_000), 23, &earlier), None);
    earlier.push(office_day(1, 100));
    assert!(found(&office_day(0, 9_000), 23, &earlier).is_some());
}

#[test]
fn neither_today_nor_what_is_long_ago_or_yet_to_come_counts() {
    let mut earlier = tuesdays(&[100; 3]);
    earlier.extend([office_day(0, 9_000), office_day(-7, 9_000), office_day(63, 9_000), office_day(70, 9_000)]);
    let anomaly = detect(&office_day(0, 9_000), 23, &earlier, &[]).unwrap();
    assert_eq!(anomaly.normal_value, 900.0);
    assert!(anomaly.description.contains("On the 3 Tuesdays"));
}

#[test]
fn without_enough_days_of_the_weekday_others_stand_in() {
    let words = |earlier: &[HourlyCost]| {
        let anomaly = detect(&office_day(0, 9_000), 23, earlier, &[]).unwrap();
        anomaly.description.split(" before,").next().unwrap().rsplit("On the ").next().unwrap().to_owned()
    };
    // One, four, five and six days before are Monday, Friday, Thursday and Wednesday; two and three a weekend.
    let week: Vec<_> = (1..7).map(|ago| office_day(ago, 100)).collect();
    assert_eq!(words(&week), "4 working days");
    assert_eq!(words(&[office_day(1, 100), office_day(2, 100), office_day(3, 100)]), "3 days");
    assert_eq!(words(&tuesdays(&[100; 9])), "8 Tuesdays");
}

#[test]
fn a_weekend_is_not_measured_against_working_days() {
    let saturday = today() + TimeDelta::days(4);
    let on = |date: NaiveDate, cents| HourlyCost { date, ..office_day(0, cents) };
    let mut earlier: Vec<_> = (1..=27).map(|ago| on(saturday - TimeDelta::days(ago), 1_000)).collect();
    earlier.iter_mut().filter(|day| is_weekend(day.date)).for_each(|day| *day = on(day.date, 20));
    assert!(found(&on(saturday, 200), 23, &earlier).is_some(), "$18 where Saturdays cost $1.80");
    let without_saturdays: Vec<_> = earlier.into_iter().filter(|day| day.date.weekday() != Weekday::Sat).collect();
    assert!(found(&on(saturday, 200), 23, &without_saturdays).is_some(), "Sundays stand in");
}

#[test]
fn a_burst_at_night_counts_against_the_whole_day() {
    let earlier = tuesdays(&[1_000; 5]);
    let at_three = |cents| {
        let mut day = HourlyCost::nothing_on(today());
        day.hours[3] = NanoUsd::from_cents(cents).unwrap();
        day
    };
    assert_eq!(found(&at_three(6_750), 3, &earlier), None, "three quarters of the $90 that a day costs");
    assert!(found(&at_three(6_751), 3, &earlier).is_some());
}

#[test]
fn what_was_called_normal_is_normal_on_that_weekday_for_four_weeks() {
    let earlier = |wild_days_ago: i64| {
        let mut days = tuesdays(&[100; 8]);
        days.retain(|day| day.date != today() - TimeDelta::days(wild_days_ago));
        days.push(office_day(wild_days_ago, 400));
        days
    };
    let detect_after = |wild_days_ago: i64, cents| {
        let normal = [today() - TimeDelta::days(wild_days_ago)];
        detect(&office_day(0, cents), 23, &earlier(wild_days_ago), &normal).is_some()
    };
    assert!(detect(&office_day(0, 400), 23, &earlier(7), &[]).is_some(), "nobody said so");
    assert!(!detect_after(7, 500), "as dear and a quarter more");
    assert!(detect_after(7, 501));
    assert!(!detect_after(28, 400));
    assert!(detect_after(35, 400), "forgotten after four weeks");
    assert!(detect_after(1, 400), "a Monday says nothing about a Tuesday");
}

#[test]
fn the_median_is_in_the_middle() {
    assert_eq!(median(vec![]), 0);
    assert_eq!(median(vec![9, 1, 5]), 5);
    assert_eq!(median(vec![9, 1, 5, 7]), 6);
}

proptest! {
    #[test]
    fn no_costs_give_anything_but_finite_numbers_and_more_never_gets_quieter(
        costs in proptest::collection::vec((1_i64..60, 0..=i64::MAX), 0..40),
        cost in 0..=i64::MAX / 2,
        hour in 0_usize..24,
    ) {
        let day = |ago: i64, nanos: i64| {
            let mut day = HourlyCost::nothing_on(today() - TimeDelta::days(ago));
            day.hours.fill(NanoUsd(nanos));
            day
        };
        let earlier: Vec<_> = costs.into_iter().map(|(ago, nanos)| day(ago, nanos)).collect();
        let found = detect(&day(0, cost), hour, &earlier, &[]);
        if let Some(anomaly) = &found {
            prop_assert!(anomaly.current_value.is_finite() && anomaly.normal_value.is_finite());
            prop_assert!(anomaly.difference >= 0.0 && anomaly.difference.is_finite());
            prop_assert!(detect(&day(0, cost + 1), hour, &earlier, &[]).is_some());
        }
    }
}
