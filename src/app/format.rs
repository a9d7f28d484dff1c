//! Figures and dates as the dashboard shows them. Money and token counts are in `domain`, which the API uses as well.

use crate::domain::query::read_date;
use chrono::{Datelike, NaiveDate};

/// How a figure moved against the period before.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Change {
    Same,
    /// Percent, always above zero.
    Up(f64),
    Down(f64),
    /// There was nothing before, so there is no percentage.
    New,
}

/// The change from `before` to `now`; none where both are nothing.
pub fn change(now: f64, before: f64) -> Option<Change> {
    if before <= 0.0 {
        return (now > 0.0).then_some(Change::New);
    }
    let percent = (now - before) / before * 100.0;
    Some(match percent {
        p if p >= 0.05 => Change::Up(p),
        p if p <= -0.05 => Change::Down(-p),
        _ => Change::Same,
    })
}

/// `0.4 %`, `12.4 %`, `1,240 %`: one decimal below a hundred. The blank is narrow and does not break.
pub fn percent(value: f64) -> String {
    if value.abs() >= 99.95 {
        let whole = value.abs().round().min(1e15) as u64;
        let sign = if value < 0.0 { "−" } else { "" };
        return format!("{sign}{}\u{202f}%", crate::domain::money::group_thousands(whole));
    }
    format!("{value:.1}\u{202f}%")
}

/// `820 ms`, `1.4 s`, `2 min 05 s`, `3 h 12 min`.
pub fn duration(ms: u64) -> String {
    match ms {
        0..1_000 => format!("{ms} ms"),
        1_000..60_000 => format!("{}.{} s", ms / 1_000, ms % 1_000 / 100),
        60_000..3_600_000 => format!("{} min {:02} s", ms / 60_000, ms % 60_000 / 1_000),
        _ => format!("{} h {:02} min", ms / 3_600_000, ms % 3_600_000 / 60_000),
    }
}

/// `812 B`, `4.1 kB`, `97 MB`, `1.2 GB`: powers of a thousand, as disks are sold.
pub fn bytes(bytes: u64) -> String {
    const UNITS: [(u64, &str); 4] =
        [(1_000_000_000_000, "TB"), (1_000_000_000, "GB"), (1_000_000, "MB"), (1_000, "kB")];
    let Some((size, unit)) = UNITS.into_iter().find(|(size, _)| bytes >= *size) else { return format!("{bytes} B") };
    let (whole, tenth) = (bytes / size, bytes % size * 10 / size);
    if whole < 10 { format!("{whole}.{tenth} {unit}") } else { format!("{whole} {unit}") }
}

/// `one call`, `3 calls`, `1,204 calls`.
pub fn counted(count: u64, one: &str, many: &str) -> String {
    match count {
        1 => format!("one {one}"),
        _ => format!("{} {many}", crate::domain::money::group_thousands(count)),
    }
}

/// The text with its first letter large, to begin a sentence.
pub fn capitalised(text: &str) -> String {
    let mut chars = text.chars();
    let first = chars.next().into_iter().flat_map(char::to_uppercase);
    first.chain(chars).collect()
}

/// `24th`, of a `YYYY-MM-DD`; the text itself where it is none.
pub fn day_of_month(date: &str) -> String {
    let Some(date) = read_date(date) else { return date.into() };
    let day = date.day();
    let ending = match (day % 10, day % 100) {
        (_, 11..=13) => "th",
        (1, _) => "st",
        (2, _) => "nd",
        (3, _) => "rd",
        _ => "th",
    };
    format!("{day}{ending}")
}

/// `24 November` of a `YYYY-MM-DD`.
pub fn day_and_month(date: &str) -> String {
    read_date(date).map_or_else(|| date.into(), |date| format!("{} {}", date.day(), MONTHS[date.month0() as usize]))
}

/// `24 Nov 2026` of a date.
pub fn short_date(date: NaiveDate) -> String {
    format!("{} {} {}", date.day(), &MONTHS[date.month0() as usize][..3], date.year())
}

/// `14:05` of an RFC 3339 instant of today, `21 Nov 14:05` of an earlier one; both in the instant's own zone.
pub fn moment(instant: &str, today: NaiveDate) -> String {
    let (date, time) = (instant.get(..10).and_then(read_date), instant.get(11..16).unwrap_or(instant));
    match date {
        Some(date) if date != today => format!("{} {} {time}", date.day(), &MONTHS[date.month0() as usize][..3]),
        _ => time.into(),
    }
}

/// `November` of a `YYYY-MM` or a `YYYY-MM-DD`.
pub fn month_name(month: &str) -> String {
    let number = month.get(5..7).and_then(|digits| digits.parse::<usize>().ok());
    let name = number.and_then(|number| MONTHS.get(number.checked_sub(1)?));
    name.map_or_else(|| month.into(), |name| (*name).into())
}

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_has_a_direction_and_survives_nothing_before() {
        assert_eq!(change(112.0, 100.0), Some(Change::Up(12.0)));
        assert_eq!(change(50.0, 100.0), Some(Change::Down(50.0)));
        assert_eq!(change(100.01, 100.0), Some(Change::Same));
        assert_eq!(change(5.0, 0.0), Some(Change::New));
        assert_eq!(change(0.0, 0.0), None);
    }

    #[test]
    fn percentages_lose_their_decimal_when_they_are_large() {
        assert_eq!(percent(12.44), "12.4\u{202f}%");
        assert_eq!(percent(99.96), "100\u{202f}%");
        assert_eq!(percent(-1240.2), "−1,240\u{202f}%");
    }

    #[test]
    fn sizes_read_well() {
        for (bytes, text) in
            [(0, "0 B"), (999, "999 B"), (4_149, "4.1 kB"), (97_900_000, "97 MB"), (1_250_000_000, "1.2 GB")]
        {
            assert_eq!(super::bytes(bytes), text);
        }
    }

    #[test]
    fn durations_and_counts_read_well() {
        assert_eq!(duration(820), "820 ms");
        assert_eq!(duration(1_449), "1.4 s");
        assert_eq!(duration(125_000), "2 min 05 s");
        assert_eq!(counted(1, "call", "calls"), "one call");
        assert_eq!(counted(1_204, "call", "calls"), "1,204 calls");
        assert_eq!(capitalised(&counted(1, "call", "calls")), "One call");
    }

    #[test]
    fn a_moment_of_today_needs_no_date() {
        let today = NaiveDate::from_ymd_opt(2026, 11, 24).unwrap_or_default();
        assert_eq!(moment("2026-11-24T14:05:59+01:00", today), "14:05");
        assert_eq!(moment("2026-11-21T09:00:00+01:00", today), "21 Nov 09:00");
    }

    #[test]
    fn days_have_their_endings() {
        for (date, said) in [
            ("2026-11-01", "1st"),
            ("2026-11-02", "2nd"),
            ("2026-11-03", "3rd"),
            ("2026-11-11", "11th"),
            ("2026-11-13", "13th"),
            ("2026-11-22", "22nd"),
            ("soon", "soon"),
        ] {
            assert_eq!(day_of_month(date), said);
        }
        assert_eq!(day_and_month("2026-11-24"), "24 November");
        assert_eq!(month_name("2026-11"), "November");
        assert_eq!(month_name("2026-13"), "2026-13");
    }
}
