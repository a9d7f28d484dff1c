//! What each model cost: horizontal bars, stacked by token bucket, dearest on top.

use super::{FORMAT_AXIS_USD, FORMAT_USD, ICON_AREA, axis_tooltip, category_axis, legend, value_axis, value_format};
use crate::app::charts::palette::Palette;
use crate::domain::cost::CostParts;
use crate::domain::money::NanoUsd;
use crate::domain::report::ModelUsage;
use crate::domain::tokens::TokenBucket;
use charming::Chart;
use charming::component::Grid;
use charming::datatype::DataPoint;
use charming::element::{AxisPointerType, ItemStyle};
use charming::series::Bar;

/// More bars than this are too thin to read; the table beside the chart has them all.
const MAX_BARS: usize = 8;

/// The dearest models' bars, a part per bucket that cost anything, tool fees last.
pub fn cost_by_model(models: &[ModelUsage], palette: &Palette) -> Chart {
    let shown = &models[..models.len().min(MAX_BARS)];
    let parts: Vec<Part> = parts_of(palette).into_iter().filter(|part| part.is_in(shown)).collect();
    let entries = parts.iter().map(|part| (part.name, ICON_AREA)).collect();
    let model_names = shown.iter().map(|model| model.model.clone()).collect();

    let mut chart = Chart::new()
        .grid(Grid::new().left(0).right(12).top(32).bottom(26))
        .legend(legend(entries, palette))
        .tooltip(axis_tooltip(AxisPointerType::Shadow, palette))
        .x_axis(value_axis(FORMAT_AXIS_USD, palette))
        .y_axis(category_axis(model_names, palette).inverse(true));
    for part in parts {
        chart = chart.series(part.bars(shown));
    }
    chart
}

/// A piece of every bar.
struct Part<'a> {
    name: &'static str,
    colour: &'a str,
    bucket: Option<TokenBucket>,
}

fn parts_of(palette: &Palette) -> Vec<Part<'_>> {
    let of_bucket =
        |bucket: TokenBucket| Part { name: bucket.label(), colour: palette.bucket(bucket), bucket: Some(bucket) };
    let mut parts: Vec<Part> = TokenBucket::ALL.into_iter().map(of_bucket).collect();
    parts.push(Part { name: "Tool fees", colour: &palette.fees, bucket: None });
    parts
}

impl Part<'_> {
    fn cost_in(&self, parts: &CostParts) -> NanoUsd {
        self.bucket.map_or(parts.fees, |bucket| parts.of(bucket))
    }

    fn is_in(&self, models: &[ModelUsage]) -> bool {
        models.iter().any(|model| self.cost_in(&model.totals.cost_parts).0 != 0)
    }

    fn bars(&self, models: &[ModelUsage]) -> Bar {
        let costs = models.iter().map(|model| self.cost_in(&model.totals.cost_parts).to_chart_usd());
        Bar::new()
            .name(self.name)
            .stack("cost")
            .bar_width("56%")
            .item_style(ItemStyle::new().color(self.colour))
            .tooltip(value_format(FORMAT_USD))
            .data(costs.map(DataPoint::from).collect::<Vec<_>>())
    }
}
