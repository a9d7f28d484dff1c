//! One made-up session: a run of calls whose prompt grows and is read from the cache, as coding agents work.

use super::random::Random;
use super::team::{CHAT_TOOLS, CODING_TOOLS, Habit, Model, Work};
use crate::domain::tokens::TokenCounts;
use crate::domain::usage::{CallContext, CallOutcome, ServiceTerms, Source, UsageRecord, UserId};

/// Where an agent's context is compacted, in tokens.
const CONTEXT_LIMIT: u64 = 160_000;
/// How many calls in a thousand fail.
const FAILED_PERMILLE: u64 = 14;
const FAILURES: [(u64, (u16, &str)); 4] = [
    (5, (529, "Overloaded")),
    (3, (429, "This request would exceed your organization's rate limit")),
    (2, (500, "Internal server error")),
    (1, (400, "prompt is too long")),
];

/// A made-up session.
struct Session<'a> {
    user: &'a UserId,
    habit: &'a Habit,
    model: Model,
    id: String,
}

/// The calls of one session from `start_ms` on. Keys are left empty: they are given when all calls are in order.
pub fn session_records(
    random: &mut Random,
    user: &UserId,
    habit: &Habit,
    model: Model,
    start_ms: i64,
) -> Vec<UsageRecord> {
    let session = Session { user, habit, model, id: session_id(random) };
    let (calls, shortest_pause_ms, longest_pause_ms) = match habit.work {
        Work::Coding => (random.skewed(8, 70), 9_000, 75_000),
        Work::SubAgent => (random.skewed(4, 24), 3_000, 14_000),
        Work::Chat => (random.skewed(2, 12), 15_000, 120_000),
        Work::Nightly => (4, 1_000, 30_000),
    };
    let mut prompt = Prompt::new(random, habit.work);
    let mut at_ms = start_ms;
    (0..calls)
        .map(|_| {
            at_ms += random.skewed(shortest_pause_ms, longest_pause_ms) as i64;
            if random.happens(FAILED_PERMILLE) {
                session.failed_call(random, at_ms)
            } else {
                let tokens = prompt.next_call(random, model);
                session.answered_call(random, at_ms, tokens)
            }
        })
        .collect()
}

/// The prompt of a session, as the cache sees it.
struct Prompt {
    work: Work,
    cached: u64,
    /// Stands in the prompt, but not in the cache yet.
    fresh: u64,
}

impl Prompt {
    fn new(random: &mut Random, work: Work) -> Self {
        // Agents find their instructions and tools in the cache already.
        let (cached, fresh) = match work {
            Work::Coding => (random.between(11_000, 15_000), random.skewed(3_000, 20_000)),
            Work::SubAgent => (0, random.between(6_000, 14_000)),
            Work::Chat => (0, random.between(600, 2_400)),
            Work::Nightly => (0, random.between(8_000, 30_000)),
        };
        Self { work, cached, fresh }
    }

    fn next_call(&mut self, random: &mut Random, model: Model) -> TokenCounts {
        match self.work {
            Work::Coding | Work::SubAgent => self.next_agent_call(random),
            Work::Chat => self.next_chat_call(random, model),
            Work::Nightly => {
                TokenCounts { input: self.fresh, output: random.between(300, 1_500), ..TokenCounts::default() }
            }
        }
    }

    fn next_agent_call(&mut self, random: &mut Random) -> TokenCounts {
        let output = random.skewed(40, 1_900);
        let is_coding = self.work == Work::Coding;
        let tokens = TokenCounts {
            input: random.between(2, 12),
            cache_write_5m: if is_coding { 0 } else { self.fresh },
            cache_write_1h: if is_coding { self.fresh } else { 0 },
            cache_read: self.cached,
            output,
            thinking: 0,
            output_thinking: Some(output * random.between(0, 60) / 100),
        };
        self.cached += self.fresh;
        self.fresh = output + random.skewed(80, 9_000);
        if self.cached + self.fresh > CONTEXT_LIMIT {
            self.cached = 13_000;
            self.fresh = random.between(9_000, 16_000);
        }
        tokens
    }

    fn next_chat_call(&mut self, random: &mut Random, model: Model) -> TokenCounts {
        let output = random.skewed(60, 1_100);
        let thinking = random.skewed(0, 900);
        // Gemini bills its thoughts beside the answer, OpenAI within it.
        let is_gemini = model.provider == "google";
        let tokens = TokenCounts {
            input: self.fresh,
            cache_read: self.cached,
            output: if is_gemini { output } else { output + thinking },
            thinking: if is_gemini { thinking } else { 0 },
            output_thinking: (!is_gemini).then_some(thinking),
            ..TokenCounts::default()
        };
        self.cached += self.fresh;
        self.fresh = output + random.between(30, 400);
        tokens
    }
}

impl Session<'_> {
    fn answered_call(&self, random: &mut Random, at_ms: i64, tokens: TokenCounts) -> UsageRecord {
        let first_token_ms = random.skewed(350, 4_000);
        // Some 40 to 110 tokens a second.
        let response_time_ms = first_token_ms + (tokens.output + tokens.thinking) * 1_000 / random.between(40, 110);
        let tool = tool_of(random, self.habit.work);
        let is_streamed = self.habit.work != Work::Nightly;
        UsageRecord {
            tokens,
            web_search_count: u64::from(tool == Some("WebSearch")),
            outcome: CallOutcome {
                status_code: Some(200),
                response_time_ms: is_streamed.then_some(response_time_ms),
                first_token_ms: is_streamed.then_some(first_token_ms),
                stop_reason: Some(stop_reason(self.model, tool.is_some()).into()),
                ..CallOutcome::default()
            },
            context: CallContext { tools_used: tool.map(str::to_owned).into_iter().collect(), ..self.context(random) },
            ..self.bare_call(at_ms)
        }
    }

    fn failed_call(&self, random: &mut Random, at_ms: i64) -> UsageRecord {
        let (status_code, message) = *random.pick_weighted(&FAILURES);
        UsageRecord {
            has_usage: false,
            outcome: CallOutcome {
                success: false,
                status_code: Some(status_code),
                error_message: Some(message.into()),
                response_time_ms: Some(random.skewed(120, 30_000)),
                ..CallOutcome::default()
            },
            context: self.context(random),
            ..self.bare_call(at_ms)
        }
    }

    fn bare_call(&self, at_ms: i64) -> UsageRecord {
        let service_tier = if self.habit.work == Work::Nightly { "batch" } else { "standard" };
        UsageRecord {
            user_id: self.user.clone(),
            occurred_at_ms: at_ms,
            source: Source::Demo,
            dedup_key: String::new(),
            part_of: None,
            is_sidechain: false,
            provider: self.model.provider.into(),
            model: self.model.id.into(),
            tokens: TokenCounts::default(),
            has_usage: true,
            is_estimated: false,
            web_search_count: 0,
            terms: ServiceTerms { service_tier: Some(service_tier.into()), ..ServiceTerms::default() },
            api_key_id: None,
            context: CallContext::default(),
            outcome: CallOutcome::default(),
            usage_json: None,
        }
    }

    fn context(&self, random: &mut Random) -> CallContext {
        let is_chat = self.habit.work == Work::Chat;
        CallContext {
            conversation_id: is_chat.then(|| format!("conv-{}", &self.id[..8])),
            agent_slug: self.habit.agent.map(str::to_owned),
            session_id: (!is_chat).then(|| self.id.clone()),
            project: Some(self.habit.project.into()),
            tools_used: Vec::new(),
            tags: Vec::new(),
            request_id: Some(format!("req_demo_{:016x}", random.next())),
            message_id: None,
        }
    }
}

fn tool_of(random: &mut Random, work: Work) -> Option<&'static str> {
    match work {
        Work::Coding | Work::SubAgent => random.happens(840).then(|| *random.pick_weighted(&CODING_TOOLS)),
        Work::Chat => random.happens(300).then(|| *random.pick_weighted(&CHAT_TOOLS)),
        Work::Nightly => None,
    }
}

fn stop_reason(model: Model, calls_tool: bool) -> &'static str {
    match (model.provider, calls_tool) {
        ("openai", false) => "stop",
        ("openai", true) => "tool_calls",
        ("google", _) => "STOP",
        (_, false) => "end_turn",
        (_, true) => "tool_use",
    }
}

fn session_id(random: &mut Random) -> String {
    let (one, two) = (random.next(), random.next());
    let (head, middle, low) = (one >> 32, one >> 16 & 0xffff, one & 0xfff);
    format!("{head:08x}-{middle:04x}-4{low:03x}-8{:03x}-{:012x}", two >> 52, two & 0xffff_ffff_ffff)
}
