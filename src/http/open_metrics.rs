//! Metrics as `OpenMetrics` 1.0, for clients that ask for it; the crate `prometheus` writes only the older text format.

use std::fmt::Write;

use actix_web::{
    HttpRequest,
    http::header::{Accept, Header, Quality},
};
use prometheus::proto::{LabelPair, Metric, MetricFamily, MetricType};

pub(super) const MEDIA_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Whether the client prefers `OpenMetrics` to plain text.
pub(super) fn is_preferred(req: &HttpRequest) -> bool {
    let Ok(accept) = Accept::parse(req) else { return false };
    let quality = |essence: &str| {
        let of_kind = accept.iter().filter(|entry| entry.item.essence_str() == essence);
        of_kind.map(|entry| entry.quality).max().unwrap_or(Quality::ZERO)
    };
    let wanted = quality("application/openmetrics-text");
    wanted > Quality::ZERO && wanted >= quality("text/plain")
}

/// The metrics as a document.
pub(super) fn render(families: &[MetricFamily]) -> String {
    let mut text = String::new();
    for family in families {
        // Writing to a string does not fail.
        let _written = render_family(&mut text, family);
    }
    text.push_str("# EOF\n");
    text
}

fn render_family(text: &mut String, family: &MetricFamily) -> std::fmt::Result {
    let kind = match family.get_field_type() {
        MetricType::COUNTER => "counter",
        MetricType::HISTOGRAM => "histogram",
        MetricType::GAUGE => "gauge",
        // None is made here.
        MetricType::SUMMARY | MetricType::UNTYPED => "unknown",
    };
    // A counter's family has the name without the suffix that its samples have.
    let name = if kind == "counter" { family.name().trim_end_matches("_total") } else { family.name() };
    writeln!(text, "# TYPE {name} {kind}")?;
    writeln!(text, "# HELP {name} {}", escaped(family.help()))?;
    for metric in family.get_metric() {
        let labels = labels(metric.get_label());
        match family.get_field_type() {
            MetricType::COUNTER => sample(text, &format!("{name}_total"), &labels, metric.get_counter().get_value())?,
            MetricType::HISTOGRAM => render_histogram(text, name, &labels, metric)?,
            _ => sample(text, name, &labels, metric.get_gauge().get_value())?,
        }
    }
    Ok(())
}

#[expect(clippy::as_conversions, clippy::cast_precision_loss, reason = "samples are floats")]
fn render_histogram(text: &mut String, name: &str, labels: &str, metric: &Metric) -> std::fmt::Result {
    let histogram = metric.get_histogram();
    let count = histogram.get_sample_count() as f64;
    let bounds = histogram.get_bucket().iter().map(|bucket| (bucket.upper_bound(), bucket.cumulative_count() as f64));
    let finite = bounds.filter(|(bound, _)| bound.is_finite());
    for (bound, below) in finite.chain([(f64::INFINITY, count)]) {
        let comma = if labels.is_empty() { "" } else { "," };
        sample(text, &format!("{name}_bucket"), &format!("{labels}{comma}le=\"{}\"", number(bound)), below)?;
    }
    sample(text, &format!("{name}_count"), labels, count)?;
    sample(text, &format!("{name}_sum"), labels, histogram.get_sample_sum())
}

fn sample(text: &mut String, name: &str, labels: &str, value: f64) -> std::fmt::Result {
    match labels {
        "" => writeln!(text, "{name} {}", number(value)),
        labels => writeln!(text, "{name}{{{labels}}} {}", number(value)),
    }
}

fn labels(pairs: &[LabelPair]) -> String {
    let pairs = pairs.iter().map(|pair| format!("{}=\"{}\"", pair.name(), escaped(pair.value())));
    pairs.collect::<Vec<_>>().join(",")
}

/// A number in the canonical form: `1.0` and not `1`.
fn number(value: f64) -> String {
    match value {
        f64::INFINITY => "+Inf".to_owned(),
        f64::NEG_INFINITY => "-Inf".to_owned(),
        value => format!("{value:?}"),
    }
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('\n', "\\n").replace('"', "\\\"")
}

#[cfg(test)]
mod tests {
    use actix_web::{http::header::ACCEPT, test::TestRequest};
    use prometheus::{Encoder, Gauge, HistogramOpts, HistogramVec, IntCounterVec, Opts, Registry, TextEncoder};

    use super::*;

    #[test]
    fn a_document_has_families_of_samples_and_an_end() {
        let registry = Registry::new();
        let asked = IntCounterVec::new(Opts::new("asked_total", "What was \"asked\"."), &["who"]).unwrap();
        asked.with_label_values(&["a\\b\"c\nd"]).inc_by(3);
        let took = HistogramOpts::new("took_seconds", "How long.").buckets(vec![0.5, 1.0]);
        let took = HistogramVec::new(took, &[]).unwrap();
        took.with_label_values(&[""; 0]).observe(0.75);
        let level = Gauge::new("level", "How high.").unwrap();
        level.set(-1.5);
        registry.register(Box::new(asked)).unwrap();
        registry.register(Box::new(took)).unwrap();
        registry.register(Box::new(level)).unwrap();
        let families = registry.gather();
        assert_eq!(
            render(&families),
            "# TYPE asked counter\n# HELP asked What was \\\"asked\\\".\n\
             asked_total{who=\"a\\\\b\\\"c\\nd\"} 3.0\n\
             # TYPE level gauge\n# HELP level How high.\nlevel -1.5\n\
             # TYPE took_seconds histogram\n# HELP took_seconds How long.\n\
             took_seconds_bucket{le=\"0.5\"} 0.0\ntook_seconds_bucket{le=\"1.0\"} 1.0\n\
             took_seconds_bucket{le=\"+Inf\"} 1.0\ntook_seconds_count 1.0\ntook_seconds_sum 0.75\n# EOF\n"
        );
        let mut plain = vec![];
        TextEncoder::new().encode(&families, &mut plain).unwrap();
        let samples = |text: &str| text.lines().filter(|line| !line.starts_with('#')).count();
        assert_eq!(samples(&render(&families)), samples(&String::from_utf8(plain).unwrap()));
    }

    #[test]
    fn clients_get_it_that_prefer_it() {
        let preferred =
            |accept: &str| is_preferred(&TestRequest::get().insert_header((ACCEPT, accept)).to_http_request());
        for accept in [
            "application/openmetrics-text",
            "application/openmetrics-text; version=1.0.0; charset=utf-8",
            "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.2,*/*;q=0.1",
            "*/*, Application/OpenMetrics-Text",
        ] {
            assert!(preferred(accept), "{accept}");
        }
        for accept in [
            "",
            "*/*",
            "text/plain",
            "application/openmetrics-text;q=0",
            "text/plain, application/openmetrics-text;q=0.5",
        ] {
            assert!(!preferred(accept), "{accept}");
        }
    }
}
