//! The running month's spend: the actual line, the expected one dashed with its band, and the limit across.

use super::{ChartOption, FORMAT_AXIS_USD, FORMAT_USD, Series, axis_tooltip, category_axis, value_axis, value_format};
use crate::app::charts::data::{BAND, EXPECTED, LIMIT, MonthDay, SPENT};
use crate::app::charts::palette::Palette;
use crate::domain::money::NanoUsd;
use charming::component::Grid;
use charming::datatype::{CompositeValue, DataPoint};
use charming::element::{AreaStyle, AxisPointerType, ItemStyle, LineStyle, LineStyleType, Symbol};
use charming::series::Line;

/// Cumulative spend by day. The band is two stacked series, its low edge and its width; scripts/echarts/tooltip.js knows
/// them by their ids and shows one line for both.
pub fn forecast(days: &[MonthDay], limit: Option<NanoUsd>, palette: &Palette) -> ChartOption {
    let labels = days.iter().map(|day| day.label.clone()).collect();
    let lines = [band_low(days), band_width(days, palette), expected_line(days, palette), spent_line(days, palette)];
    let limit = limit.map(|limit| limit_line(days.len(), limit, palette));
    ChartOption {
        grid: Some(Grid::new().left(0).right(16).top(10).bottom(26)),
        tooltip: Some(axis_tooltip(AxisPointerType::Line, palette)),
        x_axis: vec![category_axis(labels, palette).boundary_gap(false)],
        y_axis: vec![value_axis(FORMAT_AXIS_USD, palette).min(0)],
        series: lines.into_iter().chain(limit).map(|line| Series::Line(Box::new(line))).collect(),
        ..ChartOption::default()
    }
}

fn spent_line(days: &[MonthDay], palette: &Palette) -> Line {
    line(SPENT, &palette.accent)
        .line_style(LineStyle::new().color(palette.accent.as_str()).width(2))
        .area_style(AreaStyle::new().color(palette.accent.as_str()).opacity(0.08))
        .data(amounts(days.iter().map(|day| day.actual)))
}

fn expected_line(days: &[MonthDay], palette: &Palette) -> Line {
    line(EXPECTED, &palette.accent)
        .line_style(LineStyle::new().color(palette.accent.as_str()).width(2).type_(LineStyleType::Dashed))
        .data(amounts(days.iter().map(|day| day.expected)))
}

fn band_low(days: &[MonthDay]) -> Line {
    let low = |day: &MonthDay| day.expected.map(|_| day.low);
    line("Low", "transparent")
        .id("band-low")
        .stack("band")
        .line_style(LineStyle::new().opacity(0))
        .data(amounts(days.iter().map(low)))
}

fn band_width(days: &[MonthDay], palette: &Palette) -> Line {
    let width = |day: &MonthDay| day.expected.and_then(|_| day.high.checked_sub(day.low));
    line(BAND, &palette.accent)
        .id("band-width")
        .stack("band")
        .line_style(LineStyle::new().opacity(0))
        .item_style(ItemStyle::new().color(palette.accent.as_str()).opacity(0.35))
        .area_style(AreaStyle::new().color(palette.accent.as_str()).opacity(0.14))
        .data(amounts(days.iter().map(width)))
}

fn limit_line(days: usize, limit: NanoUsd, palette: &Palette) -> Line {
    line(LIMIT, &palette.limit)
        .line_style(LineStyle::new().color(palette.limit.as_str()).width(1.5).type_(LineStyleType::Dashed))
        .data(amounts((0..days).map(|_| Some(limit))))
}

fn line(name: &str, colour: &str) -> Line {
    Line::new()
        .name(name)
        .symbol(Symbol::Circle)
        .symbol_size(6)
        .show_symbol(false)
        .item_style(ItemStyle::new().color(colour))
        .tooltip(value_format(FORMAT_USD))
}

/// Dollars, with gaps where there is no amount.
fn amounts(costs: impl Iterator<Item = Option<NanoUsd>>) -> Vec<DataPoint> {
    costs.map(|cost| DataPoint::from(CompositeValue::from(cost.map(NanoUsd::to_chart_usd)))).collect()
}
