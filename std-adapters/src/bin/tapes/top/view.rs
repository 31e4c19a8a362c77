//! The screen: devices on the left, metrics beside them, keys below.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style, Stylize as _};
use ratatui::text::{Line, Span};
use ratatui::widgets::{
    Block, Borders, Cell, Clear, List, ListState, Paragraph, Row, Table, TableState,
};

use super::app::{App, Detail};
use super::chart::bars;
use super::detail;
use super::look::{Metric, Section};
use super::once::value;
use crate::table::quantity;

/// Columns of the list of devices, and the least that must be left beside it.
const DEVICES_WIDTH: u16 = 24;
const METRICS_WIDTH_MIN: u16 = 56;
/// Rows of the chosen metric, unless half of the screen is more, and the least that must be left above it.
const DETAIL_HEIGHT: u16 = 16;
const TABLE_HEIGHT_MIN: u16 = 6;

const HELP: [&str; 11] = [
    "↑ ↓ PgUp PgDn Home End   another metric",
    "← → Tab                  another device",
    "Enter                    chart of the metric, or back",
    "b                        buckets of all time, or over time",
    "/                        filter: words that all must be in the name",
    "s, r                     sort by name, value, rate, p99; reverse",
    "Esc                      close the chart, clear the filter",
    "q, Ctrl-C                end",
    "",
    "Rates are those of the last 5 s, by the device's own clock; p50",
    "and p99 those of the last minute, or of all time if it had none.",
];

/// A column of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Column {
    Name,
    Value,
    Rate,
    P50,
    P99,
    Bars,
}

impl Column {
    /// Returns the columns for which there is room, in their order.
    fn that_fit(width: u16) -> Vec<Self> {
        let mut columns = Vec::new();
        let mut left = width;
        // By importance; each has a space before it.
        for column in [Self::Name, Self::Value, Self::Rate, Self::P99, Self::P50, Self::Bars] {
            if columns.is_empty() || left > column.width() {
                columns.push(column);
                left = left.saturating_sub(column.width() + 1);
            }
        }
        let order = [Self::Name, Self::Value, Self::Rate, Self::P50, Self::P99, Self::Bars];
        order.into_iter().filter(|column| columns.contains(column)).collect()
    }

    /// Returns how wide it is; the name takes what is left, which is not less.
    const fn width(self) -> u16 {
        match self {
            Self::Name => 22,
            Self::Value => 16,
            Self::Rate => 10,
            Self::P50 | Self::P99 => 9,
            Self::Bars => 20,
        }
    }

    const fn title(self) -> &'static str {
        match self {
            Self::Name => "metric",
            Self::Value => "value",
            Self::Rate => "rate",
            Self::P50 => "p50",
            Self::P99 => "p99",
            Self::Bars => "last moments",
        }
    }

    /// Returns a cell of the column; numbers are aligned to the right.
    fn cell<'c>(self, text: String) -> Cell<'c> {
        let line = Line::raw(text);
        Cell::new(if self == Self::Name { line } else { line.right_aligned() })
    }
}

/// Draws everything.
pub(super) fn draw(frame: &mut Frame<'_>, app: &mut App) {
    let rows = [Constraint::Length(1), Constraint::Fill(1), Constraint::Length(1)];
    let [head, body, foot] = Layout::vertical(rows).areas(frame.area());
    frame.render_widget(title(app), head);
    frame.render_widget(keys(app), foot);
    let has_devices = body.width >= DEVICES_WIDTH + METRICS_WIDTH_MIN;
    let width = if has_devices { DEVICES_WIDTH } else { 0 };
    let [left, right] =
        Layout::horizontal([Constraint::Length(width), Constraint::Fill(1)]).areas(body);
    if has_devices {
        devices(frame, app, left);
    }
    let has_detail = app.detail != Detail::None && right.height > TABLE_HEIGHT_MIN + 4;
    let height = if has_detail {
        DETAIL_HEIGHT.max(right.height / 2).min(right.height - TABLE_HEIGHT_MIN)
    } else {
        0
    };
    let [table, below] =
        Layout::vertical([Constraint::Fill(1), Constraint::Length(height)]).areas(right);
    metrics(frame, app, table);
    if let Some(metric) = app.chosen().filter(|_| has_detail) {
        detail::draw(frame, app, metric, below);
    }
    if app.is_helping {
        help(frame);
    }
}

fn title(app: &App) -> Line<'static> {
    let devices = app.look.sections.iter().filter(|section| section.kind == "device");
    let (mut up, mut all) = (0, 0);
    devices.for_each(|device| (up, all) = (up + usize::from(device.is_up), all + 1));
    let mut spans = vec![Span::raw("tapes top ").bold(), Span::raw(app.source.clone())];
    if all > 0 {
        spans.push(Span::raw(format!("  {up} of {all} devices live")).dim());
    }
    match &app.trouble {
        Some(trouble) => {
            let style = Style::new().fg(Color::Red).add_modifier(Modifier::BOLD);
            spans.push(Span::styled(format!("  {trouble}"), style));
        }
        None if app.look.sections.is_empty() => spans.push(Span::raw("  waiting for numbers …")),
        None => {}
    }
    Line::from(spans)
}

fn keys(app: &App) -> Line<'static> {
    if app.is_filtering {
        return Line::raw(format!("/{}▏  Enter: keep, Esc: clear", app.filter));
    }
    let mut text = "q end  ↑↓ metric  ←→ device  Enter chart  / filter  ? help".to_owned();
    text.push_str(&format!("  s sorted by {}", app.sort.name()));
    if !app.filter.is_empty() {
        text.push_str(&format!("  /{}", app.filter));
    }
    Line::raw(text).dim()
}

fn devices(frame: &mut Frame<'_>, app: &App, area: Rect) {
    let items = app.look.sections.iter().map(|section| {
        let (mark, colour) =
            if section.is_up { ("●", Color::Green) } else { ("○", Color::Red) };
        let name = match section.kind.as_str() {
            "merged" => "all devices".to_owned(),
            _ => section.name.clone(),
        };
        let first = Line::from(vec![
            Span::styled(mark, Style::new().fg(colour)),
            Span::raw(format!(" {name}")),
        ]);
        let lines: Vec<Line<'_>> = std::iter::once(first)
            .chain(about(section).into_iter().map(|text| Line::raw(text).dim()))
            .collect();
        ratatui::text::Text::from(lines)
    });
    let list = List::new(items)
        .highlight_style(Modifier::REVERSED)
        .block(Block::new().borders(Borders::RIGHT));
    let mut state = ListState::default().with_selected(Some(app.section()));
    frame.render_stateful_widget(list, area, &mut state);
}

fn about(section: &Section) -> Vec<String> {
    if section.kind != "device" {
        return Vec::new();
    }
    let time = if section.is_up {
        section.uptime.map_or("live".to_owned(), |uptime| format!("up {}", duration(uptime)))
    } else {
        let silence = section.silence.map_or("not heard".to_owned(), duration);
        format!("silent {silence}")
    };
    vec![format!("  {time}"), format!("  boots {}, lost {}", section.boots, section.lost)]
}

/// Returns a time that has passed, in its two largest units.
fn duration(seconds: f64) -> String {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "whole seconds")]
    let seconds = seconds.max(0.0) as u64;
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3_600 => format!("{} min {} s", seconds / 60, seconds % 60),
        3_600..86_400 => format!("{} h {} min", seconds / 3_600, seconds / 60 % 60),
        _ => format!("{} d {} h", seconds / 86_400, seconds / 3_600 % 24),
    }
}

fn metrics(frame: &mut Frame<'_>, app: &mut App, area: Rect) {
    let rows = app.rows();
    let cursor = app.cursor.min(rows.len().saturating_sub(1));
    let columns = Column::that_fit(area.width);
    let widths = columns.iter().map(|column| match column {
        Column::Name => Constraint::Fill(1),
        column => Constraint::Length(column.width()),
    });
    let head = columns.iter().map(|column| column.cell(column.title().to_owned()));
    let head = Row::new(head).style(Modifier::BOLD);
    let lines: Vec<_> = rows.iter().map(|metric| row(app, metric, &columns)).collect();
    let is_empty = lines.is_empty();
    let table = Table::new(lines, widths.collect::<Vec<_>>())
        .header(head)
        .row_highlight_style(Modifier::REVERSED);
    let mut state = TableState::default().with_selected(Some(cursor));
    frame.render_stateful_widget(table, area, &mut state);
    if is_empty && !app.look.metrics.is_empty() && area.height > 1 {
        let below = Rect { y: area.y + 1, height: 1, ..area };
        frame.render_widget(Line::raw("no metric matches").dim(), below);
    }
    app.cursor = cursor;
}

fn row<'m>(app: &App, metric: &Metric, columns: &[Column]) -> Row<'m> {
    let quantile = |name: &str| match metric.quantile(name).filter(|_| metric.number() != Some(0.0))
    {
        Some(value) if metric.counts.is_some() => quantity(value, &metric.unit),
        _ => String::new(),
    };
    let cell = |column: &Column| {
        column.cell(match column {
            Column::Name => metric.name.clone(),
            Column::Value => fitting(metric),
            Column::Rate => {
                app.pasts.rate(metric).map_or(String::new(), |r| format!("{}/s", quantity(r, "")))
            }
            Column::P50 => quantile("q50"),
            Column::P99 => quantile("q99"),
            Column::Bars => bars(&app.pasts.line(metric), usize::from(column.width())),
        })
    };
    let row = Row::new(columns.iter().map(cell));
    if metric.is_fresh { row } else { row.style(Modifier::DIM) }
}

/// Returns the number of a metric exactly if there is room, else to three digits.
fn fitting(metric: &Metric) -> String {
    let text = value(metric);
    match metric.number() {
        Some(number) if text.chars().count() > usize::from(Column::Value.width()) => {
            quantity(number, &metric.unit)
        }
        _ => text,
    }
}

fn help(frame: &mut Frame<'_>) {
    let area = frame.area();
    let (width, height) = (area.width.min(66), area.height.min(13));
    let (x, y) = ((area.width - width) / 2, (area.height - height) / 2);
    let area = Rect { x, y, width, height };
    let lines: Vec<_> = HELP.iter().map(|text| Line::raw(*text)).collect();
    let block = Block::new().borders(Borders::ALL).title(" keys ");
    frame.render_widget(Clear, area);
    frame.render_widget(Paragraph::new(lines).block(block), area);
}

#[cfg(test)]
mod tests {
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;
    use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

    use super::{App, draw, duration};
    use crate::top::app::Next;
    use crate::top::look::tests::look;

    fn app() -> App {
        let mut app = App::new("http://127.0.0.1:9100");
        (0..9).for_each(|seconds| app.take(Ok(look(seconds))));
        app
    }

    fn screen(app: &mut App, width: u16, height: u16) -> String {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        terminal.draw(|frame| draw(frame, app)).unwrap();
        terminal.backend().to_string()
    }

    fn press(app: &mut App, codes: &[KeyCode]) {
        for code in codes {
            assert_eq!(app.key(KeyEvent::new(*code, KeyModifiers::NONE)), Next::Go);
        }
    }

    /// What is on the screen is what the numbers say, for the device that was chosen.
    #[test]
    fn devices_and_metrics_are_shown() {
        let mut app = app();
        press(&mut app, &[KeyCode::Right]);
        let text = screen(&mut app, 120, 24);
        for part in [
            "1 of 2 devices live",
            "● e601",
            "○ e602",
            "up 8 s",
            "boots 2, lost 3",
            "silent 1 min 15 s",
            "motor.heat{axis=x\\u{1b}[2J}",
            "36.5 celsius",
            "8000",
            "1000/s",
            "24.6 µs",
            "1.1 ms",
            "▁▁▁▁▁▁",
            "sorted by name",
        ] {
            assert!(text.contains(part), "{part:?} in\n{text}");
        }
        assert!(!text.contains('\u{1b}'), "an escape reached the terminal");
    }

    /// The chart of a distribution, its buckets, and the way back.
    #[test]
    fn distributions_have_charts() {
        let mut app = app();
        press(&mut app, &[KeyCode::Right, KeyCode::Down, KeyCode::Enter]);
        let text = screen(&mut app, 120, 40);
        for part in [
            "over time; b: buckets",
            "████████",
            "░░░░░░░░",
            "largest",
            "last 57 s  all time",
            "p99      1.1 ms     1.3 ms",
        ] {
            assert!(text.contains(part), "{part:?} in\n{text}");
        }
        press(&mut app, &[KeyCode::Char('b')]);
        let text = screen(&mut app, 120, 40);
        assert!(
            text.contains("buckets of all time; b: over time") && text.contains(" 8000 █"),
            "{text}"
        );
        press(&mut app, &[KeyCode::Esc, KeyCode::Char('?')]);
        assert!(screen(&mut app, 120, 40).contains("another device"));
    }

    /// Terminals are resized to anything, and nothing may panic there.
    #[test]
    fn every_size_can_be_drawn() {
        for keys in [&[][..], &[KeyCode::Enter], &[KeyCode::Char('b')], &[KeyCode::Char('?')]] {
            let mut app = app();
            press(&mut app, &[KeyCode::Right, KeyCode::Down]);
            press(&mut app, keys);
            for width in [1, 2, 7, 24, 56, 79, 80, 81, 200] {
                for height in [1, 2, 3, 5, 10, 11, 12, 24, 70] {
                    screen(&mut app, width, height);
                }
            }
        }
        screen(&mut App::new(""), 80, 24);
    }

    /// What was heard stays there while a gateway is away, with the reason.
    #[test]
    fn trouble_is_shown_beside_the_last_numbers() {
        let mut app = app();
        app.take(Err("no answer from http://x".to_owned()));
        let text = screen(&mut app, 120, 24);
        assert!(text.contains("no answer from http://x") && text.contains("motor.loops"), "{text}");
        app.take(Ok(look(10)));
        assert!(!screen(&mut app, 120, 24).contains("no answer"));
        assert_eq!((duration(59.9), duration(90_000.0)), ("59 s".to_owned(), "1 d 1 h".to_owned()));
    }
}
