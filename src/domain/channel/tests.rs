//! What a channel takes and when, and which channels are refused.

use super::*;
use crate::domain::period::instant_at;

const HOUR_MS: i64 = 3_600_000;
const MINUTE_MS: i64 = 60_000;
/// Tuesday 2026-03-10 12:00 in Berlin.
const NOON_MS: i64 = 1_773_140_400_000;

fn channel() -> Channel {
    Channel {
        user_id: UserId::owner(),
        id: "1".into(),
        name: "Team".into(),
        target: Target::Slack { url: Secret::new("https://hooks.slack.com/services/T/B/x") },
        min_level: AlertLevel::Info,
        topics: Topic::CHOICES.to_vec(),
        quiet_hours: None,
        digest: Digest::None,
        time_zone: "Europe/Berlin".into(),
        created_at_ms: 0,
        disabled_at_ms: None,
        disabled_reason: None,
    }
}

fn mail() -> MailTarget {
    MailTarget {
        host: "smtp.example.com".into(),
        port: 587,
        encryption: MailEncryption::Starttls,
        login: Some(MailLogin { username: "me".into(), password: Secret::new("hunter2") }),
        from: "alerts@example.com".into(),
        to: vec!["ada@example.com".into()],
    }
}

fn quiet(from: &str, to: &str) -> Channel {
    Channel { quiet_hours: Some(QuietHours::parse(from, to).unwrap()), ..channel() }
}

#[test]
fn a_channel_takes_its_topics_from_its_level_on() {
    let channel = Channel { min_level: AlertLevel::Warning, topics: vec![Topic::Budget], ..channel() };
    let of = |topic: Topic, level: AlertLevel| Notification { topic, level, ..Notification::test("x", 0) };
    assert!(channel.takes(&of(Topic::Budget, AlertLevel::Warning)));
    assert!(channel.takes(&of(Topic::Budget, AlertLevel::Critical)));
    assert!(!channel.takes(&of(Topic::Budget, AlertLevel::Info)));
    assert!(!channel.takes(&of(Topic::Anomaly, AlertLevel::Critical)));
    let disabled = Channel { disabled_at_ms: Some(1), ..channel };
    assert!(!disabled.takes(&of(Topic::Budget, AlertLevel::Critical)));
}

#[test]
fn quiet_hours_hold_back_all_but_critical_alerts() {
    let night = quiet("22:00", "07:00");
    let at = |level: AlertLevel, now_ms: i64| night.timing(level, now_ms);
    assert_eq!(at(AlertLevel::Warning, NOON_MS), Timing::At(NOON_MS));
    let late = NOON_MS + 10 * HOUR_MS;
    assert_eq!(at(AlertLevel::Warning, late - 1), Timing::At(late - 1));
    assert_eq!(at(AlertLevel::Warning, late), Timing::At(late + 9 * HOUR_MS));
    assert_eq!(at(AlertLevel::Critical, late), Timing::At(late));
    let early = NOON_MS - 6 * HOUR_MS;
    assert_eq!(at(AlertLevel::Info, early), Timing::At(NOON_MS - 5 * HOUR_MS));
    let midday = quiet("11:30", "13:00");
    assert_eq!(midday.timing(AlertLevel::Info, NOON_MS), Timing::At(NOON_MS + HOUR_MS));
}

#[test]
fn quiet_hours_end_by_the_clock_where_it_is_changed() {
    // In the night to 2026-03-29 Berlin's clocks go from 2:00 to 3:00.
    let eleven_pm = 1_774_735_200_000;
    assert_eq!(quiet("22:00", "07:00").timing(AlertLevel::Info, eleven_pm), Timing::At(eleven_pm + 7 * HOUR_MS));
    // 2:30 does not exist that night: the first instant after the jump.
    assert_eq!(quiet("22:00", "02:30").timing(AlertLevel::Info, eleven_pm), Timing::At(eleven_pm + 3 * HOUR_MS));
}

#[test]
fn a_digest_comes_at_eight_or_after_the_quiet_hours() {
    let daily = Channel { digest: Digest::Daily, ..channel() };
    let weekly = Channel { digest: Digest::Weekly, ..channel() };
    assert_eq!(daily.timing(AlertLevel::Info, NOON_MS), Timing::InDigest(NOON_MS + 20 * HOUR_MS));
    let eight = NOON_MS - 4 * HOUR_MS;
    assert_eq!(daily.timing(AlertLevel::Info, eight - 1), Timing::InDigest(eight));
    assert_eq!(daily.timing(AlertLevel::Info, eight), Timing::InDigest(eight + 24 * HOUR_MS));
    // Six days on is Monday.
    assert_eq!(weekly.timing(AlertLevel::Warning, NOON_MS), Timing::InDigest(eight + 6 * 24 * HOUR_MS));
    assert_eq!(weekly.timing(AlertLevel::Critical, NOON_MS), Timing::At(NOON_MS));
    let sleeps_long = Channel { quiet_hours: Some(QuietHours::parse("22:00", "9:30").unwrap()), ..daily };
    let half_past_nine = NOON_MS + 21 * HOUR_MS + 30 * MINUTE_MS;
    assert_eq!(sleeps_long.timing(AlertLevel::Info, NOON_MS), Timing::InDigest(half_past_nine));
}

#[test]
fn a_digest_tells_of_the_days_before_it_and_may_be_half_a_day_late() {
    let zone = Zone::parse("Europe/Berlin").unwrap();
    let at = |date: &str, minute: u32| instant_at(&zone, date.parse().unwrap(), minute);
    let due = |channel: &Channel, now_ms: i64| {
        channel.due_digest(now_ms).map(|period| (period.from.to_string(), period.to.to_string()))
    };
    let days = |from: &str, to: &str| Some((from.to_owned(), to.to_owned()));
    let old = Channel { created_at_ms: 0, time_zone: "Europe/Berlin".into(), ..channel() };
    let daily = Channel { digest: Digest::Daily, ..old.clone() };
    let weekly = Channel { digest: Digest::Weekly, ..old.clone() };
    // 16 March 2026 is a Monday.
    let eight = at("2026-03-16", 480);
    assert_eq!(due(&old, eight), None);
    assert_eq!(due(&daily, eight - 1), None, "that of the day before is too late");
    assert_eq!(due(&daily, eight), days("2026-03-15", "2026-03-15"));
    assert_eq!(due(&daily, at("2026-03-16", 1_199)), days("2026-03-15", "2026-03-15"));
    assert_eq!(due(&daily, at("2026-03-16", 1_200)), None);
    assert_eq!(due(&weekly, eight), days("2026-03-09", "2026-03-15"));
    assert_eq!(due(&weekly, at("2026-03-17", 480)), None);
    let quiet = Channel { quiet_hours: Some(QuietHours::parse("22:00", "9:30").unwrap()), ..daily.clone() };
    assert_eq!(due(&quiet, at("2026-03-16", 569)), None);
    assert_eq!(due(&quiet, at("2026-03-16", 570)), days("2026-03-15", "2026-03-15"));
    assert_eq!(due(&Channel { created_at_ms: eight, ..daily.clone() }, eight + 1), None, "made after that time");
    assert_eq!(due(&Channel { disabled_at_ms: Some(1), ..daily }, eight), None);
}

#[test]
fn times_are_times_of_a_day() {
    let night = QuietHours::parse(" 22:00", "7:05").unwrap();
    assert_eq!((night.begin_text(), night.end_text()), ("22:00".into(), "07:05".into()));
    for (from, to, field) in [
        ("24:00", "7:00", "quietFrom"),
        ("22", "7:00", "quietFrom"),
        ("22:00", "7:60", "quietTo"),
        ("8:00", "08:00", "quietTo"),
    ] {
        assert_eq!(QuietHours::parse(from, to).unwrap_err().field, field, "{from} {to}");
    }
}

#[test]
fn what_is_wrong_is_told_at_its_field() {
    assert_eq!(channel().check(), Ok(()));
    assert_eq!(Channel { target: Target::Email(mail()), ..channel() }.check(), Ok(()));
    let url = |url: &str| Channel { target: Target::Slack { url: Secret::new(url) }, ..channel() };
    let email = |target: MailTarget| Channel { target: Target::Email(target), ..channel() };
    for (wrong, field) in [
        (Channel { name: " ".into(), ..channel() }, "name"),
        (Channel { topics: Vec::new(), ..channel() }, "topics"),
        (Channel { time_zone: "Mars".into(), ..channel() }, "timeZone"),
        (url("ftp://example.com"), "url"),
        (url("https://"), "url"),
        (url("https://a b"), "url"),
        (url("https://me:pw@example.com/"), "url"),
        (email(MailTarget { host: "smtp.example.com:587/x".into(), ..mail() }), "host"),
        (email(MailTarget { port: 0, ..mail() }), "port"),
        (email(MailTarget { from: "me".into(), ..mail() }), "from"),
        (email(MailTarget { to: Vec::new(), ..mail() }), "to"),
        (email(MailTarget { to: vec!["a@b.c\r\nBcc: x@y.z".into()], ..mail() }), "to"),
    ] {
        assert_eq!(wrong.check().unwrap_err().field, field, "{wrong:?}");
    }
}

#[test]
fn no_text_of_a_channel_shows_its_secrets() {
    let shown = format!("{:?} {:?} {}", channel(), mail(), channel().target.shown());
    assert!(!shown.contains("services") && !shown.contains("hunter2"), "{shown}");
}
