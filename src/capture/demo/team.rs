//! The made-up team behind the sample data: its models, projects, agents and tools, and how it works with them.

/// A model that the team uses, with rough rates (nano-dollars a token). They only size the sample data; what the
/// events really cost, the ledger says.
#[derive(Clone, Copy, Debug)]
pub struct Model {
    pub provider: &'static str,
    pub id: &'static str,
    pub input_rate: u64,
    pub cache_write_rate: u64,
    pub cache_read_rate: u64,
    pub output_rate: u64,
}

/// What kind of work a session is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// An agent loop in a terminal: a long, growing, cached prompt.
    Coding,
    /// A sub-agent: the same, but short and with 5-minute writes.
    SubAgent,
    /// Short questions of an application's users.
    Chat,
    /// A job at night, sent as a batch.
    Nightly,
}

/// Who works on what, with which model; `newer` is the model after the team's switch to the new generation.
#[derive(Clone, Copy, Debug)]
pub struct Habit {
    pub work: Work,
    pub project: &'static str,
    pub agent: Option<&'static str>,
    pub model: Model,
    pub newer: Model,
}

const fn model(provider: &'static str, id: &'static str, rates: [u64; 4]) -> Model {
    let [input_rate, cache_write_rate, cache_read_rate, output_rate] = rates;
    Model { provider, id, input_rate, cache_write_rate, cache_read_rate, output_rate }
}

const OPUS_5: Model = model("anthropic", "claude-opus-5", [5_000, 10_000, 500, 25_000]);
const OPUS_5_5: Model = model("anthropic", "claude-opus-5-5", [4_000, 8_000, 200, 20_000]);
const SONNET_5: Model = model("anthropic", "claude-sonnet-5", [2_000, 4_000, 200, 10_000]);
const SONNET_5_5: Model = model("anthropic", "claude-sonnet-5-5", [2_000, 4_000, 100, 10_000]);
const HAIKU_4_5: Model = model("anthropic", "claude-haiku-4-5", [1_000, 1_250, 100, 5_000]);
const HAIKU_5_5: Model = model("anthropic", "claude-haiku-5-5", [100, 125, 10, 500]);
const GPT_5_5: Model = model("openai", "gpt-5.5", [5_000, 5_000, 500, 30_000]);
const GPT_5_MINI: Model = model("openai", "gpt-5-mini", [250, 250, 25, 2_000]);
const GEMINI_2_5_PRO: Model = model("google", "gemini-2.5-pro", [1_250, 1_250, 125, 10_000]);

/// A model that no catalogue knows: its calls show what "unpriced" looks like.
pub const UNKNOWN_MODEL: Model = model("acme", "acme-coder-9", [0; 4]);

const fn habit(work: Work, project: &'static str, agent: Option<&'static str>, models: (Model, Model)) -> Habit {
    Habit { work, project, agent, model: models.0, newer: models.1 }
}

/// The day's work, weighted by how many sessions each takes.
pub const HABITS: [(u64, Habit); 9] = [
    (20, habit(Work::Coding, "checkout-api", None, (OPUS_5, OPUS_5_5))),
    (26, habit(Work::Coding, "web-shop", None, (SONNET_5, SONNET_5_5))),
    (10, habit(Work::Coding, "data-pipeline", None, (SONNET_5, SONNET_5_5))),
    (8, habit(Work::Coding, "web-shop", Some("code-reviewer"), (OPUS_5, OPUS_5_5))),
    (14, habit(Work::SubAgent, "web-shop", Some("explorer"), (HAIKU_4_5, HAIKU_5_5))),
    (8, habit(Work::SubAgent, "checkout-api", Some("test-fixer"), (HAIKU_4_5, HAIKU_4_5))),
    (12, habit(Work::Chat, "support-bot", Some("support"), (GPT_5_MINI, GPT_5_MINI))),
    (5, habit(Work::Chat, "support-bot", Some("escalation"), (GPT_5_5, GPT_5_5))),
    (7, habit(Work::Chat, "docs-search", Some("librarian"), (GEMINI_2_5_PRO, GEMINI_2_5_PRO))),
];

/// The job that runs every night.
pub const NIGHTLY: Habit = habit(Work::Nightly, "data-pipeline", Some("summariser"), (SONNET_5, SONNET_5_5));
/// The loop that got stuck: what today's anomaly and the spike lead to.
pub const RUNAWAY: Habit = habit(Work::Coding, "checkout-api", Some("test-fixer"), (OPUS_5, OPUS_5_5));

/// When sessions start, local hour by weight: office hours, a lunch dip, a few evenings.
pub const START_HOURS: [(u64, i64); 14] = [
    (3, 8),
    (8, 9),
    (11, 10),
    (10, 11),
    (3, 12),
    (6, 13),
    (11, 14),
    (10, 15),
    (9, 16),
    (5, 17),
    (2, 18),
    (1, 20),
    (2, 21),
    (1, 22),
];

/// How much is done on a day of the week, Monday first, in permille of a full day.
pub const WEEKDAY_PERMILLE: [u64; 7] = [950, 1050, 1080, 1020, 850, 160, 110];

pub const CODING_TOOLS: [(u64, &str); 8] = [
    (30, "Bash"),
    (24, "Read"),
    (20, "Edit"),
    (10, "Grep"),
    (6, "Write"),
    (4, "Task"),
    (3, "TodoWrite"),
    (3, "WebSearch"),
];
pub const CHAT_TOOLS: [(u64, &str); 3] = [(5, "search_orders"), (4, "search_docs"), (1, "create_ticket")];

/// Every model with a price that the team uses or used.
pub fn models() -> impl Iterator<Item = Model> {
    let habits = HABITS.into_iter().map(|(_, habit)| habit).chain([NIGHTLY, RUNAWAY]);
    habits.flat_map(|habit| [habit.model, habit.newer])
}
