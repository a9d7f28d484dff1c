//! The brief's three anomaly rules: today against the mean of the seven days before.

use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AnomalyKind {
    /// Tokens above twice the mean.
    Spike,
    /// Cost above twice the mean.
    HighCost,
    /// Calls above three times the mean.
    UnusualPattern,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    Low,
    Medium,
    High,
}

/// Something that today is far above what is normal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Anomaly {
    #[serde(rename = "type")]
    pub kind: AnomalyKind,
    pub severity: Severity,
    pub description: String,
    /// Tokens, cents or calls, by kind.
    pub current_value: f64,
    pub normal_value: f64,
    /// Percent above normal.
    pub difference: f64,
}
