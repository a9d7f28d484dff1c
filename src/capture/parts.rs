//! A call's sub-inferences as usage records of their own, which every way in gives the same keys: however a call is seen again, so
//! are its parts. A part is the call's provider's, whatever its model.

use super::provider::SubInference;
use crate::domain::usage::{CallContext, UsageRecord};

/// The call, then what is billed beside it.
pub(super) fn with_parts(call: UsageRecord, sub_inferences: &[SubInference]) -> Vec<UsageRecord> {
    let parts = parts_of(&call, sub_inferences);
    std::iter::once(call).chain(parts).collect()
}

/// What is billed beside the call.
pub(super) fn parts_of(call: &UsageRecord, sub_inferences: &[SubInference]) -> Vec<UsageRecord> {
    sub_inferences.iter().enumerate().map(|(index, sub)| part_of(call, index, sub)).collect()
}

fn part_of(call: &UsageRecord, index: usize, sub: &SubInference) -> UsageRecord {
    let suffix = format!("{}:{index}", sub.kind.name());
    UsageRecord {
        dedup_key: format!("{}:{suffix}", call.dedup_key),
        part_of: Some(call.dedup_key.clone()),
        model: sub.model.clone().unwrap_or_else(|| call.model.clone()),
        tokens: sub.tokens,
        has_usage: true,
        web_search_count: 0,
        context: CallContext {
            tools_used: Vec::new(),
            message_id: call.context.message_id.as_ref().map(|id| format!("{id}:{suffix}")),
            ..call.context.clone()
        },
        usage_json: None,
        ..call.clone()
    }
}
