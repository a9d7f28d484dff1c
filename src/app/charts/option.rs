//! charming options from a chart's figures and a palette: pure, so they are tested natively. They hold no functions, which
//! would need `eval`: how a value is written is named (`format:usd`), and [`super::echarts`] registers what that means.

mod cost_by_model;
mod forecast;
mod hour_of_week;
mod usage_by_model;
mod usage_over_time;

pub use cost_by_model::cost_by_model;
pub use forecast::forecast;
pub use hour_of_week::hour_of_week;
pub use usage_by_model::usage_by_model;
pub use usage_over_time::usage_over_time;

use super::data::ChartData;
use super::palette::Palette;
use charming::component::{Axis, Grid, VisualMap};
use charming::element::{
    AxisLabel, AxisLine, AxisPointer, AxisPointerType, AxisTick, AxisType, LineStyle, SplitLine, TextStyle, Tooltip,
    Trigger,
};
use charming::series::{Bar, Heatmap, Line, Pie};
use serde::Serialize;

/// Whole numbers, such as calls.
pub const FORMAT_COUNT: &str = "format:count";
/// A token count, short.
pub const FORMAT_TOKENS: &str = "format:tokens";
/// Dollars as a person reads them.
pub const FORMAT_USD: &str = "format:usd";
/// Dollars at an axis: no cents where there are none.
pub const FORMAT_AXIS_USD: &str = "format:axisUsd";
/// A token count at an axis: no digits that say nothing.
pub const FORMAT_AXIS_TOKENS: &str = "format:axisTokens";
/// A time bucket's date at an axis: `24 Nov`, `14:00`.
pub const FORMAT_AXIS_DATE: &str = "format:axisDate";

const FONT_SIZE_PX: i32 = 12;

/// What ECharts is told, of charming's parts. charming's own `Chart` has room for every series and component there is,
/// and the browser would load the code that serialises them all.
#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ChartOption {
    pub animation: bool,
    /// Milliseconds.
    pub animation_duration: u32,
    /// Milliseconds.
    pub animation_duration_update: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grid: Option<Grid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tooltip: Option<Tooltip>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub x_axis: Vec<Axis>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub y_axis: Vec<Axis>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub visual_map: Option<VisualMap>,
    pub series: Vec<Series>,
}

/// The series that the bundle in scripts/echarts can draw.
#[derive(Serialize)]
#[serde(untagged)]
pub enum Series {
    Bar(Box<Bar>),
    Heatmap(Box<Heatmap>),
    Line(Box<Line>),
    Pie(Box<Pie>),
}

/// The option that draws a chart.
pub fn chart_of(data: &ChartData, palette: &Palette) -> ChartOption {
    match data {
        ChartData::UsageOverTime(points) => usage_over_time(points, palette),
        ChartData::UsageByModel(shares) => usage_by_model(shares, palette),
        ChartData::CostByModel(models) => cost_by_model(models, palette),
        ChartData::HourOfWeek(cells) => hour_of_week(cells, palette),
        ChartData::Forecast { days, limit } => forecast(days, *limit, palette),
    }
}

/// An axis of names, without line and ticks.
fn category_axis(names: Vec<String>, palette: &Palette) -> Axis {
    Axis::new()
        .type_(AxisType::Category)
        .data(names)
        .axis_line(AxisLine::new().show(false))
        .axis_tick(AxisTick::new().show(false))
        .axis_label(axis_label(palette))
}

/// An axis of values with hairline grid lines and labels in the named format.
fn value_axis(format: &str, palette: &Palette) -> Axis {
    Axis::new()
        .type_(AxisType::Value)
        .split_number(4)
        .axis_line(AxisLine::new().show(false))
        .axis_tick(AxisTick::new().show(false))
        .axis_label(axis_label(palette).formatter(format))
        .split_line(SplitLine::new().line_style(LineStyle::new().color(palette.grid.as_str()).width(1)))
}

fn axis_label(palette: &Palette) -> AxisLabel {
    AxisLabel::new().color(palette.muted.as_str()).font_size(FONT_SIZE_PX)
}

fn axis_name_style(palette: &Palette) -> TextStyle {
    TextStyle::new().color(palette.muted.as_str()).font_size(FONT_SIZE_PX)
}

/// A tooltip for all series at a place of the axis.
fn axis_tooltip(pointer: AxisPointerType, palette: &Palette) -> Tooltip {
    let line = LineStyle::new().color(palette.muted.as_str()).width(1);
    Tooltip::new().trigger(Trigger::Axis).axis_pointer(AxisPointer::new().type_(pointer).line_style(line))
}

fn value_format(format: &str) -> Tooltip {
    Tooltip::new().value_formatter(format)
}

#[cfg(test)]
mod tests;
