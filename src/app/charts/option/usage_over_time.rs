//! Tokens as stacked bars on the left axis, cost as a line on the right one.

use super::{
    ChartOption, FORMAT_AXIS_DATE, FORMAT_AXIS_TOKENS, FORMAT_AXIS_USD, FORMAT_TOKENS, FORMAT_USD, Series, axis_label,
    axis_name_style, axis_tooltip, category_axis, value_axis, value_format,
};
use crate::app::charts::data::used_buckets;
use crate::app::charts::palette::Palette;
use crate::domain::report::TimePoint;
use crate::domain::tokens::TokenBucket;
use charming::component::{Axis, Grid};
use charming::datatype::DataPoint;
use charming::element::{
    AxisPointerType, Emphasis, EmphasisFocus, ItemStyle, LineStyle, NameLocation, SplitLine, Symbol,
    smoothness::Smoothness,
};
use charming::series::{Bar, Line};

const COST: &str = "Cost";

/// One bar per time bucket with a part per token bucket that was used at all, and the cost over it.
pub fn usage_over_time(points: &[TimePoint], palette: &Palette) -> ChartOption {
    let dates = points.iter().map(|point| point.date.clone()).collect();
    let date_axis = category_axis(dates, palette).axis_label(axis_label(palette).formatter(FORMAT_AXIS_DATE));
    let cost_axis = named(value_axis(FORMAT_AXIS_USD, palette), COST, palette);
    let bars = |bucket| Series::Bar(Box::new(token_bars(bucket, points, palette)));
    let cost = Series::Line(Box::new(cost_line(points, palette)));
    ChartOption {
        grid: Some(Grid::new().left(0).right(0).top(30).bottom(26)),
        tooltip: Some(axis_tooltip(AxisPointerType::Shadow, palette)),
        x_axis: vec![date_axis],
        y_axis: vec![
            named(value_axis(FORMAT_AXIS_TOKENS, palette), "Tokens", palette),
            cost_axis.split_line(SplitLine::new().show(false)),
        ],
        series: used_buckets(points).into_iter().map(bars).chain([cost]).collect(),
        ..ChartOption::default()
    }
}

fn named(axis: Axis, name: &str, palette: &Palette) -> Axis {
    axis.name(name)
        .name_location(NameLocation::End)
        .name_gap(14)
        .name_text_style(axis_name_style(palette))
        .align_ticks(true)
        .min(0)
}

fn token_bars(bucket: TokenBucket, points: &[TimePoint], palette: &Palette) -> Bar {
    let counts = points.iter().map(|point| DataPoint::from(point.token_counts.of(bucket) as f64));
    Bar::new()
        .name(bucket.label())
        .stack("tokens")
        .item_style(ItemStyle::new().color(palette.bucket(bucket)))
        .emphasis(Emphasis::new().focus(EmphasisFocus::None))
        .tooltip(value_format(FORMAT_TOKENS))
        .data(counts.collect::<Vec<_>>())
}

fn cost_line(points: &[TimePoint], palette: &Palette) -> Line {
    let costs = points.iter().map(|point| DataPoint::from(point.cost_nano_usd.to_chart_usd()));
    Line::new()
        .name(COST)
        .y_axis_index(1)
        .smooth(Smoothness::Boolean(false))
        .symbol(Symbol::Circle)
        .symbol_size(6)
        .show_symbol(points.len() < 2)
        .line_style(LineStyle::new().color(palette.ink.as_str()).width(1.75))
        .item_style(ItemStyle::new().color(palette.ink.as_str()))
        .tooltip(value_format(FORMAT_USD))
        .z(3)
        .data(costs.collect::<Vec<_>>())
}
