//! The table.

use super::generator::Outcome;

/// The goal of a row.
#[derive(Debug, Clone, Copy)]
pub enum Goal {
    /// This share of the bare handler's rate.
    Ratio(f64),
    /// A 99th percentile of this many milliseconds.
    P99(f64),
    /// No goal.
    None,
}

/// Prints the heading.
pub fn heading() {
    println!(
        "{:<34} {:>9} {:>8} {:>8} {:>8} {:>7} {:>7}  {:<5} {:>8}",
        "row", "req/s", "p50 ms", "p99 ms", "cpu µs", "ratio", "goal", "", "MiB"
    );
}

/// Prints a row of load; `bare` is the bare handler's rate just before.
pub fn row(name: &str, outcome: &Outcome, bare: Option<f64>, goal: Goal, mib: f64) {
    let ratio = bare.map(|bare| outcome.rate() / bare);
    let met = match goal {
        Goal::Ratio(goal) => ratio.map(|ratio| ratio >= goal),
        Goal::P99(goal) => Some(outcome.percentile(99) <= goal),
        Goal::None => None,
    };
    let aimed = match goal {
        Goal::Ratio(goal) => format!("{goal:.3}"),
        Goal::P99(goal) => format!("{goal:.0} ms"),
        Goal::None => String::new(),
    };
    println!(
        "{name:<34} {:>9.0} {:>8.2} {:>8.2} {:>8.1} {:>7} {aimed:>7}  {:<5} {mib:>8.1}",
        outcome.rate(),
        outcome.percentile(50),
        outcome.percentile(99),
        outcome.cpu_micros(),
        ratio.map_or_else(String::new, |ratio| format!("{ratio:.3}")),
        verdict(met),
    );
    if outcome.bad > 0 {
        println!("    {} answers were not 2xx, such as {}", outcome.bad, outcome.bad_status);
    }
}

/// Prints a single number.
pub fn figure(name: &str, value: f64, unit: &str, goal: f64) {
    println!("{name:<34} {value:>9.1} {unit:<36} {goal:>5.0}    {}", verdict(Some(value <= goal)));
}

const fn verdict(met: Option<bool>) -> &'static str {
    match met {
        Some(true) => "ok",
        Some(false) => "UNDER",
        None => "",
    }
}
