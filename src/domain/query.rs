//! The question every report answers: range, models, aggregation, zone. It is parsed from a URL and prints to one, so
//! that a view's whole state is its address. Which instants it means is worked out in [`super::period`].

use serde::{Deserialize, Serialize};

/// The width of a time series' buckets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Aggregation {
    Hourly,
    Daily,
    Weekly,
    Monthly,
}
