//! Gemini's `usageMetadata`. The prompt count includes what the cache served; candidates exclude thoughts, which are billed
//! beside them; tool results count as prompt but are not in the prompt count.

use super::ParsedUsage;
use super::field::{FieldError, Fields};
use crate::domain::tokens::TokenCounts;
use crate::domain::usage::ServiceTerms;
use serde_json::Value;

/// Reads a `usageMetadata` object. In a stream the last one holds: counts are cumulative. See [`super::parse_usage`].
pub fn parse_usage(usage: &Value) -> Result<ParsedUsage, FieldError> {
    let fields = Fields::root(usage, "usageMetadata")?;
    let prompt = fields.count_or_zero("promptTokenCount")?;
    let cached = fields.count_or_zero("cachedContentTokenCount")?;
    let tool_results = fields.count_or_zero("toolUsePromptTokenCount")?;
    let tokens = TokenCounts {
        input: prompt.saturating_sub(cached).saturating_add(tool_results),
        cache_read: cached,
        output: fields.count_or_zero("candidatesTokenCount")?,
        thinking: fields.count_or_zero("thoughtsTokenCount")?,
        ..TokenCounts::default()
    };
    Ok(ParsedUsage {
        tokens,
        terms: ServiceTerms {
            service_tier: fields.name("trafficType").and_then(service_tier),
            ..ServiceTerms::default()
        },
        has_usage: fields.has_any(&["promptTokenCount", "candidatesTokenCount", "thoughtsTokenCount"]),
        contradictions: if cached > prompt { vec!["cachedContentTokenCount"] } else { Vec::new() },
        ..ParsedUsage::default()
    })
}

/// `ON_DEMAND` is the list price; `ON_DEMAND_FLEX` and `ON_DEMAND_PRIORITY` are tiers; the rest is by contract.
fn service_tier(traffic: &str) -> Option<String> {
    let name = traffic.to_ascii_lowercase();
    match name.as_str() {
        "on_demand" | "traffic_type_unspecified" => None,
        _ => Some(name.strip_prefix("on_demand_").unwrap_or(&name).to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn v13_thoughts_and_tool_results_are_beside_the_counts() {
        let parsed = parse_usage(&json!({
            "promptTokenCount": 1200, "cachedContentTokenCount": 1000, "candidatesTokenCount": 150,
            "thoughtsTokenCount": 350, "toolUsePromptTokenCount": 50, "totalTokenCount": 1750
        }))
        .unwrap();
        let expected = TokenCounts { input: 250, cache_read: 1000, output: 150, thinking: 350, ..Default::default() };
        assert_eq!(parsed.tokens, expected);
        assert_eq!(parsed.tokens.total(), 1750);
    }

    #[test]
    fn traffic_types_become_service_tiers() {
        let tier = |traffic: &str| {
            parse_usage(&json!({"promptTokenCount": 1, "trafficType": traffic})).unwrap().terms.service_tier
        };
        assert_eq!(tier("ON_DEMAND"), None);
        assert_eq!(tier("ON_DEMAND_FLEX").as_deref(), Some("flex"));
        assert_eq!(tier("PROVISIONED_THROUGHPUT").as_deref(), Some("provisioned_throughput"));
    }

    #[test]
    fn errors_name_the_field() {
        let error = parse_usage(&json!({"thoughtsTokenCount": -3})).unwrap_err();
        assert_eq!(error.to_string(), "usageMetadata.thoughtsTokenCount: -3 is negative");
    }
}
