//! The price book: all cards, the built-in catalogue's and the user's own, and the one that holds for a call.

use super::card::PriceCard;
use super::lookup::{CLOSED_MAKERS, MAKERS, ModelName, NameForm, canonical_provider, name_forms};
use std::collections::HashMap;
use std::sync::Arc;

/// A set of dated price cards. Nothing is ever deleted from it; a card is closed by its successor.
#[derive(Clone, Debug, Default)]
pub struct PriceBook {
    listed: CardIndex,
    overrides: CardIndex,
}

/// Which cards to list; an empty filter lists all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CardFilter {
    pub provider: Option<String>,
    /// A model id in any spelling, or a family.
    pub model: Option<String>,
    /// Only cards that hold at this moment.
    pub at_ms: Option<i64>,
}

#[derive(Clone, Debug, Default)]
struct CardIndex {
    cards: Vec<Arc<PriceCard>>,
    /// Positions in `cards` by lower-case name, aliases included.
    by_name: HashMap<String, Vec<usize>>,
}

impl PriceBook {
    /// A book of these cards only.
    pub fn from_cards(cards: Vec<PriceCard>) -> Self {
        Self { listed: CardIndex::of(cards), overrides: CardIndex::default() }
    }

    /// The catalogue that is compiled in. Only on the server: the browser never carries it.
    #[cfg(any(feature = "server", test))]
    pub fn builtin() -> Arc<Self> {
        static BOOK: std::sync::LazyLock<Arc<PriceBook>> = std::sync::LazyLock::new(|| {
            let cards = super::catalogue::parse_catalogue(super::catalogue::BUILTIN);
            // It is part of the program and a test reads it: one that cannot be read cannot be released.
            let cards = cards.expect("the built-in catalogue can be read");
            Arc::new(PriceBook::from_cards(cards))
        });
        BOOK.clone()
    }

    /// The same book with the user's own prices, which replace earlier ones. Where one holds, it wins over the catalogue;
    /// before its first day and after its end the catalogue holds.
    pub fn with_overrides(&self, mut cards: Vec<PriceCard>) -> Self {
        for card in &mut cards {
            card.provider = canonical_provider(&card.provider);
        }
        Self { listed: self.listed.clone(), overrides: CardIndex::of(cards) }
    }

    /// The card that prices a call of `model` at a moment, or none: an unknown model is never guessed at.
    ///
    /// The id is looked for as it is, then without provider prefix, `[1m]`, `-v1:0`, `@date` and date suffix. First
    /// under the provider of the call, then under the one that the id itself names (`groq/…`). Failing both, a model
    /// maker's list price holds: for every call that names no provider, and for closed models (Claude, GPT, Gemini,
    /// Grok) behind a provider that has no price for them, such as a proxy. An id without any provider that only
    /// resellers list is priced if they agree.
    pub fn lookup(&self, provider: Option<&str>, model: &str, at_ms: i64) -> Option<&Arc<PriceCard>> {
        let provider = provider.map(canonical_provider).filter(|name| !name.is_empty());
        let forms = name_forms(model);
        let under_own = || {
            let provider = provider.as_deref()?;
            forms.iter().find_map(|form| self.card_under(provider, &form.name, at_ms))
        };
        let under_named =
            || forms.iter().find_map(|form| self.card_under(form.provider.as_deref()?, &form.name, at_ms));
        let under_maker = || {
            let makers = if provider.is_some() { &MAKERS[..CLOSED_MAKERS] } else { &MAKERS[..] };
            forms.iter().find_map(|form| makers.iter().find_map(|maker| self.card_under(maker, &form.name, at_ms)))
        };
        let agreed = || match provider {
            Some(_) => None,
            None => forms.iter().find_map(|form| self.agreed_card(form, at_ms)),
        };
        under_own().or_else(under_named).or_else(under_maker).or_else(agreed)
    }

    /// The provider whose card a model id without a provider is priced by.
    pub fn provider_of(&self, model: &str, at_ms: i64) -> Option<&str> {
        self.lookup(None, model, at_ms).map(|card| card.provider.as_str()).filter(|provider| !provider.is_empty())
    }

    /// The cards that a filter keeps: the user's first, then the catalogue's by provider, model and date.
    pub fn cards(&self, filter: &CardFilter) -> Vec<&Arc<PriceCard>> {
        let provider = filter.provider.as_deref().map(canonical_provider);
        let forms = filter.model.as_deref().map(name_forms);
        let is_kept = |card: &&Arc<PriceCard>| {
            provider.as_ref().is_none_or(|provider| card.provider == *provider)
                && forms.as_ref().is_none_or(|forms| forms.iter().any(|form| is_named(card, &form.name)))
                && filter.at_ms.is_none_or(|at_ms| card.is_valid_at(at_ms))
        };
        self.overrides.cards.iter().chain(&self.listed.cards).filter(is_kept).collect()
    }

    /// Whether a filter means any model that has a card, of any provider and moment.
    pub fn knows(&self, filter: &ModelName) -> bool {
        let is_meant = |name: &String| filter.means(&ModelName::of(name));
        let mut cards = self.overrides.cards.iter().chain(&self.listed.cards);
        cards.any(|card| is_meant(&card.model) || card.aliases.iter().any(is_meant))
    }

    /// How many cards there are.
    pub fn len(&self) -> usize {
        self.overrides.cards.len() + self.listed.cards.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn card_under(&self, provider: &str, name: &str, at_ms: i64) -> Option<&Arc<PriceCard>> {
        let of_provider = |card: &&Arc<PriceCard>| card.provider == provider;
        let of_any = |card: &&Arc<PriceCard>| card.provider == provider || card.provider.is_empty();
        latest(self.overrides.named(name, at_ms).filter(of_any))
            .or_else(|| latest(self.listed.named(name, at_ms).filter(of_provider)))
    }

    /// The user's card for the name, or the one price that all resellers ask.
    fn agreed_card(&self, form: &NameForm, at_ms: i64) -> Option<&Arc<PriceCard>> {
        if let Some(own) = latest(self.overrides.named(&form.name, at_ms)) {
            return Some(own);
        }
        let mut found = self.listed.named(&form.name, at_ms);
        let first = found.next()?;
        found.all(|card| card.rates == first.rates && card.tiers == first.tiers).then_some(first)
    }
}

impl CardIndex {
    fn of(cards: Vec<PriceCard>) -> Self {
        let mut by_name: HashMap<String, Vec<usize>> = HashMap::new();
        for (position, card) in cards.iter().enumerate() {
            for name in std::iter::once(&card.model).chain(&card.aliases) {
                by_name.entry(name.to_ascii_lowercase()).or_default().push(position);
            }
        }
        Self { cards: cards.into_iter().map(Arc::new).collect(), by_name }
    }

    fn named(&self, name: &str, at_ms: i64) -> impl Iterator<Item = &Arc<PriceCard>> {
        let positions = self.by_name.get(name).map_or(&[][..], Vec::as_slice);
        positions.iter().map(|position| &self.cards[*position]).filter(move |card| card.is_valid_at(at_ms))
    }
}

/// The card with the latest first day: overrides may overlap, and the newest decision holds.
fn latest<'a>(cards: impl Iterator<Item = &'a Arc<PriceCard>>) -> Option<&'a Arc<PriceCard>> {
    cards.max_by_key(|card| card.valid_from_ms)
}

fn is_named(card: &PriceCard, name: &str) -> bool {
    card.model.eq_ignore_ascii_case(name) || card.family == name || card.aliases.iter().any(|alias| alias == name)
}

#[cfg(test)]
mod tests;
