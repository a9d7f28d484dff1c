//! When the money goes: a heat map, a row per weekday and a column per hour.

use super::{ChartOption, FORMAT_USD, Series, category_axis, value_format};
use crate::app::charts::data::WEEKDAYS;
use crate::app::charts::palette::Palette;
use crate::domain::money::NanoUsd;
use charming::component::{Grid, VisualMap, VisualMapChannel, VisualMapType};
use charming::datatype::DataPoint;
use charming::element::{Emphasis, ItemStyle, Tooltip, Trigger};
use charming::series::Heatmap;

/// Cells by weekday (Monday first) and hour; the colour scale ends at the dearest cell.
pub fn hour_of_week(cells: &[[NanoUsd; 24]; 7], palette: &Palette) -> ChartOption {
    let hours = (0..24).map(|hour| format!("{hour:02}:00")).collect();
    let days = WEEKDAYS.iter().map(|day| day.to_string()).collect();
    let dearest = cells.iter().flatten().map(|cost| cost.to_chart_usd()).fold(0.0, f64::max);
    let scale = VisualMap::new()
        .type_(VisualMapType::Continuous)
        .show(false)
        .min(0)
        .max(if dearest > 0.0 { dearest } else { 1.0 })
        .in_range(VisualMapChannel::new().color(palette.heat.iter().map(String::as_str).collect()));
    let outlined = ItemStyle::new().border_color(palette.ink.as_str()).border_width(1);
    let heat = Heatmap::new()
        .name("Cost")
        .item_style(ItemStyle::new().border_color(palette.surface.as_str()).border_width(2).border_radius(4))
        .emphasis(Emphasis::new().item_style(outlined))
        .tooltip(value_format(FORMAT_USD))
        .data(heat_points(cells));
    ChartOption {
        grid: Some(Grid::new().left(0).right(0).top(0).bottom(26)),
        tooltip: Some(Tooltip::new().trigger(Trigger::Item)),
        visual_map: Some(scale),
        x_axis: vec![category_axis(hours, palette)],
        y_axis: vec![category_axis(days, palette).inverse(true)],
        series: vec![Series::Heatmap(Box::new(heat))],
        ..ChartOption::default()
    }
}

/// `[hour, weekday, dollars]` for every cell.
fn heat_points(cells: &[[NanoUsd; 24]; 7]) -> Vec<Vec<DataPoint>> {
    let row = |(day, costs): (usize, &[NanoUsd; 24])| -> Vec<Vec<DataPoint>> {
        let point = |(hour, cost): (usize, &NanoUsd)| {
            [hour as f64, day as f64, cost.to_chart_usd()].map(DataPoint::from).to_vec()
        };
        costs.iter().enumerate().map(point).collect()
    };
    cells.iter().enumerate().flat_map(row).collect()
}
