//! The comparisons as bars, in SVG.

use std::fmt::Write as _;

use crate::table::{Comparison, shown_ns};

const WIDTH: f64 = 860.0;
/// Where bars begin.
const LEFT: f64 = 240.0;
/// Room for the longest bar; its number follows.
const LENGTH: f64 = 500.0;
const LINE: f64 = 18.0;

/// Returns one picture: for each comparison the times of its first column, on a scale in which
/// each step of the same length is the same factor.
pub(crate) fn to_svg(comparisons: &[Comparison]) -> String {
    let (mut body, mut y) = (String::new(), 10.0);
    for comparison in comparisons {
        y += 2.0 * LINE;
        let column = comparison.columns.first().map_or("", String::as_str);
        let title = format!("{}, {column}", comparison.title);
        let _ = writeln!(body, r#"<text x="10" y="{y}" class="title">{}</text>"#, escaped(&title));
        let times = comparison.contestants.iter().filter_map(|c| c.ns.first().copied().flatten());
        let (least, most) = times.fold((f64::MAX, 0.0f64), |(l, m), ns| (l.min(ns), m.max(ns)));
        for (i, contestant) in comparison.contestants.iter().enumerate() {
            let Some(ns) = contestant.ns.first().copied().flatten() else { continue };
            y += LINE;
            let decades = (most / least).log10().max(1.0);
            let length = LENGTH * (0.1 + 0.9 * (ns / least).log10() / decades);
            let class = if i == 0 { "ours" } else { "other" };
            let (name, end, text) = (LEFT - 8.0, LEFT + length + 6.0, y - 4.0);
            let _ = writeln!(
                body,
                r#"<text x="{name}" y="{text}" class="name">{}</text><rect x="{LEFT}" y="{:.1}" width="{length:.1}" height="14" class="{class}"/><text x="{end:.1}" y="{text}">{}</text>"#,
                escaped(contestant.name),
                y - 15.0,
                shown_ns(ns),
            );
        }
    }
    let height = y + 40.0;
    format!(
        r#"<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" font-size="12">
<style>.title {{ font-weight: bold; font-size: 14px }} .name {{ text-anchor: end }} .ours {{ fill: #2a78b5 }} .other {{ fill: #b9bec4 }}</style>
<rect width="100%" height="100%" fill="white"/>
{body}<text x="10" y="{:.1}">Logarithmic: each step of the same length is the same factor.</text>
</svg>
"#,
        height - 10.0
    )
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}
