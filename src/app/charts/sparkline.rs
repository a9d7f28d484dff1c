//! A sparkline: a line without axes, drawn as SVG by the server, so that it is there before any script is.

use leptos::prelude::*;

const WIDTH: f64 = 120.0;
const HEIGHT: f64 = 32.0;
/// Room for half the line's width and for the dot at its end.
const PADDING: f64 = 3.0;

/// The run of `values`, scaled between their least and their most; nothing for fewer than two. It adds nothing that the
/// figure beside it does not say, so it is hidden from screen readers unless it is given a `label`.
#[component]
pub fn Sparkline(
    #[prop(into)] values: Signal<Vec<f64>>,
    #[prop(optional, into)] label: Option<String>,
) -> impl IntoView {
    let path = Memo::new(move |_| SparkPath::of(&values.get()));
    let role = if label.is_some() { "img" } else { "presentation" };
    let is_hidden = label.is_none().then_some("true");
    view! {
        <svg
            class="sparkline"
            viewBox=format!("0 0 {WIDTH} {HEIGHT}")
            preserveAspectRatio="none"
            role=role
            aria-label=label
            aria-hidden=is_hidden
        >
            <path class="sparkline-area" d=move || path.get().area></path>
            <polyline class="sparkline-line" points=move || path.get().line></polyline>
            <path class="sparkline-end" d=move || path.get().end></path>
        </svg>
    }
}

/// The drawing's coordinates as SVG wants them.
#[derive(Clone, Debug, Default, PartialEq)]
struct SparkPath {
    line: String,
    area: String,
    end: String,
}

impl SparkPath {
    fn of(values: &[f64]) -> Self {
        let finite: Vec<f64> = values.iter().copied().filter(|value| value.is_finite()).collect();
        if finite.len() < 2 {
            return Self::default();
        }
        let least = finite.iter().copied().fold(f64::INFINITY, f64::min);
        let most = finite.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let step = (WIDTH - 2.0 * PADDING) / (finite.len() - 1) as f64;
        let height_of = |value: f64| if most > least { (value - least) / (most - least) } else { 0.5 };
        let place = |(index, value): (usize, &f64)| {
            let x = PADDING + step * index as f64;
            let y = HEIGHT - PADDING - height_of(*value) * (HEIGHT - 2.0 * PADDING);
            (format!("{x:.1}"), format!("{y:.1}"))
        };
        let places: Vec<(String, String)> = finite.iter().enumerate().map(place).collect();
        let line = places.iter().map(|(x, y)| format!("{x},{y}")).collect::<Vec<_>>().join(" ");
        let (first_x, (last_x, last_y)) = (&places[0].0, &places[places.len() - 1]);
        let area = format!("M{first_x},{HEIGHT} L{} L{last_x},{HEIGHT} Z", line.replace(' ', " L"));
        Self { line, area, end: format!("M{last_x},{last_y} h0") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_is_at_the_bottom_and_the_most_on_top() {
        let path = SparkPath::of(&[0.0, 10.0, 5.0]);
        assert_eq!(path.line, "3.0,29.0 60.0,3.0 117.0,16.0");
        assert_eq!(path.end, "M117.0,16.0 h0");
        assert_eq!(path.area, "M3.0,32 L3.0,29.0 L60.0,3.0 L117.0,16.0 L117.0,32 Z");
    }

    #[test]
    fn an_even_run_lies_in_the_middle() {
        assert_eq!(SparkPath::of(&[4.0, 4.0]).line, "3.0,16.0 117.0,16.0");
    }

    #[test]
    fn too_little_or_broken_data_draws_nothing() {
        assert_eq!(SparkPath::of(&[]), SparkPath::default());
        assert_eq!(SparkPath::of(&[1.0]), SparkPath::default());
        assert_eq!(SparkPath::of(&[1.0, f64::NAN]), SparkPath::default());
    }
}
