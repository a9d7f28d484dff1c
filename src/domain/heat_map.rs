//! When usage happens: sums per weekday and hour, in the zone of the question.

use super::money::NanoUsd;
use serde::Serialize;
use serde::de::{Deserialize, Deserializer, Error};

/// Monday first, hour 0 to 23 of the wall clock.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HeatMap {
    #[serde(deserialize_with = "read_week")]
    pub cost: [[NanoUsd; 24]; 7],
    #[serde(deserialize_with = "read_week")]
    pub calls: [[u64; 24]; 7],
    /// IANA name of the zone whose clock it is.
    pub time_zone: String,
}

/// By way of lists: serde writes out a step for each of an array's places, which the browser would have to load.
fn read_week<'de, D, T>(deserializer: D) -> Result<[[T; 24]; 7], D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    let days = Vec::<Vec<T>>::deserialize(deserializer)?;
    let week: Option<Vec<[T; 24]>> = days.into_iter().map(|hours| hours.try_into().ok()).collect();
    week.and_then(|week| week.try_into().ok()).ok_or_else(|| D::Error::custom("a week has 7 days of 24 hours"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_week_reads_back_and_a_short_one_is_refused() {
        let mut map = HeatMap { time_zone: "UTC".into(), ..HeatMap::default() };
        map.cost[2][14] = NanoUsd(7);
        map.calls[6][23] = 1;
        let json = serde_json::to_string(&map).unwrap();
        assert_eq!(serde_json::from_str::<HeatMap>(&json).unwrap(), map);
        assert!(serde_json::from_str::<HeatMap>(&json.replacen("[0,0,", "[0,", 1)).is_err());
    }
}
