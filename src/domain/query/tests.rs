use super::*;
use crate::domain::usage::UserId;
use proptest::prelude::*;

fn date(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

fn field_of(text: &str) -> &'static str {
    text.parse::<UsageQuery>().expect_err(text).field
}

#[test]
fn an_empty_address_asks_for_the_last_month() {
    let query: UsageQuery = "".parse().unwrap();
    assert_eq!(query, UsageQuery::default());
    assert_eq!(query.range, Range::Month);
    assert_eq!(query.to_query_string(), "");
}

#[test]
fn every_part_is_read_and_printed_in_order() {
    let text = "range=week&model=sonnet&aggregation=daily&tz=Europe/Berlin&compare=1&user=everyone";
    let query: UsageQuery = text.parse().unwrap();
    assert_eq!(query.range, Range::Week);
    assert_eq!(query.model.as_deref(), Some("sonnet"));
    assert_eq!(query.aggregation, Some(Aggregation::Daily));
    assert_eq!(query.time_zone.as_deref(), Some("Europe/Berlin"));
    assert!(query.compare);
    assert_eq!(query.whose, Whose::Everyone);
    assert_eq!(query.to_query_string(), text);
}

#[test]
fn a_custom_range_is_told_by_its_dates() {
    let query: UsageQuery = "?to=2025-01-31&from=2025-01-01".parse().unwrap();
    assert_eq!(query.range, Range::Custom { from: date("2025-01-01"), to: date("2025-01-31") });
    assert_eq!(query.to_query_string(), "from=2025-01-01&to=2025-01-31");
}

#[test]
fn what_a_plain_form_sends_is_understood() {
    let query: UsageQuery = "range=day&from=&to=&model=&compare=on".parse().unwrap();
    assert_eq!(query, UsageQuery { range: Range::Day, compare: true, ..Default::default() });
    let spaced: UsageQuery = "model=a+b%2Bc".parse().unwrap();
    assert_eq!(spaced.model.as_deref(), Some("a b+c"));
}

#[test]
fn whose_usage_is_ones_own_unless_the_address_says_more() {
    let whose = |text: &str| text.parse::<UsageQuery>().unwrap().whose;
    assert_eq!((whose(""), whose("user=")), (Whose::Own, Whose::Own));
    assert_eq!(whose("user=everyone"), Whose::Everyone);
    let id = "019dd2c8-7a1b-7000-8000-000000000001";
    assert_eq!(whose(&format!("user={id}")), Whose::User(UserId(id.into())));
    assert_eq!(whose("user=Everyone"), Whose::User(UserId("Everyone".into())), "only the word itself is everyone");
}

#[test]
fn unknown_parameters_are_left_alone() {
    assert_eq!("sort=cost&utm=1".parse::<UsageQuery>(), Ok(UsageQuery::default()));
}

#[test]
fn an_error_names_its_field() {
    for (text, field) in [
        ("range=fortnight", "range"),
        ("range=Week", "range"),
        ("range=week&from=2025-01-01&to=2025-01-02", "range"),
        ("range=week&from=2025-01-01", "range"),
        ("range=month&to=2025-01-01", "range"),
        ("from=2025-01-01", "to"),
        ("to=2025-01-01", "from"),
        ("from=2025-01-02&to=2025-01-01", "from"),
        ("from=2025-02-29&to=2025-03-01", "from"),
        ("from=2025-1-1&to=2025-03-01", "from"),
        ("from=2025-01-01&to=2025-03-01T00", "to"),
        ("from=1969-12-31&to=1970-03-01", "from"),
        ("from=2010-01-01&to=2020-01-09", "to"),
        ("aggregation=minutely", "aggregation"),
        ("range=year&aggregation=hourly", "aggregation"),
        ("from=2025-01-01&to=2025-04-03&aggregation=hourly", "aggregation"),
        ("tz=Europe%20Berlin", "tz"),
        ("tz=%3Cscript%3E", "tz"),
        ("model=a%00b", "model"),
        ("model=%E2%80%AE", "model"),
        ("compare=yes", "compare"),
        ("user=Ann%20Smith", "user"),
        ("user=%27%20OR%201%3D1", "user"),
        ("user=a.b", "user"),
    ] {
        assert_eq!(field_of(text), field, "{text}");
    }
}

#[test]
fn limits_are_exact() {
    assert!("from=2010-01-01&to=2020-01-08".parse::<UsageQuery>().is_ok(), "3,660 days");
    assert!("from=2025-01-01&to=2025-04-02&aggregation=hourly".parse::<UsageQuery>().is_ok(), "92 days");
    assert!(format!("model={}", "ä".repeat(200)).parse::<UsageQuery>().is_ok());
    assert_eq!(field_of(&format!("model={}", "ä".repeat(201))), "model");
    assert!(format!("tz={}", "x".repeat(64)).parse::<UsageQuery>().is_ok());
    assert_eq!(field_of(&format!("tz={}", "x".repeat(65))), "tz");
    assert!(format!("user={}", "x".repeat(64)).parse::<UsageQuery>().is_ok());
    assert_eq!(field_of(&format!("user={}", "x".repeat(65))), "user");
}

#[test]
fn it_travels_as_its_query_string_and_is_checked_on_arrival() {
    let query = UsageQuery { range: Range::Year, compare: true, ..Default::default() };
    let json = serde_json::to_string(&query).unwrap();
    assert_eq!(json, r#""range=year&compare=1""#);
    assert_eq!(serde_json::from_str::<UsageQuery>(&json).unwrap(), query);
    assert!(serde_json::from_str::<UsageQuery>(r#""from=2025-01-02&to=2025-01-01""#).is_err());
}

prop_compose! {
    fn custom_range()(start in 0..20_000i64, length in 0..MAX_RANGE_DAYS) -> Range {
        let from = date("1970-01-01") + chrono::TimeDelta::days(start);
        Range::Custom { from, to: from + chrono::TimeDelta::days(length) }
    }
}

fn any_query() -> impl Strategy<Value = UsageQuery> {
    let range = prop_oneof![proptest::sample::select(Range::NAMED.to_vec()), custom_range()];
    let model = proptest::option::of(any_text());
    let aggregation = proptest::option::of(proptest::sample::select(Aggregation::ALL.to_vec()));
    let zone = proptest::option::of(zone_name());
    (range, model, aggregation, zone, any::<bool>(), any_whose())
        .prop_map(|(range, model, aggregation, time_zone, compare, whose)| UsageQuery {
            range,
            model,
            aggregation,
            time_zone,
            compare,
            whose,
        })
        .prop_filter("in bounds", |query| query.check().is_ok())
}

fn any_whose() -> impl Strategy<Value = Whose> {
    let user = "[A-Za-z0-9_-]{1,64}".prop_map(|id| Whose::parse(&id).unwrap());
    prop_oneof![Just(Whose::Own), Just(Whose::Everyone), user]
}

fn any_text() -> impl Strategy<Value = String> {
    proptest::collection::vec(any::<char>(), 1..40).prop_map(|chars| chars.into_iter().collect())
}

fn zone_name() -> impl Strategy<Value = String> {
    let letters: Vec<char> = "AZaz09/_+-".chars().collect();
    proptest::collection::vec(proptest::sample::select(letters), 1..=64).prop_map(|c| c.into_iter().collect())
}

proptest! {
    #[test]
    fn printing_and_parsing_give_the_query_back(query in any_query()) {
        let text = query.to_query_string();
        prop_assert!(text.is_ascii() && !text.contains([' ', '"', '<', '#', '+']), "{}", text);
        prop_assert_eq!(text.parse::<UsageQuery>(), Ok(query));
    }

    #[test]
    fn parsing_and_printing_give_the_canonical_text_back(query in any_query()) {
        let canonical = query.to_query_string();
        let mut pairs: Vec<&str> = canonical.split('&').collect();
        pairs.reverse();
        let shuffled = format!("?{}&unknown=1", pairs.join("&"));
        prop_assert_eq!(shuffled.parse::<UsageQuery>().unwrap().to_query_string(), canonical);
    }

    #[test]
    fn no_text_makes_it_panic(text in any_text()) {
        if let Ok(query) = text.parse::<UsageQuery>() {
            prop_assert_eq!(query.to_query_string().parse::<UsageQuery>(), Ok(query));
        }
    }
}
