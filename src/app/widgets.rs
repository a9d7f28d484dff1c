//! The widgets of the pages: each shows one part of an answer. They are given figures and never fetch any.

pub mod alert_list;
pub mod alerts_strip;
pub mod budget_card;
pub mod budget_form;
pub mod budget_hindsight;
pub mod budget_list;
pub mod call_form;
pub mod channel_form;
pub mod channel_list;
pub mod chat_composer;
pub mod chat_turn;
pub mod cost_by_model;
pub mod first_start;
pub mod forecast_card;
pub mod gateway_snippets;
pub mod headline;
pub mod heat_map;
pub mod invite_form;
pub mod key_form;
pub mod key_list;
pub mod live_dot;
pub mod log_import;
pub mod metric_cards;
pub mod model_filter;
pub mod model_table;
pub mod month_elsewhere;
pub mod named_budget_form;
pub mod own_password_field;
pub mod password_form;
pub mod paused_sessions;
pub mod people_list;
pub mod price_book;
pub mod projection_card;
pub mod provider_card;
pub mod quote_table;
pub mod range_switch;
pub mod recorder_card;
pub mod recorder_strip;
pub mod sample_data;
pub mod usage_by_model;
pub mod usage_over_time;
pub mod usage_snippets;
pub mod whose_chooser;

use crate::domain::query::UsageQuery;
use crate::domain::report::UsageReport;

/// A report together with the question that it answers: while the next answer is on its way, the page still shows the
/// question of the one it has.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Answer {
    pub question: UsageQuery,
    pub report: UsageReport,
}
