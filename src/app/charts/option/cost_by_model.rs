//! What each model cost: horizontal bars, stacked by token bucket, dearest on top.

use super::{ChartOption, FORMAT_AXIS_USD, FORMAT_USD, Series, axis_tooltip, category_axis, value_axis, value_format};
use crate::app::charts::data::{CostPart, shown_models};
use crate::app::charts::palette::Palette;
use crate::domain::report::ModelUsage;
use charming::component::Grid;
use charming::datatype::DataPoint;
use charming::element::{AxisPointerType, ItemStyle};
use charming::series::Bar;

/// The dearest models' bars, a part per bucket that cost anything, tool fees last.
pub fn cost_by_model(models: &[ModelUsage], palette: &Palette) -> ChartOption {
    let shown = shown_models(models);
    let model_names = shown.iter().map(|model| model.model.clone()).collect();
    let bars = |part: CostPart| Series::Bar(Box::new(bars_of(part, shown, palette)));
    ChartOption {
        grid: Some(Grid::new().left(0).right(12).top(8).bottom(26)),
        tooltip: Some(axis_tooltip(AxisPointerType::Shadow, palette)),
        x_axis: vec![value_axis(FORMAT_AXIS_USD, palette)],
        y_axis: vec![category_axis(model_names, palette).inverse(true)],
        series: CostPart::used_by(shown).into_iter().map(bars).collect(),
        ..ChartOption::default()
    }
}

fn bars_of(part: CostPart, models: &[ModelUsage], palette: &Palette) -> Bar {
    let costs = models.iter().map(|model| part.of(&model.totals.cost_parts).to_chart_usd());
    Bar::new()
        .name(part.label())
        .stack("cost")
        .bar_width("56%")
        .item_style(ItemStyle::new().color(palette.cost_part(part)))
        .tooltip(value_format(FORMAT_USD))
        .data(costs.map(DataPoint::from).collect::<Vec<_>>())
}
