use super::*;
use chrono_tz::TZ_VARIANTS;
use proptest::prelude::*;
use std::collections::{HashMap, HashSet};

fn zone(name: &str) -> Zone {
    Zone::parse(name).unwrap()
}

fn date(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

fn ms(rfc3339: &str) -> i64 {
    DateTime::parse_from_rfc3339(rfc3339).unwrap().timestamp_millis()
}

fn period(query: &str, zone_name: &str, now: &str) -> Period {
    resolve(&query.parse().unwrap(), &zone(zone_name), ms(now)).unwrap()
}

fn labels(period: &Period) -> Vec<&str> {
    period.buckets.iter().map(|bucket| bucket.label.as_str()).collect()
}

fn assert_tiles(period: &Period, context: &str) {
    let mut at_ms = period.start_ms;
    for bucket in &period.buckets {
        assert_eq!(bucket.start_ms, at_ms, "{context}: gap or overlap at {}", bucket.label);
        assert!(bucket.end_ms > bucket.start_ms, "{context}: empty bucket {}", bucket.label);
        assert_eq!(bucket.start_ms % QUARTER_MS, 0, "{context}: {} is off the quarter hour", bucket.label);
        at_ms = bucket.end_ms;
    }
    assert_eq!(at_ms, period.end_ms, "{context}: the buckets end early or late");
    assert_eq!(period.end_ms % QUARTER_MS, 0, "{context}");
    assert_eq!(period.previous.end_ms, period.start_ms, "{context}");
    assert_eq!(period.previous.start_ms % QUARTER_MS, 0, "{context}");
}

fn days_of(from: &str, to: &str) -> impl Iterator<Item = NaiveDate> {
    let to = date(to);
    date(from).iter_days().take_while(move |day| *day <= to)
}

#[test]
fn named_ranges_end_with_the_whole_of_today() {
    let now = "2025-03-10T15:30:00+01:00";
    for (query, from, days, aggregation) in [
        ("range=day", "2025-03-10", 1, Aggregation::Hourly),
        ("range=week", "2025-03-04", 7, Aggregation::Daily),
        ("", "2025-02-09", 30, Aggregation::Daily),
        ("range=year", "2024-03-11", 365, Aggregation::Monthly),
    ] {
        let period = period(query, "Europe/Berlin", now);
        assert_eq!((period.from, period.to), (date(from), date("2025-03-10")), "{query}");
        assert_eq!(period.start_ms, ms(&format!("{from}T00:00:00+01:00")), "{query}");
        assert_eq!(period.end_ms, ms("2025-03-11T00:00:00+01:00"), "{query}");
        assert_eq!((period.days, period.aggregation), (days, aggregation), "{query}");
        assert!(period.is_running, "{query}");
        assert_tiles(&period, query);
    }
}

#[test]
fn today_is_the_zones_own() {
    let now = "2025-01-01T03:00:00Z";
    assert_eq!(period("range=day", "America/New_York", now).from, date("2024-12-31"));
    assert_eq!(period("range=day", "Asia/Tokyo", now).from, date("2025-01-01"));
}

#[test]
fn the_period_before_has_as_many_days() {
    let week = period("range=week", "Europe/Berlin", "2025-04-01T12:00:00+02:00");
    assert_eq!(week.start_ms, ms("2025-03-26T00:00:00+01:00"));
    assert_eq!(week.previous, Interval { start_ms: ms("2025-03-19T00:00:00+01:00"), end_ms: week.start_ms });
}

#[test]
fn a_year_knows_leap_days() {
    for (now, from, days) in [
        ("2024-02-29T12:00:00Z", "2023-03-01", 366),
        ("2025-02-28T12:00:00Z", "2024-02-29", 366),
        ("2025-03-01T12:00:00Z", "2024-03-02", 365),
        ("2024-12-31T12:00:00Z", "2024-01-01", 366),
    ] {
        let year = period("range=year", "UTC", now);
        assert_eq!((year.from, year.days), (date(from), days), "{now}");
        assert_tiles(&year, now);
    }
    let february = period("from=2024-02-01&to=2024-02-29", "UTC", "2025-01-01T00:00:00Z");
    assert_eq!((february.days, february.buckets.len(), february.is_running), (29, 29, false));
}

#[test]
fn custom_ranges_are_cut_by_their_length() {
    for (to, aggregation) in [
        ("2025-01-02", Aggregation::Hourly),
        ("2025-01-03", Aggregation::Daily),
        ("2025-04-02", Aggregation::Daily),
        ("2025-04-03", Aggregation::Weekly),
        ("2026-02-04", Aggregation::Weekly),
        ("2026-02-05", Aggregation::Monthly),
    ] {
        let period = period(&format!("from=2025-01-01&to={to}"), "UTC", "2025-01-01T00:00:00Z");
        assert_eq!(period.aggregation, aggregation, "{to}");
        assert_tiles(&period, to);
    }
}

#[test]
fn too_many_hours_are_refused() {
    let query = UsageQuery { range: Range::Year, aggregation: Some(Aggregation::Hourly), ..Default::default() };
    assert_eq!(resolve(&query, &Zone::UTC, 0).unwrap_err().field, "aggregation");
}

#[test]
fn weeks_are_named_by_their_sunday_and_cut_by_the_range() {
    // 1 January 2025 is a Wednesday.
    let weeks = period("from=2025-01-01&to=2025-01-13&aggregation=weekly", "UTC", "2025-02-01T00:00:00Z");
    assert_eq!(labels(&weeks), ["2024-12-29", "2025-01-05", "2025-01-12"]);
    let days: Vec<i64> = weeks.buckets.iter().map(|week| (week.end_ms - week.start_ms) / DAY_MS).collect();
    assert_eq!(days, [4, 7, 2]);
}

#[test]
fn months_are_cut_by_the_range() {
    let months = period("from=2024-12-31&to=2025-03-01&aggregation=monthly", "UTC", "2025-04-01T00:00:00Z");
    assert_eq!(labels(&months), ["2024-12", "2025-01", "2025-02", "2025-03"]);
    let days: Vec<i64> = months.buckets.iter().map(|month| (month.end_ms - month.start_ms) / DAY_MS).collect();
    assert_eq!(days, [1, 31, 28, 1]);
}

#[test]
fn the_hour_that_is_skipped_has_no_bucket_and_the_repeated_one_has_two() {
    let spring = period("from=2025-03-30&to=2025-03-30", "Europe/Berlin", "2025-04-01T00:00:00Z");
    assert_eq!(spring.buckets.len(), 23);
    assert_eq!(labels(&spring)[1..3], ["2025-03-30 01:00", "2025-03-30 03:00"]);

    let autumn = period("from=2025-10-26&to=2025-10-26", "Europe/Berlin", "2025-11-01T00:00:00Z");
    assert_eq!(autumn.buckets.len(), 25);
    assert_eq!(labels(&autumn)[2..4], ["2025-10-26 02:00", "2025-10-26 02:00"]);
    assert_eq!(autumn.buckets[3].start_ms, ms("2025-10-26T02:00:00+01:00"));
    assert_tiles(&autumn, "autumn");
}

#[test]
fn kathmandu_hours_begin_on_its_own_clock() {
    let day = period("range=day", "Asia/Kathmandu", "2025-06-01T12:00:00+05:45");
    assert_eq!(day.buckets.len(), 24);
    assert_eq!(day.buckets[0].start_ms, ms("2025-05-31T18:15:00Z"));
    assert_eq!(day.buckets[9].label, "2025-06-01 09:00");
    assert_eq!(day.buckets[9].start_ms, ms("2025-06-01T09:00:00+05:45"));
}

#[test]
fn lord_howe_changes_by_half_an_hour() {
    // Back at 02:00 (+11) to 01:30 (+10:30): the half hour 01:30 to 02:00 comes again.
    let autumn = period("from=2025-04-06&to=2025-04-06", "Australia/Lord_Howe", "2025-05-01T00:00:00Z");
    assert_eq!(labels(&autumn)[1..4], ["2025-04-06 01:00", "2025-04-06 01:00", "2025-04-06 02:00"]);
    assert_eq!(autumn.end_ms - autumn.start_ms, DAY_MS + HOUR_MS / 2);
    assert_eq!(autumn.buckets[2].end_ms - autumn.buckets[2].start_ms, HOUR_MS / 2);
    // Forward at 02:00 (+10:30) to 02:30 (+11): that hour has a half only.
    let spring = period("from=2025-10-05&to=2025-10-05", "Australia/Lord_Howe", "2025-11-01T00:00:00Z");
    assert_eq!(spring.buckets.len(), 24);
    assert_eq!(spring.buckets[2].label, "2025-10-05 02:00");
    assert_eq!(spring.buckets[2].end_ms - spring.buckets[2].start_ms, HOUR_MS / 2);
    assert_tiles(&autumn, "autumn");
    assert_tiles(&spring, "spring");
}

#[test]
fn apia_left_a_day_out() {
    let week = period("from=2011-12-28&to=2012-01-01", "Pacific/Apia", "2012-06-01T00:00:00Z");
    assert_eq!(labels(&week), ["2011-12-28", "2011-12-29", "2011-12-31", "2012-01-01"]);
    assert_eq!((week.days, week.end_ms - week.start_ms), (5, 4 * DAY_MS));
    assert_tiles(&week, "Apia");
    let skipped = day_bounds(&zone("Pacific/Apia"), date("2011-12-30"));
    assert_eq!((skipped.start_ms, skipped.end_ms), (skipped.end_ms, ms("2011-12-31T00:00:00+14:00")));
}

#[test]
fn a_midnight_that_is_skipped_or_repeated_starts_the_day_at_its_first_instant() {
    // Cairo, 26 April 2024: 00:00 becomes 01:00. Havana, 2 November 2025: 01:00 becomes 00:00.
    let cairo = day_bounds(&zone("Africa/Cairo"), date("2024-04-26"));
    assert_eq!(cairo.start_ms, ms("2024-04-26T01:00:00+03:00"));
    assert_eq!(cairo.end_ms - cairo.start_ms, 23 * HOUR_MS);
    let havana = day_bounds(&zone("America/Havana"), date("2025-11-02"));
    assert_eq!(havana.start_ms, ms("2025-11-02T00:00:00-04:00"));
    assert_eq!(havana.end_ms - havana.start_ms, 25 * HOUR_MS);
    // Asunción, 24 March 2024: 00:00 becomes 23:00 of the day before.
    let asuncion = day_bounds(&zone("America/Asuncion"), date("2024-03-24"));
    assert_eq!(asuncion.start_ms, ms("2024-03-24T00:00:00-04:00"));
    // St. John's until 2011: 00:01 becomes 23:01 of the day before.
    let hours = period("from=2010-11-06&to=2010-11-07", "America/St_Johns", "2012-01-01T00:00:00Z");
    assert_tiles(&hours, "St. John's");
}

#[test]
fn a_month_is_the_zones_own() {
    let month = month_of(&zone("Asia/Kathmandu"), ms("2024-02-29T18:20:00Z"));
    assert_eq!((month.first, month.last, month.next()), (date("2024-03-01"), date("2024-03-31"), date("2024-04-01")));
    assert_eq!(month.label(), "2024-03");
    assert_eq!(month.interval.start_ms, ms("2024-02-29T18:15:00Z"));
    assert_eq!(month.interval.end_ms, ms("2024-03-31T18:15:00Z"));
}

#[test]
fn the_hour_of_the_week_is_local_and_begins_on_monday() {
    let monday = ms("2025-03-10T00:30:00+05:45");
    assert_eq!(local_hour_of_week(&zone("Asia/Kathmandu"), monday), (0, 0));
    assert_eq!(local_hour_of_week(&Zone::UTC, monday), (6, 18));
}

#[test]
fn zones_are_known_by_exact_name() {
    assert_eq!(zone("US/Pacific").name(), "US/Pacific");
    for name in ["europe/berlin", "Europe/Atlantis", "", "+02:00"] {
        assert_eq!(Zone::parse(name).unwrap_err().field, "tz", "{name}");
    }
    let query = UsageQuery { time_zone: Some("Asia/Tokyo".into()), ..Default::default() };
    assert_eq!(Zone::of_query(&query, Zone::UTC).unwrap().name(), "Asia/Tokyo");
    assert_eq!(Zone::of_query(&UsageQuery::default(), Zone::UTC), Ok(Zone::UTC));
}

#[test]
fn the_daily_average_is_over_days_that_can_have_data() {
    let month = period("", "UTC", "2025-03-30T12:00:00Z");
    assert_eq!(month.days_with_data(date("2025-03-30"), None), 30);
    assert_eq!(month.days_with_data(date("2025-03-30"), Some(date("2025-03-21"))), 10);
    assert_eq!(month.days_with_data(date("2025-03-30"), Some(date("2020-01-01"))), 30);
    let quarter = period("from=2025-03-01&to=2025-05-31", "UTC", "2025-03-30T12:00:00Z");
    assert_eq!(quarter.days_with_data(date("2025-03-30"), None), 30);
    assert_eq!(quarter.days_with_data(date("2025-02-01"), None), 1, "a range to come does not divide by zero");
}

#[test]
fn the_share_passed_stays_between_none_and_all() {
    let span = Interval { start_ms: 100, end_ms: 300 };
    assert_eq!([0, 150, 900].map(|now_ms| span.share_passed(now_ms)), [0.0, 0.25, 1.0]);
    assert_eq!(Interval { start_ms: 5, end_ms: 5 }.share_passed(5), 1.0);
}

// Invariant 7, over all zones: three years with a leap year, cut every way.

#[test]
fn all_zones_3y_days_tile_the_years_and_add_up_to_months() {
    for tz in TZ_VARIANTS {
        let zone = Zone(tz);
        let mut day_ms_of_month: HashMap<String, i64> = HashMap::new();
        let days = resolve(&"from=2023-07-01&to=2026-06-30&aggregation=daily".parse().unwrap(), &zone, 0).unwrap();
        assert_tiles(&days, tz.name());
        assert_eq!(days.buckets.len(), 1_096, "{tz}");
        for day in &days.buckets {
            assert_eq!(local_date(&zone, day.start_ms).to_string(), day.label, "{tz}");
            assert_eq!(local_date(&zone, day.end_ms - 1).to_string(), day.label, "{tz}");
            *day_ms_of_month.entry(day.label[..7].to_owned()).or_default() += day.end_ms - day.start_ms;
        }
        let months = resolve(&"from=2023-07-01&to=2026-06-30&aggregation=monthly".parse().unwrap(), &zone, 0).unwrap();
        assert_tiles(&months, tz.name());
        assert_eq!(months.buckets.len(), 36, "{tz}");
        for month in &months.buckets {
            assert_eq!(day_ms_of_month[&month.label], month.end_ms - month.start_ms, "{tz} {}", month.label);
            let same = month_of(&zone, month.start_ms).interval;
            assert_eq!((same.start_ms, same.end_ms), (month.start_ms, month.end_ms), "{tz} {}", month.label);
        }
        let weeks = resolve(&"from=2023-07-01&to=2026-06-30&aggregation=weekly".parse().unwrap(), &zone, 0).unwrap();
        assert_tiles(&weeks, tz.name());
    }
}

#[test]
fn all_zones_3y_hours_tile_every_day_on_which_clocks_change() {
    let mut seen = HashSet::new();
    let mut changes = 0;
    for tz in TZ_VARIANTS {
        let zone = Zone(tz);
        for day in days_of("2023-07-01", "2026-06-30") {
            let bounds = day_bounds(&zone, day);
            let is_ordinary = bounds.end_ms - bounds.start_ms == DAY_MS && day.ordinal() != 100;
            // Most zones are like another one: the same instants cut the same way need no second look.
            if is_ordinary || !seen.insert((bounds, zone.offset_ms(bounds.start_ms), zone.offset_ms(bounds.end_ms))) {
                continue;
            }
            changes += 1;
            let range = Range::Custom { from: day - Days::new(1), to: day + Days::new(1) };
            let query = UsageQuery { range, aggregation: Some(Aggregation::Hourly), ..Default::default() };
            let hours = resolve(&query, &zone, 0).unwrap();
            assert_tiles(&hours, tz.name());
            for hour in &hours.buckets {
                let label = |ms| zone.local(ms).format("%Y-%m-%d %H:00").to_string();
                assert_eq!(label(hour.start_ms), hour.label, "{tz}");
                assert_eq!(label(hour.end_ms - 1), hour.label, "{tz}");
                assert!(hour.end_ms - hour.start_ms <= HOUR_MS, "{tz} {}", hour.label);
            }
        }
    }
    assert!(changes > 100, "only {changes} changes were looked at");
}

#[test]
fn all_zones_begin_their_days_on_quarter_hours_since_1980() {
    for tz in TZ_VARIANTS {
        for month in 0..57 * 12 {
            let first = date("1980-01-01") + Months::new(month);
            assert_eq!(start_of_day(&Zone(tz), first) % QUARTER_MS, 0, "{tz} {first}");
        }
    }
}

prop_compose! {
    fn any_range()(start in 0..12_000i64, length in 0..400i64, name in 0..5usize) -> Range {
        let from = date("1990-01-01") + TimeDelta::days(start);
        Range::NAMED.get(name).copied().unwrap_or(Range::Custom { from, to: from + TimeDelta::days(length) })
    }
}

proptest! {
    #[test]
    fn any_question_is_tiled_by_its_buckets(
        range in any_range(),
        aggregation in proptest::option::of(proptest::sample::select(Aggregation::ALL.to_vec())),
        tz in proptest::sample::select(TZ_VARIANTS.to_vec()),
        now_ms in 700_000_000_000..4_000_000_000_000i64,
    ) {
        let query = UsageQuery { range, aggregation, ..Default::default() };
        prop_assume!(query.check().is_ok());
        let period = resolve(&query, &Zone(tz), now_ms).unwrap();
        assert_tiles(&period, &format!("{tz} {query}"));
        prop_assert_eq!(period.is_running, period.interval().contains(now_ms));
        if query.range.name().is_some() {
            prop_assert!(period.is_running, "a named range holds now");
        }
    }

    #[test]
    fn any_instant_is_within_its_own_day_and_month(
        tz in proptest::sample::select(TZ_VARIANTS.to_vec()),
        now_ms in 400_000_000_000..4_000_000_000_000i64,
    ) {
        let zone = Zone(tz);
        prop_assert!(day_bounds(&zone, local_date(&zone, now_ms)).contains(now_ms));
        prop_assert!(month_of(&zone, now_ms).interval.contains(now_ms));
    }

    #[test]
    fn no_instant_makes_it_panic(now_ms in any::<i64>(), tz in proptest::sample::select(TZ_VARIANTS.to_vec())) {
        let zone = Zone(tz);
        let _ = (local_date(&zone, now_ms), local_hour_of_week(&zone, now_ms), month_of(&zone, now_ms));
        for range in Range::NAMED {
            let _ = resolve(&UsageQuery { range, ..Default::default() }, &zone, now_ms);
        }
    }
}
