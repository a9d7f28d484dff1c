//! What stands at an axis: shorter than the same value in a table.

#[cfg(any(feature = "hydrate", test))]
use crate::domain::money::{NanoUsd, format_cost};
#[cfg(any(feature = "hydrate", test))]
use crate::domain::tokens::format_tokens;

const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// A time bucket's date without what the neighbours repeat: `14:00`, `24 Nov`, `Nov 2026`. Anything else as it is.
pub fn short_date(date: &str) -> String {
    if let Some((_, hour)) = date.split_once(' ') {
        return hour.into();
    }
    let mut parts = date.split('-');
    let (year, month, day) = (parts.next(), parts.next(), parts.next());
    let month = month.and_then(|month| MONTHS.get(month.parse::<usize>().ok()?.checked_sub(1)?));
    match (year, month, day.map(str::parse::<u32>)) {
        (_, Some(month), Some(Ok(day))) => format!("{day} {month}"),
        (Some(year), Some(month), None) => format!("{month} {year}"),
        _ => date.into(),
    }
}

/// A token count without digits that say nothing: `20M`, `1.5K`.
#[cfg(any(feature = "hydrate", test))]
pub fn axis_tokens(count: u64) -> String {
    let text = format_tokens(count);
    let unit_at = text.find(|letter: char| letter.is_ascii_uppercase()).unwrap_or(text.len());
    let (number, unit) = text.split_at(unit_at);
    if !number.contains('.') {
        return text;
    }
    format!("{}{unit}", number.trim_end_matches('0').trim_end_matches('.'))
}

/// Dollars without cents where there are none: `$5`, `$0.50`.
#[cfg(any(feature = "hydrate", test))]
pub fn axis_usd(cost: NanoUsd) -> String {
    format_cost(cost).trim_end_matches(".00").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_shorten_by_their_width() {
        assert_eq!(short_date("2026-11-24 14:00"), "14:00");
        assert_eq!(short_date("2026-11-04"), "4 Nov");
        assert_eq!(short_date("2026-11"), "Nov 2026");
        assert_eq!(short_date("2026-13-01"), "2026-13-01");
        assert_eq!(short_date("soon"), "soon");
    }

    #[test]
    fn axis_figures_have_no_idle_digits() {
        assert_eq!(axis_tokens(0), "0");
        assert_eq!(axis_tokens(500), "500");
        assert_eq!(axis_tokens(1_500), "1.5K");
        assert_eq!(axis_tokens(20_000_000), "20M");
        assert_eq!(axis_tokens(200_000_000), "200M");
        assert_eq!(axis_usd(NanoUsd(0)), "$0");
        assert_eq!(axis_usd(NanoUsd(5_000_000_000)), "$5");
        assert_eq!(axis_usd(NanoUsd(500_000_000)), "$0.50");
        assert_eq!(axis_usd(NanoUsd(1_200_000_000_000)), "$1,200");
    }
}
