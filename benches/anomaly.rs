//! Which of the two anomaly rules sees what it should, and how often it cries wolf. Not a test: it prints figures
//! (`make bench-anomaly`), which docs/alerts.md explains.
//!
//! Both rules stand at the end of every hour of every day, as the watch does, and flag a day when they first see its
//! cost as unusual. Labelled: eleven series of the Numenta Anomaly Benchmark that count something (benches/data/nab). Made up:
//! half a year of 40 teams' usage with anomalies put in, so that it is known which days are unusual and why.

#[path = "anomaly/labelled.rs"]
mod labelled;
#[path = "anomaly/made_up.rs"]
mod made_up;

use chrono::Datelike;
use tollbridge::domain::anomaly::robust::HourlyCost;
use tollbridge::domain::anomaly::{AnomalyKind, DayFigures, detect, robust};
use tollbridge::domain::money::NanoUsd;

/// Days at the start of a series that are not scored: TheBridge's rule has its seven days, the robust one its three.
const WARM_UP: usize = 7;

/// One series of days, each with the anomaly that it belongs to.
pub struct Series {
    pub days: Vec<HourlyCost>,
    /// Beside each day: the number of its anomaly.
    pub labels: Vec<Option<Label>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Label {
    /// Days of one number are one anomaly.
    pub number: usize,
    /// For which line of the table.
    pub group: &'static str,
}

type Rule = (&'static str, fn(&[HourlyCost], usize) -> Option<usize>);

const RULES: [Rule; 2] = [("weekly mean (TheBridge's)", by_weekly_mean), ("robust", by_robust)];

#[derive(Default)]
struct Score {
    days: usize,
    flagged: usize,
    right: usize,
    anomalies: usize,
    seen: usize,
    /// Of the right ones: the hours by whose end they were flagged.
    hours: Vec<usize>,
}

fn main() {
    let labelled = labelled::series(include_str!("data/nab/hourly.csv"));
    print_table("labelled series (11 of the Numenta Anomaly Benchmark)", &labelled, None);
    let made_up = made_up::series();
    print_table("made-up usage (40 teams, 26 weeks)", &made_up, None);
    for group in made_up::GROUPS {
        print_table(&format!("made-up usage, only: {group}"), &made_up, Some(group));
    }
}

fn print_table(title: &str, series: &[Series], group: Option<&str>) {
    println!("\n{title}");
    println!(
        "{:<28}{:>9}{:>9}{:>11}{:>9}{:>16}{:>10}",
        "rule", "flagged", "right", "precision", "recall", "false per month", "by hour"
    );
    for (name, rule) in RULES {
        let mut score = Score::default();
        series.iter().for_each(|one| score.add(one, rule, group));
        score.print(name, group.is_some());
    }
}

impl Score {
    fn add(&mut self, series: &Series, rule: fn(&[HourlyCost], usize) -> Option<usize>, group: Option<&str>) {
        let mut anomalies = Vec::new();
        let mut seen = Vec::new();
        for index in WARM_UP..series.days.len() {
            let label = series.labels[index];
            let is_asked_for = |label: &Label| group.is_none_or(|group| label.group == group);
            let asked_for = label.filter(is_asked_for);
            anomalies.extend(asked_for.map(|label| label.number));
            self.days += 1;
            let Some(hour) = rule(&series.days, index) else { continue };
            // Another group's anomaly is neither right nor wrong for this line.
            if label.is_some() && asked_for.is_none() {
                continue;
            }
            self.flagged += 1;
            if let Some(label) = asked_for {
                self.right += 1;
                self.hours.push(hour);
                seen.push(label.number);
            }
        }
        for list in [&mut anomalies, &mut seen] {
            list.sort_unstable();
            list.dedup();
        }
        self.anomalies += anomalies.len();
        self.seen += seen.len();
    }

    fn print(mut self, name: &str, is_part: bool) {
        let share = |part: usize, whole: usize| part as f64 * 100.0 / whole.max(1) as f64;
        self.hours.sort_unstable();
        let hour = self.hours.get(self.hours.len() / 2).map_or("–".to_owned(), |hour| format!("{:02}:00", hour + 1));
        let precision = if is_part { "–".into() } else { format!("{:.0} %", share(self.right, self.flagged)) };
        let false_per_month = (self.flagged - self.right) as f64 * 30.0 / self.days.max(1) as f64;
        println!(
            "{name:<28}{:>9}{:>9}{precision:>11}{:>9}{false_per_month:>16.2}{hour:>10}",
            self.flagged,
            self.right,
            format!("{:.0} %", share(self.seen, self.anomalies))
        );
    }
}

/// The hour at which TheBridge's rule flags a day. It compares whole days, so it is asked for the day so far.
fn by_weekly_mean(days: &[HourlyCost], index: usize) -> Option<usize> {
    let whole = |day: &HourlyCost| figures(day, 23);
    let earlier: Vec<DayFigures> = days[index.saturating_sub(7)..index].iter().map(whole).collect();
    let flags = |hour: &usize| {
        let found = detect(&figures(&days[index], *hour), &earlier);
        found.iter().any(|anomaly| anomaly.kind == AnomalyKind::HighCost)
    };
    (0..24).find(flags)
}

fn by_robust(days: &[HourlyCost], index: usize) -> Option<usize> {
    let first = index.saturating_sub(robust::BASELINE_DAYS as usize);
    (0..24).find(|hour| robust::detect(&days[index], *hour, &days[first..index], &[]).is_some())
}

fn figures(day: &HourlyCost, hour: usize) -> DayFigures {
    let cost = day.hours[..=hour].iter().map(|cost| cost.0).sum();
    DayFigures { cost: NanoUsd(cost), ..DayFigures::default() }
}

/// Monday is 0.
pub fn weekday_of(day: &HourlyCost) -> usize {
    day.date.weekday().num_days_from_monday() as usize
}
