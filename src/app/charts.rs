//! Charts: figures of a report as a drawing, a sentence and a table. What is drawn is a [`ChartData`], the same on server
//! and browser; the server renders all but the drawing, the browser builds a charming option from it and has ECharts
//! draw that. Sparklines are plain SVG and need neither.

mod axis_text;
mod data;
#[cfg(feature = "hydrate")]
mod echarts;
mod figure;
#[cfg(test)]
mod fixtures;
mod key;
#[cfg(feature = "hydrate")]
mod live;
mod month;
#[cfg(any(feature = "hydrate", test))]
mod option;
mod palette;
mod sparkline;
mod table;

pub use data::{ChartData, MonthDay};
pub use figure::{ChartFigure, ChartHeight};
pub use month::month_days;
pub use palette::{Palette, model_colour_index};
pub use sparkline::Sparkline;
pub use table::ChartTable;
