//! Names of models and providers: the spellings under which one may be listed, the family it belongs to. No prices.

/// Model makers, in the order in which a model id without a provider is looked for. Their list price is the price.
pub(super) const MAKERS: [&str; 13] = [
    "anthropic",
    "openai",
    "google",
    "xai",
    "mistral",
    "deepseek",
    "moonshot",
    "zai",
    "minimax",
    "dashscope",
    "cohere",
    "ai21",
    "amazon_nova",
];

/// The first of them publish no weights: their models cost the list price under an unlisted provider (a proxy) too.
pub(super) const CLOSED_MAKERS: usize = 4;

const CLAUDE_FAMILIES: [&str; 5] = ["sonnet", "opus", "haiku", "fable", "mythos"];

/// A spelling of a model id, with the provider that stood in front of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct NameForm {
    pub provider: Option<String>,
    pub name: String,
}

/// A model id, read so far that other spellings of it are known: with a provider in front, with a date, `-latest` or
/// nothing behind. An id without a date is an alias of every dated one; two dates are two models.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ModelName {
    /// In lower case.
    id: String,
    family: String,
    stem: String,
    /// `20250514`.
    date: Option<String>,
}

/// The spellings of a model id to look up, most exact first: as it is, then without provider prefix (`openrouter/…`,
/// `us.anthropic.…`), and each of these without `[1m]`, `-v1:0`, `@date` and date suffix.
pub(super) fn name_forms(model: &str) -> Vec<NameForm> {
    let mut forms: Vec<NameForm> = Vec::new();
    for (provider, tail) in prefix_tails(&model.trim().to_ascii_lowercase()) {
        let mut name = tail;
        loop {
            let form = NameForm { provider: provider.clone(), name: name.to_owned() };
            if !name.is_empty() && !forms.contains(&form) {
                forms.push(form);
            }
            match without_suffix(name) {
                Some(shorter) => name = shorter,
                None => break,
            }
        }
    }
    forms
}

/// The provider's name as the price book spells it: telemetry and gateways have names of their own.
pub fn canonical_provider(provider: &str) -> String {
    let name = provider.trim().to_ascii_lowercase();
    let known = match name.as_str() {
        "gemini" | "gcp.gemini" | "gcp.gen_ai" | "google-gla" | "google_genai" => "google",
        "vertex" | "vertexai" | "gcp.vertex_ai" | "google-vertex" => "vertex_ai",
        "aws" | "aws.bedrock" | "bedrock_converse" | "amazon-bedrock" => "bedrock",
        "az.ai.openai" | "azure.ai.openai" | "azure_openai" | "azure-openai" => "azure",
        "az.ai.inference" | "azure.ai.inference" => "azure_ai",
        "x_ai" | "x-ai" => "xai",
        "mistral_ai" | "mistralai" => "mistral",
        "moonshot_ai" | "moonshotai" => "moonshot",
        "together" | "together-ai" => "together_ai",
        "fireworks" => "fireworks_ai",
        "vercel" => "vercel_ai_gateway",
        _ => return name,
    };
    known.into()
}

/// The family that models are grouped by: `sonnet`, `opus`, `haiku`, `fable`, `mythos` for Claude, otherwise the id
/// without provider, date and `-latest`: `gpt-5`, `gemini-2.5-pro`. Never empty.
pub fn model_family(model: &str) -> String {
    let forms = name_forms(model);
    let Some(shortest) = forms.last() else { return "unknown".into() };
    let name = shortest.name.as_str();
    let is_family = |family: &&&str| name == **family || is_claude(name) && name.contains(**family);
    if let Some(family) = CLAUDE_FAMILIES.iter().find(is_family) {
        return (*family).into();
    }
    name.strip_suffix("-latest").filter(|stem| !stem.is_empty()).unwrap_or(name).into()
}

impl ModelName {
    pub fn of(id: &str) -> Self {
        let id = id.trim().to_ascii_lowercase();
        let forms = name_forms(&id);
        let shortest = forms.last().map_or("", |form| form.name.as_str());
        let date_behind = |form: &NameForm| {
            let digits: String = form.name.strip_prefix(shortest)?.chars().filter(char::is_ascii_digit).collect();
            (digits.len() == 8).then_some(digits)
        };
        Self {
            date: forms.iter().find_map(date_behind),
            stem: stem_of(shortest.strip_suffix("-latest").unwrap_or(shortest)),
            family: model_family(&id),
            id,
        }
    }

    /// Whether this, taken for a filter, means a call to `called`: the filter is its family, or a spelling of the same
    /// model.
    pub fn means(&self, called: &Self) -> bool {
        let is_same_date = self.date.is_none() || called.date.is_none() || self.date == called.date;
        self.id == called.id || self.id == called.family || is_same_date && self.stem == called.stem
    }
}

/// Claude's versions were written before the family and behind it, with dots and dashes, and `-4-0` is `-4`.
fn stem_of(name: &str) -> String {
    let family = CLAUDE_FAMILIES.into_iter().find(|family| is_claude(name) && name.contains(family));
    let Some(family) = family else { return name.into() };
    let dashed = name.replace('.', "-");
    let mut rest: Vec<&str> = dashed.split('-').filter(|part| *part != family).collect();
    if rest.len() > 2 && rest.last() == Some(&"0") {
        rest.pop();
    }
    format!("{} {family}", rest.join("-"))
}

pub(super) fn is_claude(model: &str) -> bool {
    model.contains("claude")
}

/// The id and what is left of it behind each provider prefix. A dotted prefix is how Bedrock spells ids.
fn prefix_tails(model: &str) -> Vec<(Option<String>, &str)> {
    let mut tails = vec![(None, model)];
    let mut rest = model;
    while let Some((provider, tail)) = rest.split_once('/') {
        tails.push((Some(canonical_provider(provider)), tail));
        rest = tail;
    }
    let without_vendor = without_dotted_vendor(rest);
    if without_vendor != rest {
        tails.push((Some("bedrock".into()), rest));
        tails.push((None, without_vendor));
    }
    tails
}

fn without_dotted_vendor(name: &str) -> &str {
    const REGIONS: [&str; 9] = ["us", "eu", "apac", "au", "jp", "ca", "us-gov", "global", "amer"];
    const VENDORS: [&str; 9] =
        ["anthropic", "amazon", "meta", "mistral", "cohere", "ai21", "deepseek", "openai", "qwen"];
    let strip = |name: &'_ str, prefixes: &[&str]| {
        name.split_once('.').filter(|(first, _)| prefixes.contains(first)).map(|(first, _)| first.len() + 1)
    };
    let vendor_at = strip(name, &REGIONS).unwrap_or(0);
    match strip(&name[vendor_at..], &VENDORS) {
        Some(length) => &name[vendor_at + length..],
        None => name,
    }
}

/// One suffix less: `[1m]`, `-v1:0`, `@20250514`, `@default`, `-20250514`, `-2025-05-14`.
fn without_suffix(name: &str) -> Option<&str> {
    if let Some(stem) = name.strip_suffix("[1m]") {
        return Some(stem);
    }
    if let Some((stem, version)) = name.rsplit_once("-v")
        && version.split_once(':').is_some_and(|(major, minor)| is_digits(major) && is_digits(minor))
    {
        return Some(stem);
    }
    if let Some((stem, version)) = name.rsplit_once('@')
        && (version == "default" || version.len() == 8 && is_digits(version))
    {
        return Some(stem);
    }
    let (stem, last) = name.rsplit_once('-')?;
    if last.len() == 8 && is_digits(last) {
        return Some(stem);
    }
    let (stem, month) = stem.rsplit_once('-')?;
    let (stem, year) = stem.rsplit_once('-')?;
    let is_date = is_digits(last) && last.len() == 2 && is_digits(month) && month.len() == 2 && is_digits(year);
    (is_date && year.len() == 4).then_some(stem)
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lose_one_thing_at_a_time() {
        let names = |model: &str| name_forms(model).into_iter().map(|form| form.name).collect::<Vec<_>>();
        assert_eq!(names("claude-opus-5[1m]"), ["claude-opus-5[1m]", "claude-opus-5"]);
        assert_eq!(
            names("Claude-Sonnet-4-20250514[1m]"),
            ["claude-sonnet-4-20250514[1m]", "claude-sonnet-4-20250514", "claude-sonnet-4"]
        );
        assert_eq!(names("gpt-5-2025-08-07"), ["gpt-5-2025-08-07", "gpt-5"]);
        assert_eq!(names("claude-opus-4@20250514").last().unwrap(), "claude-opus-4");
        assert_eq!(names("us.anthropic.claude-haiku-4-5-20251001-v1:0").last().unwrap(), "claude-haiku-4-5");
        assert_eq!(names("bedrock/global.anthropic.claude-opus-5").last().unwrap(), "claude-opus-5");
        assert_eq!(names("gpt-4-0613"), ["gpt-4-0613"]);
        assert_eq!(names("deepseek-v3"), ["deepseek-v3"]);
        assert!(names("  ").is_empty());
    }

    #[test]
    fn a_prefix_names_its_provider() {
        let forms = name_forms("openrouter/anthropic/claude-opus-5");
        assert_eq!(forms[1].provider.as_deref(), Some("openrouter"));
        assert_eq!(forms[2], NameForm { provider: Some("anthropic".into()), name: "claude-opus-5".into() });
    }

    #[test]
    fn a_filter_means_every_spelling_of_its_model() {
        let means = |filter: &str, called: &str| ModelName::of(filter).means(&ModelName::of(called));
        let dated = "claude-sonnet-4-20250514";
        let spellings = [
            "claude-sonnet-4",
            "claude-sonnet-4-0",
            "claude-sonnet-4-latest",
            "Claude-Sonnet-4-20250514",
            "claude-4-sonnet",
            "claude-4-sonnet-20250514",
            "claude-sonnet-4@20250514",
            "claude-sonnet-4-20250514[1m]",
            "us.anthropic.claude-sonnet-4-20250514-v1:0",
            "openrouter/anthropic/claude-sonnet-4",
        ];
        for spelling in spellings {
            assert!(means(dated, spelling) && means(spelling, dated), "{spelling}");
        }
        for other in
            ["claude-sonnet-4-5", "claude-sonnet-4-5-20250929", "claude-opus-4-20250514", "claude-sonnet-4-20250601"]
        {
            assert!(!means(dated, other) && !means(other, dated), "{other}");
        }
        assert!(means("claude-3.5-haiku", "claude-3-5-haiku-latest"));
        assert!(means("gpt-4o-2024-05-13", "gpt-4o") && means("gpt-4o", "gpt-4o-2024-08-06"));
        assert!(!means("gpt-4o-2024-05-13", "gpt-4o-2024-08-06") && !means("gpt-5", "gpt-5-mini"));
    }

    #[test]
    fn a_filter_may_be_a_family() {
        let means = |filter: &str, called: &str| ModelName::of(filter).means(&ModelName::of(called));
        assert!(means("sonnet", "claude-sonnet-4-5") && means("Sonnet", "claude-3-7-sonnet-latest"));
        assert!(!means("sonnet", "claude-opus-4") && !means("claude-sonnet-4", "sonnet"));
        assert!(!means("", "gpt-5") && !means("gpt-5", ""));
    }

    #[test]
    fn families_are_thebridges_for_claude_and_stable_for_others() {
        for (model, family) in [
            ("claude-sonnet-4-20250514", "sonnet"),
            ("claude-3-5-haiku-latest", "haiku"),
            ("us.anthropic.claude-opus-4-1-20250805-v1:0", "opus"),
            ("claude-fable-5-2", "fable"),
            ("claude-mythos-preview", "mythos"),
            ("sonnet", "sonnet"),
            ("claude-2.1", "claude-2.1"),
            ("gpt-5-2025-08-07", "gpt-5"),
            ("azure/gpt-5-mini", "gpt-5-mini"),
            ("models/gemini-2.5-pro", "gemini-2.5-pro"),
            ("chatgpt-4o-latest", "chatgpt-4o"),
            ("acme-opus-1", "acme-opus-1"),
            ("", "unknown"),
            ("openai/", "openai/"),
            ("-latest", "-latest"),
        ] {
            assert_eq!(model_family(model), family, "{model}");
        }
    }
}
