//! When usage happens: sums per weekday and hour, in the zone of the question.

use super::money::NanoUsd;
use serde::{Deserialize, Serialize};

/// Monday first, hour 0 to 23 of the wall clock.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HeatMap {
    pub cost: [[NanoUsd; 24]; 7],
    pub calls: [[u64; 24]; 7],
    /// IANA name of the zone whose clock it is.
    pub time_zone: String,
}
