//! Plain tables for a terminal: columns aligned by display width, colour only when asked for.
//!
//! Colour is an argument and never asked of the terminal here. It knows nothing of reports.

use anstyle::{AnsiColor, Effects};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// How text for a terminal looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style {
    /// Whether to use colour.
    pub colour: bool,
    /// The widest line, in columns.
    pub width: usize,
}

impl Style {
    /// No colour, 100 columns: for files, pipes and `NO_COLOR`.
    pub const PLAIN: Style = Style { colour: false, width: 100 };

    /// Colour, 100 columns.
    pub const COLOUR: Style = Style { colour: true, width: 100 };

    /// `text` in a tone.
    pub(crate) fn paint(self, text: &str, tone: Tone) -> String {
        let style = match tone {
            Tone::Plain => return text.to_owned(),
            _ if !self.colour || text.trim().is_empty() => return text.to_owned(),
            Tone::Strong => anstyle::Style::new().effects(Effects::BOLD),
            Tone::Quiet => anstyle::Style::new().effects(Effects::DIMMED),
            Tone::Good => AnsiColor::Green.on_default().effects(Effects::BOLD),
            Tone::Bad => AnsiColor::Red.on_default().effects(Effects::BOLD),
            Tone::Unsure => AnsiColor::Yellow.on_default().effects(Effects::BOLD),
            Tone::Calm => AnsiColor::Blue.on_default().effects(Effects::BOLD),
        };
        format!("{}{text}{}", style.render(), style.render_reset())
    }
}

/// What a piece of text means, for its colour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Tone {
    #[default]
    Plain,
    Strong,
    Quiet,
    Good,
    Bad,
    Unsure,
    Calm,
}

/// One cell of a table.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cell {
    text: String,
    tone: Tone,
}

impl Cell {
    /// `text` in a tone.
    pub(crate) fn new(text: impl Into<String>, tone: Tone) -> Cell {
        Cell { text: text.into(), tone }
    }
}

impl<T: Into<String>> From<T> for Cell {
    fn from(text: T) -> Cell {
        Cell::new(text, Tone::Plain)
    }
}

/// Rows of cells, the first row being the head.
#[derive(Default)]
pub(crate) struct Table {
    rows: Vec<Vec<Cell>>,
}

impl Table {
    /// A table with a head.
    pub(crate) fn new(head: &[&str]) -> Table {
        let mut table = Table::default();
        table.rows.push(head.iter().map(|name| Cell::new(*name, Tone::Quiet)).collect());
        table
    }

    /// A table without a head.
    pub(crate) fn bare() -> Table {
        Table::default()
    }

    /// Adds a row.
    pub(crate) fn row(&mut self, cells: Vec<Cell>) {
        self.rows.push(cells);
    }

    /// The lines, each indented, none wider than the style's width.
    pub(crate) fn lines(&self, style: Style, indent: usize) -> Vec<String> {
        let widths = self.widths(style.width.saturating_sub(indent));
        self.rows.iter().map(|row| line(row, &widths, style, indent)).collect()
    }

    fn widths(&self, room: usize) -> Vec<usize> {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let mut widths: Vec<usize> = (0..columns)
            .map(|i| {
                self.rows.iter().filter_map(|row| row.get(i)).map(|cell| cell.text.width()).max().unwrap_or(0)
            })
            .collect();
        let gaps = columns.saturating_sub(1) * GAP;
        while widths.iter().sum::<usize>() + gaps > room {
            let Some(widest) = widths.iter_mut().max() else { break };
            if *widest <= LEAST {
                break;
            }
            *widest -= 1;
        }
        widths
    }
}

/// Columns between two columns.
const GAP: usize = 2;
/// A column is not cut below this.
const LEAST: usize = 6;

fn line(row: &[Cell], widths: &[usize], style: Style, indent: usize) -> String {
    let mut out = " ".repeat(indent);
    for (i, (cell, &width)) in row.iter().zip(widths).enumerate() {
        if i > 0 {
            out.push_str(&" ".repeat(GAP));
        }
        let text = cut(&cell.text, width);
        let pad = width.saturating_sub(text.width());
        out.push_str(&style.paint(&text, cell.tone));
        if i + 1 < row.len() {
            out.push_str(&" ".repeat(pad));
        }
    }
    out.trim_end().to_owned()
}

/// `text` in at most `width` columns, ending with `…` when it was cut.
pub(crate) fn cut(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut out = String::new();
    let mut used = 1;
    for c in text.chars() {
        used += c.width().unwrap_or(0);
        if used > width {
            break;
        }
        out.push(c);
    }
    out.push('…');
    out
}

/// `text` broken at spaces into lines of at most `width` columns; a longer word is broken within.
pub(crate) fn wrap(text: &str, width: usize) -> Vec<String> {
    let width = width.max(LEAST);
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let used = lines.last().map_or(0, |line| line.width());
        if used > 0 && used + 1 + word.width() > width {
            lines.push(String::new());
        }
        if let Some(line) = lines.last_mut()
            && !line.is_empty()
        {
            line.push(' ');
        }
        for c in word.chars() {
            let full = lines.last().is_some_and(|line| line.width() + c.width().unwrap_or(0) > width);
            if full {
                lines.push(String::new());
            }
            if let Some(line) = lines.last_mut() {
                line.push(c);
            }
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_by_display_width() {
        let mut table = Table::new(&["Probe", "n"]);
        table.row(vec!["注文".into(), "1".into()]);
        table.row(vec!["é".into(), "2".into()]);
        assert_eq!(table.lines(Style::PLAIN, 2), ["  Probe  n", "  注文   1", "  é      2"]);
    }

    #[test]
    fn nothing_is_wider_than_asked() {
        let mut table = Table::new(&["A", "B", "C"]);
        table.row(vec!["x".repeat(90).into(), "注".repeat(60).into(), "short".into()]);
        let style = Style { colour: false, width: 40 };
        assert!(table.lines(style, 2).iter().all(|line| line.width() <= 40));
        assert!(wrap(&"word ".repeat(50), 33).iter().all(|line| line.width() <= 33));
        assert!(wrap(&"w".repeat(150), 33).iter().all(|line| line.width() <= 33));
    }

    #[test]
    fn colour_is_an_argument() {
        assert_eq!(Style::PLAIN.paint("x", Tone::Bad), "x");
        assert!(Style::COLOUR.paint("x", Tone::Bad).contains("\u{1b}["));
    }
}
