//! The address of a view is its whole state: the question, and how the model table is sorted. Back, forward and a
//! shared link therefore always show the same thing.

use crate::domain::query::{QueryError, Range, UsageQuery, Whose};
use leptos::prelude::WithUntracked;
use leptos_router::NavigateOptions;
use leptos_router::hooks::{use_location, use_navigate};
use leptos_router::params::ParamsMap;

/// A column that the model table can be sorted by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ModelColumn {
    Model,
    Calls,
    Input,
    Output,
    Cached,
    #[default]
    Cost,
    AverageCost,
    AverageTime,
    Failures,
}

/// How the model table is sorted: the largest first unless `ascending`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ModelOrder {
    pub column: ModelColumn,
    pub ascending: bool,
}

/// All that the Overview's address says.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OverviewAddress {
    pub question: UsageQuery,
    pub order: ModelOrder,
}

impl ModelColumn {
    pub const ALL: [Self; 9] = [
        Self::Model,
        Self::Calls,
        Self::Input,
        Self::Output,
        Self::Cached,
        Self::Cost,
        Self::AverageCost,
        Self::AverageTime,
        Self::Failures,
    ];

    /// As in the address.
    pub fn name(self) -> &'static str {
        match self {
            Self::Model => "model",
            Self::Calls => "calls",
            Self::Input => "input",
            Self::Output => "output",
            Self::Cached => "cached",
            Self::Cost => "cost",
            Self::AverageCost => "average-cost",
            Self::AverageTime => "average-time",
            Self::Failures => "failures",
        }
    }
}

impl ModelOrder {
    /// What a click on the head of `column` asks for: that column, or its other direction.
    pub fn clicked(self, column: ModelColumn) -> Self {
        let ascending = if self.column == column { !self.ascending } else { column == ModelColumn::Model };
        Self { column, ascending }
    }

    /// `calls`, or `calls-asc`. An unknown name is the default order: it is no reason to refuse a page.
    fn from_param(param: &str) -> Self {
        let (name, ascending) = param.strip_suffix("-asc").map_or((param, false), |name| (name, true));
        let column = ModelColumn::ALL.into_iter().find(|column| column.name() == name);
        column.map_or(Self::default(), |column| Self { column, ascending })
    }

    fn to_param(self) -> String {
        format!("{}{}", self.column.name(), if self.ascending { "-asc" } else { "" })
    }
}

impl OverviewAddress {
    /// # Errors
    /// Names the parameter that is not understood.
    pub fn from_params(params: &ParamsMap) -> Result<Self, QueryError> {
        let question = UsageQuery::from_params(params.latest_values())?;
        let order = params.get_str("sort").map(ModelOrder::from_param).unwrap_or_default();
        Ok(Self { question, order })
    }

    pub fn with_range(&self, range: Range) -> Self {
        let question = UsageQuery { range, aggregation: None, ..self.question.clone() };
        Self { question, ..self.clone() }
    }

    pub fn with_model(&self, model: Option<String>) -> Self {
        Self { question: UsageQuery { model, ..self.question.clone() }, ..self.clone() }
    }

    pub fn with_compare(&self, compare: bool) -> Self {
        Self { question: UsageQuery { compare, ..self.question.clone() }, ..self.clone() }
    }

    pub fn with_whose(&self, whose: Whose) -> Self {
        Self { question: UsageQuery { whose, ..self.question.clone() }, ..self.clone() }
    }

    pub fn with_order(&self, order: ModelOrder) -> Self {
        Self { order, ..self.clone() }
    }

    /// The address on `path`: defaults are left out, so that the plain page has the plain address.
    pub fn href(&self, path: &str) -> String {
        let mut query = self.question.to_query_string();
        if self.order != ModelOrder::default() {
            let separator = if query.is_empty() { "" } else { "&" };
            query = format!("{query}{separator}sort={}", self.order.to_param());
        }
        if query.is_empty() { path.into() } else { format!("{path}?{query}") }
    }
}

/// Goes to an address on the page that is being shown, without scrolling it.
pub fn use_go_to() -> impl Fn(&OverviewAddress) + Clone + Send + Sync {
    let path = use_location().pathname;
    let navigate = use_navigate();
    move |address| {
        let href = path.with_untracked(|path| address.href(path));
        navigate(&href, NavigateOptions { scroll: false, ..NavigateOptions::default() });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn params(pairs: &[(&'static str, &str)]) -> ParamsMap {
        let mut map = ParamsMap::new();
        for (key, value) in pairs {
            map.insert(*key, (*value).into());
        }
        map
    }

    #[test]
    fn an_address_reads_back_as_it_was_written() {
        let address =
            OverviewAddress::from_params(&params(&[("range", "week"), ("model", "opus"), ("sort", "calls-asc")]));
        let address = address.expect("a good address");
        assert_eq!(address.href("/"), "/?range=week&model=opus&sort=calls-asc");
        assert_eq!(OverviewAddress::default().href("/"), "/");
    }

    #[test]
    fn whose_figures_they_are_stays_in_every_link() {
        let address = OverviewAddress::from_params(&params(&[("user", "everyone"), ("sort", "calls")]));
        let address = address.expect("a good address");
        let order = ModelOrder { column: ModelColumn::Model, ascending: true };
        assert_eq!(address.with_range(Range::Week).href("/"), "/?range=week&user=everyone&sort=calls");
        assert_eq!(address.with_model(Some("opus".into())).href("/"), "/?model=opus&user=everyone&sort=calls");
        assert_eq!(address.with_compare(true).href("/"), "/?compare=1&user=everyone&sort=calls");
        assert_eq!(address.with_order(order).href("/"), "/?user=everyone&sort=model-asc");
        assert_eq!(address.with_whose(Whose::Own).href("/"), "/?sort=calls");
    }

    #[test]
    fn an_unknown_order_is_the_default_and_an_unknown_range_is_refused() {
        let address = OverviewAddress::from_params(&params(&[("sort", "colour")])).expect("a good address");
        assert_eq!(address.order, ModelOrder::default());
        let refused = OverviewAddress::from_params(&params(&[("range", "fortnight")]));
        assert_eq!(refused.map_err(|error| error.field), Err("range"));
    }

    #[test]
    fn a_second_click_on_a_head_turns_the_order_round() {
        let once = ModelOrder::default().clicked(ModelColumn::Calls);
        assert_eq!(once, ModelOrder { column: ModelColumn::Calls, ascending: false });
        assert_eq!(once.clicked(ModelColumn::Calls), ModelOrder { column: ModelColumn::Calls, ascending: true });
        let by_name = ModelOrder::default().clicked(ModelColumn::Model);
        assert!(by_name.ascending, "names begin at A");
    }
}
