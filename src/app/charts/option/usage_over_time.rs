//! Tokens as stacked bars on the left axis, cost as a line on the right one.

use super::{
    FORMAT_AXIS_DATE, FORMAT_AXIS_TOKENS, FORMAT_AXIS_USD, FORMAT_TOKENS, FORMAT_USD, ICON_AREA, ICON_LINE, axis_label,
    axis_name_style, axis_tooltip, category_axis, legend, value_axis, value_format,
};
use crate::app::charts::palette::Palette;
use crate::domain::report::TimePoint;
use crate::domain::tokens::TokenBucket;
use charming::Chart;
use charming::component::{Axis, Grid};
use charming::datatype::DataPoint;
use charming::element::{
    AxisPointerType, Emphasis, EmphasisFocus, ItemStyle, LineStyle, NameLocation, SplitLine, Symbol,
    smoothness::Smoothness,
};
use charming::series::{Bar, Line};

const COST: &str = "Cost";

/// One bar per time bucket with a part per token bucket that was used at all, and the cost over it.
pub fn usage_over_time(points: &[TimePoint], palette: &Palette) -> Chart {
    let is_used = |bucket: &TokenBucket| points.iter().any(|point| point.token_counts.of(*bucket) > 0);
    let buckets: Vec<TokenBucket> = TokenBucket::ALL.into_iter().filter(is_used).collect();
    let bars = buckets.iter().map(|bucket| (bucket.label(), ICON_AREA));
    let entries = bars.chain([(COST, ICON_LINE)]).collect();
    let dates = points.iter().map(|point| point.date.clone()).collect();

    let mut chart = Chart::new()
        .grid(Grid::new().left(0).right(0).top(58).bottom(26))
        .legend(legend(entries, palette))
        .tooltip(axis_tooltip(AxisPointerType::Shadow, palette))
        .x_axis(category_axis(dates, palette).axis_label(axis_label(palette).formatter(FORMAT_AXIS_DATE)))
        .y_axis(named(value_axis(FORMAT_AXIS_TOKENS, palette), "Tokens", palette))
        .y_axis(named(value_axis(FORMAT_AXIS_USD, palette), COST, palette).split_line(SplitLine::new().show(false)));
    for bucket in buckets {
        chart = chart.series(token_bars(bucket, points, palette));
    }
    chart.series(cost_line(points, palette))
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
