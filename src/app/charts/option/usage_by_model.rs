//! A ring of the calls, one part per model family, without labels: its key is HTML beside it.

use super::{ChartOption, FORMAT_COUNT, Series, value_format};
use crate::app::charts::data::by_calls;
use crate::app::charts::palette::Palette;
use crate::domain::report::ModelShare;
use charming::datatype::{DataPoint, DataPointItem};
use charming::element::{ItemStyle, Label, LabelLine, Tooltip, Trigger};
use charming::series::Pie;

/// Shares of the calls; families without calls are left out.
pub fn usage_by_model(shares: &[ModelShare], palette: &Palette) -> ChartOption {
    let families: Vec<&str> = shares.iter().map(|share| share.model.as_str()).collect();
    let part = |share: &ModelShare| {
        let style = ItemStyle::new().color(palette.model(&share.model, &families));
        DataPoint::from(DataPointItem::new(share.calls as f64).name(&share.model).item_style(style))
    };
    let parts = by_calls(shares).into_iter().map(part).collect::<Vec<_>>();
    let ring = Pie::new()
        .name("Calls")
        .radius(vec!["64%", "92%"])
        .center(vec!["50%", "50%"])
        .start_angle(90)
        .item_style(ItemStyle::new().border_color(palette.surface.as_str()).border_width(2).border_radius(4))
        .label(Label::new().show(false))
        .label_line(LabelLine::new().show(false))
        .tooltip(value_format(FORMAT_COUNT))
        .data(parts);
    ChartOption {
        tooltip: Some(Tooltip::new().trigger(Trigger::Item)),
        series: vec![Series::Pie(Box::new(ring))],
        ..ChartOption::default()
    }
}
