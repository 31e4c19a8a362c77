//! The state of the view, and what keys do to it.

use std::cmp::Ordering;

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::look::{Look, Metric};
use super::past::Pasts;
use super::source::Answer;

/// Rows that a page key moves.
const PAGE: isize = 10;

/// What to do after a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    Go,
    End,
}

/// By what metrics are sorted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sort {
    Name,
    Value,
    Rate,
    P99,
}

impl Sort {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Value => "value",
            Self::Rate => "rate",
            Self::P99 => "p99",
        }
    }

    const fn next(self) -> Self {
        match self {
            Self::Name => Self::Value,
            Self::Value => Self::Rate,
            Self::Rate => Self::P99,
            Self::P99 => Self::Name,
        }
    }
}

/// What is shown of the chosen metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Detail {
    None,
    /// Values over time; of distributions, buckets over time.
    Chart,
    /// Of distributions, the buckets of all time.
    Buckets,
}

/// The state of the view.
#[derive(Debug)]
pub(super) struct App {
    pub(super) source: String,
    pub(super) look: Look,
    pub(super) pasts: Pasts,
    /// What is wrong with the source now.
    pub(super) trouble: Option<String>,
    /// Name of the section that is shown; the first one until somebody chooses.
    section: Option<String>,
    pub(super) sort: Sort,
    is_reversed: bool,
    pub(super) filter: String,
    pub(super) is_filtering: bool,
    pub(super) cursor: usize,
    pub(super) detail: Detail,
    pub(super) is_helping: bool,
}

impl App {
    pub(super) fn new(source: &str) -> Self {
        Self {
            source: source.to_owned(),
            look: Look::default(),
            pasts: Pasts::default(),
            trouble: None,
            section: None,
            sort: Sort::Name,
            is_reversed: false,
            filter: String::new(),
            is_filtering: false,
            cursor: 0,
            detail: Detail::None,
            is_helping: false,
        }
    }

    /// Takes in a look, or why there is none.
    pub(super) fn take(&mut self, answer: Answer) {
        match answer {
            Ok(look) => {
                self.pasts.take(&look);
                (self.look, self.trouble) = (look, None);
            }
            Err(trouble) => self.trouble = Some(trouble),
        }
    }

    /// Returns the position of the section that is shown.
    pub(super) fn section(&self) -> usize {
        let is_chosen = |name: &String| self.section.as_ref() == Some(name);
        self.look.sections.iter().position(|section| is_chosen(&section.name)).unwrap_or(0)
    }

    /// Returns the metrics that are shown, in their order.
    pub(super) fn rows(&self) -> Vec<&Metric> {
        let Some(section) = self.look.sections.get(self.section()) else { return Vec::new() };
        let filter = self.filter.to_lowercase();
        let words: Vec<_> = filter.split_whitespace().collect();
        let is_wanted = |metric: &&Metric| {
            let name = metric.name.to_lowercase();
            metric.section == section.name && words.iter().all(|word| name.contains(word))
        };
        let mut rows: Vec<_> = self.look.metrics.iter().filter(is_wanted).collect();
        rows.sort_by(|a, b| {
            let order = self.order(a, b);
            if self.is_reversed { order.reverse() } else { order }
        });
        rows
    }

    fn order(&self, a: &Metric, b: &Metric) -> Ordering {
        let number = |metric: &Metric| match self.sort {
            Sort::Name => None,
            Sort::Value => metric.number(),
            Sort::Rate => self.pasts.rate(metric),
            Sort::P99 => metric.quantile("q99"),
        };
        let (a_number, b_number) = (number(a), number(b));
        // The largest first; what has no number comes last.
        let by_number = b_number.partial_cmp(&a_number).unwrap_or(Ordering::Equal);
        by_number.then_with(|| a.name.cmp(&b.name))
    }

    /// Returns the metric under the cursor.
    pub(super) fn chosen(&self) -> Option<&Metric> {
        let rows = self.rows();
        rows.get(self.cursor.min(rows.len().saturating_sub(1))).copied()
    }

    /// Acts on a key.
    pub(super) fn key(&mut self, key: KeyEvent) -> Next {
        let is_control = key.modifiers.contains(KeyModifiers::CONTROL);
        if is_control && matches!(key.code, KeyCode::Char('c' | 'd')) {
            return Next::End;
        }
        if self.is_helping {
            self.is_helping = false;
        } else if self.is_filtering {
            self.filter_key(key.code);
        } else {
            return self.plain_key(key.code);
        }
        Next::Go
    }

    fn filter_key(&mut self, key: KeyCode) {
        match key {
            KeyCode::Char(c) => self.filter.push(c),
            KeyCode::Backspace => drop(self.filter.pop()),
            KeyCode::Esc => {
                self.filter.clear();
                self.is_filtering = false;
            }
            KeyCode::Enter | KeyCode::Down => self.is_filtering = false,
            _ => return,
        }
        self.cursor = 0;
    }

    fn plain_key(&mut self, key: KeyCode) -> Next {
        match key {
            KeyCode::Char('q') => return Next::End,
            KeyCode::Down | KeyCode::Char('j') => self.step(1),
            KeyCode::Up | KeyCode::Char('k') => self.step(-1),
            KeyCode::PageDown => self.step(PAGE),
            KeyCode::PageUp => self.step(-PAGE),
            KeyCode::Home => self.cursor = 0,
            KeyCode::End => self.step(isize::MAX),
            KeyCode::Left | KeyCode::BackTab => self.step_section(-1),
            KeyCode::Right | KeyCode::Tab => self.step_section(1),
            KeyCode::Enter => {
                self.detail = if self.detail == Detail::None { Detail::Chart } else { Detail::None }
            }
            KeyCode::Char('b') => {
                self.detail = match self.detail {
                    Detail::Buckets => Detail::Chart,
                    _ => Detail::Buckets,
                }
            }
            KeyCode::Esc if self.detail != Detail::None => self.detail = Detail::None,
            KeyCode::Esc => self.filter.clear(),
            KeyCode::Char('/') => self.is_filtering = true,
            KeyCode::Char('s') => self.sort = self.sort.next(),
            KeyCode::Char('r') => self.is_reversed = !self.is_reversed,
            KeyCode::Char('?' | 'h') => self.is_helping = true,
            _ => {}
        }
        Next::Go
    }

    fn step(&mut self, by: isize) {
        let last = self.rows().len().saturating_sub(1);
        self.cursor = self.cursor.min(last).saturating_add_signed(by).min(last);
    }

    fn step_section(&mut self, by: isize) {
        let at = self.section().saturating_add_signed(by);
        if let Some(section) = self.look.sections.get(at) {
            self.section = Some(section.name.clone());
            self.cursor = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

    use super::{App, Next};
    use crate::top::look::tests::look;

    fn press(app: &mut App, keys: &str) {
        for c in keys.chars() {
            let code = match c {
                '\n' => KeyCode::Enter,
                '>' => KeyCode::Right,
                'v' => KeyCode::Down,
                c => KeyCode::Char(c),
            };
            assert_eq!(app.key(KeyEvent::new(code, KeyModifiers::NONE)), Next::Go);
        }
    }

    fn names(app: &App) -> Vec<&str> {
        app.rows().iter().map(|metric| metric.name.as_str()).collect()
    }

    /// Whoever looks for one metric among hundreds needs these to work.
    #[test]
    fn keys_choose_sort_and_filter() {
        let mut app = App::new("test");
        (0..4).for_each(|seconds| app.take(Ok(look(seconds))));
        assert_eq!(names(&app), ["motor.loops"], "the sum comes first");
        press(&mut app, ">");
        assert_eq!(names(&app)[1..], ["motor.loop_time", "motor.loops"]);
        press(&mut app, "s");
        assert_eq!(names(&app)[0], "motor.loop_time", "3000, as the loops, and before by name");
        press(&mut app, "r");
        assert!(names(&app)[0].starts_with("motor.heat"));
        press(&mut app, "rsssvv/LOOP");
        assert_eq!((names(&app), app.cursor), (vec!["motor.loop_time", "motor.loops"], 0));
        press(&mut app, "\nv");
        assert_eq!(app.chosen().map(|metric| metric.name.as_str()), Some("motor.loops"));
        press(&mut app, ">>>");
        assert_eq!(names(&app), Vec::<&str>::new(), "there is none of that name");
        assert!(app.chosen().is_none());
        let control = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
        assert_eq!(app.key(control), Next::End);
    }
}
