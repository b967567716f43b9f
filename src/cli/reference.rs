//! The reference of actions and probes, printed from the declarations that decode them.

use std::io::{self, Write};

use crate::notation::decode::{Alternative, Field, nearest};

/// Prints a line for each alternative, under `title`.
pub(super) fn list(title: &str, all: &[Alternative], out: &mut dyn Write) -> io::Result<()> {
    let width = all.iter().map(|one| one.name.len()).max().unwrap_or_default();
    writeln!(out, "{title}\n")?;
    for one in all {
        writeln!(out, "  {:width$}  {}", one.name, first_clause(one.about))?;
    }
    Ok(())
}

/// The text up to its first full stop, colon or semicolon that is not between backticks.
fn first_clause(text: &str) -> &str {
    let mut quoted = false;
    let end = text.find(|c: char| {
        quoted ^= c == '`';
        !quoted && matches!(c, '.' | ':' | ';')
    });
    text.get(..end.unwrap_or(text.len())).unwrap_or(text)
}

/// Prints everything about one alternative: what it does, its keys, and an example.
pub(super) fn page(
    one: &Alternative,
    extra: &[String],
    example: &str,
    out: &mut dyn Write,
) -> io::Result<()> {
    writeln!(out, "{}\n", one.name)?;
    wrapped(one.about, "  ", out)?;
    if !extra.is_empty() {
        writeln!(out)?;
    }
    for line in extra {
        wrapped(line, "  ", out)?;
    }
    if !one.fields.is_empty() {
        writeln!(out, "\nKeys\n")?;
    }
    for field in &one.fields {
        writeln!(out, "  {}  ({})", field.name, stated(field))?;
        wrapped(field.about, "      ", out)?;
        if field.expects != "text" {
            wrapped(&format!("Written as {}.", field.expects), "      ", out)?;
        }
    }
    writeln!(out, "\nExample\n")?;
    example.lines().try_for_each(|line| writeln!(out, "  {line}"))
}

fn stated(field: &Field) -> String {
    match &field.default {
        Some(default) => format!("default {default}"),
        None if field.required => "required".to_owned(),
        None => "optional".to_owned(),
    }
}

/// Prints a text in lines of up to 96 characters.
pub(super) fn wrapped(text: &str, indent: &str, out: &mut dyn Write) -> io::Result<()> {
    let mut line = String::new();
    for word in text.split_whitespace() {
        if !line.is_empty() && indent.len() + line.chars().count() + 1 + word.chars().count() > 96 {
            writeln!(out, "{indent}{line}")?;
            line.clear();
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    if !line.is_empty() {
        writeln!(out, "{indent}{line}")?;
    }
    Ok(())
}

/// Says that nothing has this name, and what comes near.
pub(super) fn no_such(what: &str, name: &str, known: &[&str], err: &mut dyn Write) -> io::Result<u8> {
    write!(err, "error: no {what} is called `{name}`")?;
    match nearest(name, known) {
        Some(near) => writeln!(err, "; did you mean `{near}`?")?,
        None => writeln!(err, "; there is: {}", known.join(", "))?,
    }
    Ok(2)
}
