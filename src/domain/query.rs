//! The question every report answers: range, model, aggregation, zone, whose usage. It is parsed from a URL and prints to
//! one, so that a view's whole state is its address. Which instants it means is worked out in [`super::period`].

mod whose;

pub use whose::Whose;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// The longest custom range, in days: ten years and a little.
pub const MAX_RANGE_DAYS: i64 = 3_660;
/// The longest range that can be cut into hours, in days.
pub const MAX_HOURLY_DAYS: i64 = 92;
const MAX_MODEL_CHARS: usize = 200;
const MAX_ZONE_CHARS: usize = 64;

/// The width of a time series' buckets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Aggregation {
    Hourly,
    Daily,
    Weekly,
    Monthly,
}

/// Which days a question is about. The named ranges end today.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Range {
    /// Today, from local midnight.
    Day,
    /// The last 7 days.
    Week,
    /// The last 30 days.
    #[default]
    Month,
    /// The last year.
    Year,
    /// Both days are part of it.
    Custom { from: NaiveDate, to: NaiveDate },
}

/// One question. On the wire (serde) and in the address it is its own query string, so there is one grammar and one
/// check for both.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct UsageQuery {
    pub range: Range,
    /// A model family or an exact model id.
    pub model: Option<String>,
    /// None: the range's own ([`super::period`]).
    pub aggregation: Option<Aggregation>,
    /// An IANA name, of which only the shape is checked here: the list of zones is too large for the browser.
    pub time_zone: Option<String>,
    /// Whether the period before is asked for too.
    pub compare: bool,
    pub whose: Whose,
}

/// What is wrong with an input, and in which field.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {message}")]
pub struct QueryError {
    pub field: &'static str,
    pub message: String,
}

impl QueryError {
    pub fn new(field: &'static str, message: impl Into<String>) -> Self {
        Self { field, message: message.into() }
    }
}

impl Aggregation {
    pub const ALL: [Self; 4] = [Self::Hourly, Self::Daily, Self::Weekly, Self::Monthly];

    pub fn name(self) -> &'static str {
        match self {
            Self::Hourly => "hourly",
            Self::Daily => "daily",
            Self::Weekly => "weekly",
            Self::Monthly => "monthly",
        }
    }
}

impl Range {
    pub const NAMED: [Self; 4] = [Self::Day, Self::Week, Self::Month, Self::Year];

    /// `day`, `week`, `month`, `year`; none for a custom range, which is told by its dates.
    pub fn name(self) -> Option<&'static str> {
        match self {
            Self::Day => Some("day"),
            Self::Week => Some("week"),
            Self::Month => Some("month"),
            Self::Year => Some("year"),
            Self::Custom { .. } => None,
        }
    }

    /// The most days that it can have: a year may be a leap year.
    fn max_days(self) -> i64 {
        match self {
            Self::Day => 1,
            Self::Week => 7,
            Self::Month => 30,
            Self::Year => 366,
            Self::Custom { from, to } => (to - from).num_days() + 1,
        }
    }
}

impl UsageQuery {
    /// Reads decoded URL parameters: `range` or `from` and `to` (`YYYY-MM-DD`), `model`, `aggregation`, `tz`, `compare`,
    /// `user`.
    ///
    /// Unknown parameters are ignored, because the address also carries what is not part of the question (a table's
    /// sorting, say). An empty value counts as absent, as a form sends it; of a repeated one the last counts.
    pub fn from_params<K, V>(params: impl IntoIterator<Item = (K, V)>) -> Result<Self, QueryError>
    where
        K: AsRef<str>,
        V: AsRef<str>,
    {
        let (mut range, mut from, mut to) = (None, None, None);
        let mut query = Self::default();
        for (key, value) in params {
            let value = value.as_ref();
            let given = !value.is_empty();
            match key.as_ref() {
                "range" => range = given.then(|| parse_range(value)).transpose()?,
                "from" => from = given.then(|| parse_date("from", value)).transpose()?,
                "to" => to = given.then(|| parse_date("to", value)).transpose()?,
                "model" => query.model = given.then(|| value.to_owned()),
                "aggregation" => query.aggregation = given.then(|| parse_aggregation(value)).transpose()?,
                "tz" => query.time_zone = given.then(|| value.to_owned()),
                "compare" => query.compare = given && parse_flag("compare", value)?,
                "user" => query.whose = Whose::parse(value)?,
                _ => {}
            }
        }
        query.range = join_range(range, from, to)?;
        query.check()?;
        Ok(query)
    }

    /// The canonical query string, without `?` and without what is the default: `range=week&model=sonnet&tz=Europe/Berlin`.
    pub fn to_query_string(&self) -> String {
        let mut pairs = Vec::new();
        match self.range {
            Range::Custom { from, to } => pairs.extend([("from", from.to_string()), ("to", to.to_string())]),
            Range::Month => {}
            named => pairs.extend(named.name().map(|name| ("range", name.to_owned()))),
        }
        pairs.extend(self.model.as_ref().map(|model| ("model", percent_encode(model))));
        pairs.extend(self.aggregation.map(|aggregation| ("aggregation", aggregation.name().to_owned())));
        pairs.extend(self.time_zone.as_ref().map(|zone| ("tz", percent_encode(zone))));
        pairs.extend(self.compare.then(|| ("compare", "1".to_owned())));
        pairs.extend((self.whose != Whose::Own).then(|| ("user", self.whose.to_param().to_owned())));
        let pairs: Vec<String> = pairs.into_iter().map(|(key, value)| format!("{key}={value}")).collect();
        pairs.join("&")
    }

    /// Whether the parts are in bounds and fit together. [`Self::from_params`] has done this already; a query that was
    /// put together in code has not.
    pub fn check(&self) -> Result<(), QueryError> {
        if let Range::Custom { from, to } = self.range {
            check_custom_range(from, to)?;
        }
        if let Some(model) = &self.model {
            check_model(model)?;
        }
        if let Some(zone) = &self.time_zone {
            check_zone_shape(zone)?;
        }
        if self.aggregation == Some(Aggregation::Hourly) && self.range.max_days() > MAX_HOURLY_DAYS {
            let message = format!("hourly is for at most {MAX_HOURLY_DAYS} days; choose daily, weekly or monthly");
            return Err(QueryError::new("aggregation", message));
        }
        Ok(())
    }
}

impl fmt::Display for UsageQuery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_query_string())
    }
}

impl FromStr for UsageQuery {
    type Err = QueryError;
    /// Reads a query string, with or without its `?`.
    fn from_str(text: &str) -> Result<Self, QueryError> {
        let pairs = text.strip_prefix('?').unwrap_or(text).split('&').filter(|pair| !pair.is_empty());
        Self::from_params(pairs.map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            (percent_decode(key), percent_decode(value))
        }))
    }
}

impl From<UsageQuery> for String {
    fn from(query: UsageQuery) -> Self {
        query.to_query_string()
    }
}

impl TryFrom<String> for UsageQuery {
    type Error = QueryError;
    fn try_from(text: String) -> Result<Self, QueryError> {
        text.parse()
    }
}

/// A date that exists, strictly `YYYY-MM-DD`: chrono's parser would also take signs, blanks and missing zeros, and the
/// browser would have to load it.
pub fn read_date(text: &str) -> Option<NaiveDate> {
    let bytes = text.as_bytes();
    if bytes.len() != 10 || bytes[4] != b'-' || bytes[7] != b'-' {
        return None;
    }
    let number = |digits: &[u8]| {
        digits.iter().try_fold(0_u32, |sum, byte| byte.is_ascii_digit().then(|| sum * 10 + u32::from(byte - b'0')))
    };
    let (year, month, day) = (number(&bytes[..4])?, number(&bytes[5..7])?, number(&bytes[8..])?);
    NaiveDate::from_ymd_opt(i32::try_from(year).ok()?, month, day)
}

fn join_range(range: Option<Range>, from: Option<NaiveDate>, to: Option<NaiveDate>) -> Result<Range, QueryError> {
    match (range, from, to) {
        (range, None, None) => Ok(range.unwrap_or_default()),
        (None, Some(from), Some(to)) => Ok(Range::Custom { from, to }),
        (Some(_), _, _) => Err(QueryError::new("range", "give either range or from and to, not both")),
        (None, Some(_), None) => Err(QueryError::new("to", "from needs to: the last day of the range")),
        (None, None, Some(_)) => Err(QueryError::new("from", "to needs from: the first day of the range")),
    }
}

fn parse_range(name: &str) -> Result<Range, QueryError> {
    let found = Range::NAMED.into_iter().find(|range| range.name() == Some(name));
    found.ok_or_else(|| QueryError::new("range", "must be day, week, month or year"))
}

fn parse_aggregation(name: &str) -> Result<Aggregation, QueryError> {
    let found = Aggregation::ALL.into_iter().find(|aggregation| aggregation.name() == name);
    found.ok_or_else(|| QueryError::new("aggregation", "must be hourly, daily, weekly or monthly"))
}

/// `on` is what a checkbox of a plain form sends.
fn parse_flag(field: &'static str, value: &str) -> Result<bool, QueryError> {
    match value {
        "1" | "true" | "on" => Ok(true),
        "0" | "false" => Ok(false),
        _ => Err(QueryError::new(field, "must be 1 or 0")),
    }
}

fn parse_date(field: &'static str, text: &str) -> Result<NaiveDate, QueryError> {
    read_date(text).ok_or_else(|| QueryError::new(field, "must be a date that exists, as YYYY-MM-DD"))
}

fn check_custom_range(from: NaiveDate, to: NaiveDate) -> Result<(), QueryError> {
    use chrono::Datelike;
    if !(1970..=9999).contains(&from.year()) {
        return Err(QueryError::new("from", "must be in the years 1970 to 9999"));
    }
    if !(1970..=9999).contains(&to.year()) {
        return Err(QueryError::new("to", "must be in the years 1970 to 9999"));
    }
    if from > to {
        return Err(QueryError::new("from", "must not be after to"));
    }
    if (to - from).num_days() >= MAX_RANGE_DAYS {
        return Err(QueryError::new("to", format!("the range may be at most {MAX_RANGE_DAYS} days long")));
    }
    Ok(())
}

fn check_model(model: &str) -> Result<(), QueryError> {
    let is_printable = !model.is_empty() && !model.chars().any(is_invisible);
    if is_printable && model.chars().count() <= MAX_MODEL_CHARS {
        return Ok(());
    }
    Err(QueryError::new("model", format!("must be 1 to {MAX_MODEL_CHARS} printable characters")))
}

/// Control characters, and those that hide or turn round the text beside them.
fn is_invisible(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

fn check_zone_shape(zone: &str) -> Result<(), QueryError> {
    let is_in_bounds = (1..=MAX_ZONE_CHARS).contains(&zone.len());
    if is_in_bounds && zone.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/_+-".contains(&byte)) {
        return Ok(());
    }
    Err(QueryError::new("tz", "must be the name of an IANA time zone, such as Europe/Berlin"))
}

/// Leaves what a query string may carry bare (RFC 3986, 3.4) and is usual in model ids and zones.
pub fn percent_encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/:@".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

/// A broken escape stands for itself; bytes that are not UTF-8 become the replacement character.
fn percent_decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let escaped = bytes.get(at + 1..at + 3).and_then(hex_byte);
        match (bytes[at], escaped) {
            (b'%', Some(byte)) => {
                decoded.push(byte);
                at += 3;
                continue;
            }
            (b'+', _) => decoded.push(b' '),
            (byte, _) => decoded.push(byte),
        }
        at += 1;
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

fn hex_byte(digits: &[u8]) -> Option<u8> {
    let value = |digit: u8| char::from(digit).to_digit(16);
    let (high, low) = (value(digits[0])?, value(digits[1])?);
    u8::try_from(high * 16 + low).ok()
}

#[cfg(test)]
mod tests;
