//! PostgreSQL's statements as SQLite takes them.
//!
//! Casts go (types are applied where values leave), functions of the session and the time become
//! their values, and an INSERT is given the defaults of the columns that it leaves out. What
//! comes out is deterministic: executed again on a copy, it gives the same rows.

use rusqlite::types::Value;

use super::engine::{Bound, Catalogue, Change};
use super::fault::SqlFault;
use super::functions::{self, Context};
use super::statement::{self, Table, Verb};
use super::token::{Token, text_of};
use super::types;

/// A statement with its parameters, ready for any copy of the database.
pub(super) fn bind(
    tokens: &[Token],
    verb: Verb,
    parameters: Vec<Value>,
    catalogue: &Catalogue,
    context: &Context,
) -> Result<Bound, SqlFault> {
    let tokens = plain(tokens, context)?;
    let bound = |texts: Vec<String>, change: Option<Change>| Bound { verb, texts, parameters, change };
    Ok(match verb {
        Verb::CreateTable => {
            let (table, lenient, text) = statement::create_table(&tokens)?;
            if lenient && catalogue.contains_key(&table.name) {
                return Ok(bound(Vec::new(), None));
            }
            bound(vec![text_of(&text)], Some(Change::Create(table)))
        }
        Verb::DropTable => {
            let (lenient, names) = dropped(&tokens);
            let condition = if lenient { "if exists" } else { "" };
            let texts =
                names.iter().map(|name| format!("drop table {condition} {}", Token::Quoted(name.clone())));
            bound(texts.collect(), Some(Change::Drop(names)))
        }
        Verb::Truncate => {
            let names = named_tables(&tokens[1..]);
            let texts = names.iter().map(|name| format!("delete from {}", Token::Quoted(name.clone())));
            bound(texts.collect(), None)
        }
        Verb::Insert => bound(vec![text_of(&insert(tokens, catalogue, context)?)], None),
        _ => bound(vec![text_of(&tokens)], None),
    })
}

/// Without casts and schema names, and with values for the functions that depend on the moment.
fn plain(tokens: &[Token], context: &Context) -> Result<Vec<Token>, SqlFault> {
    let mut text: Vec<Token> = Vec::with_capacity(tokens.len());
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        let next_is = |symbol: &str| tokens.get(at + 1).is_some_and(|next| next.is_symbol(symbol));
        match token {
            Token::Symbol(symbol) if symbol == "::" => {
                let (_, taken) = cast(&tokens[at + 1..])?;
                at += 1 + taken;
                continue;
            }
            Token::Word(word) if matches!(word.as_str(), "public" | "pg_catalog") && next_is(".") => {
                at += 2;
                continue;
            }
            Token::Word(word) if word == "ilike" => text.push(Token::Word("like".into())),
            Token::Word(word) if word == "recursive" => return Err(SqlFault::unsupported("WITH RECURSIVE")),
            Token::Word(word) if next_is("(") => {
                let (arguments, after) = statement::parenthesised(&tokens[at + 1..])?;
                if let Some(value) = functions::value(word, arguments, context) {
                    text.push(literal(value));
                    at += 1 + after;
                    continue;
                }
                text.push(token.clone());
            }
            Token::Word(word)
                if functions::bare(word) && !text.last().is_some_and(|last| last.is_symbol(".")) =>
            {
                text.push(functions::value(word, &[], context).map_or_else(|| token.clone(), literal));
            }
            _ => text.push(token.clone()),
        }
        at += 1;
    }
    Ok(text)
}

/// The type after `::`.
pub(super) fn cast(tokens: &[Token]) -> Result<(pgwire::api::Type, usize), SqlFault> {
    let Some(found) = types::named(tokens) else {
        let name = tokens.first().map(ToString::to_string).unwrap_or_default();
        return Err(SqlFault::new("42704", format!("type \"{name}\" does not exist in the lab's database")));
    };
    if tokens.get(found.1).is_some_and(|token| token.is_symbol("[")) {
        return Err(SqlFault::unsupported("an array"));
    }
    Ok(found)
}

fn literal(value: Value) -> Token {
    match value {
        Value::Integer(number) => Token::Number(number.to_string()),
        Value::Real(number) => Token::Number(number.to_string()),
        Value::Text(text) => Token::Text(text),
        Value::Null | Value::Blob(_) => Token::Word("null".into()),
    }
}

fn dropped(tokens: &[Token]) -> (bool, Vec<String>) {
    let rest = &tokens[2.min(tokens.len())..];
    let lenient = rest.first().is_some_and(|token| token.is("if"));
    (lenient, named_tables(&rest[if lenient { 2.min(rest.len()) } else { 0 }..]))
}

fn named_tables(tokens: &[Token]) -> Vec<String> {
    let noise = ["table", "only", "cascade", "restrict", "restart", "continue", "identity"];
    let names = tokens.iter().filter(|token| !noise.iter().any(|word| token.is(word)));
    names.filter_map(Token::name).map(str::to_owned).collect()
}

/// The parts of an INSERT.
struct Insert<'a> {
    head: &'a [Token],
    given: Option<Vec<String>>,
    body: &'a [Token],
    /// `on conflict` and `returning`.
    tail: &'a [Token],
}

impl<'a> Insert<'a> {
    fn of(tokens: &'a [Token]) -> Result<Insert<'a>, SqlFault> {
        let mut at = 3;
        if tokens.get(at).is_some_and(|token| token.is("as")) {
            at += 2;
        }
        let head = tokens.get(..at).ok_or_else(SqlFault::end_of_input)?;
        let mut given = None;
        let opens = tokens.get(at).is_some_and(|token| token.is_symbol("("));
        if opens && !tokens.get(at + 1).is_some_and(|token| token.is("select") || token.is_symbol("(")) {
            let (names, after) = statement::parenthesised(&tokens[at..])?;
            given = Some(names.iter().filter_map(Token::name).map(str::to_owned).collect());
            at += after;
        }
        let rest = &tokens[at..];
        let tail = rest.iter().enumerate().position(|(index, token)| {
            let conflict = token.is("on") && rest.get(index + 1).is_some_and(|next| next.is("conflict"));
            conflict || token.is("returning")
        });
        let (body, tail) = rest.split_at(tail.unwrap_or(rest.len()));
        Ok(Insert { head, given, body, tail })
    }
}

/// An INSERT that says every column that has a default.
fn insert(tokens: Vec<Token>, catalogue: &Catalogue, context: &Context) -> Result<Vec<Token>, SqlFault> {
    let table = tokens.get(2).and_then(Token::name).and_then(|name| catalogue.get(name));
    let Some(table) = table else { return Ok(tokens) };
    let parts = Insert::of(&tokens)?;
    let first = parts.body.first().ok_or_else(SqlFault::end_of_input)?;
    if first.is("values") {
        return rows(&parts, table, context);
    }
    let (names, values) = defaults(table, parts.given.as_deref().unwrap_or_default(), context)?;
    if first.is("default") {
        if names.is_empty() {
            return Ok(tokens);
        }
        let mut text = with_columns(parts.head, &names);
        text.push(Token::Word("values".into()));
        text.extend(bracketed(&values));
        text.extend_from_slice(parts.tail);
        return Ok(text);
    }
    if parts.given.is_none() || names.is_empty() {
        return Ok(tokens);
    }
    let mut columns = parts.given.clone().unwrap_or_default();
    columns.extend(names);
    let mut text = with_columns(parts.head, &columns);
    text.extend(["select", "q"].map(|word| Token::Word(word.into())));
    text.extend([Token::symbol("."), Token::symbol("*")]);
    for value in &values {
        text.push(Token::symbol(","));
        text.extend_from_slice(value);
    }
    text.extend([Token::Word("from".into()), Token::symbol("(")]);
    text.extend_from_slice(parts.body);
    text.extend([Token::symbol(")"), Token::Word("as".into()), Token::Word("q".into())]);
    text.extend(["where", "true"].map(|word| Token::Word(word.into())));
    text.extend_from_slice(parts.tail);
    Ok(text)
}

/// `insert … values (…), (…)`.
fn rows(parts: &Insert<'_>, table: &Table, context: &Context) -> Result<Vec<Token>, SqlFault> {
    let groups = statement::split(&parts.body[1..]);
    let mut lines = Vec::new();
    for group in groups {
        let first = group.first().ok_or_else(SqlFault::end_of_input)?;
        if !first.is_symbol("(") {
            return Err(SqlFault::near(&first.to_string()));
        }
        let (inner, after) = statement::parenthesised(group)?;
        if let Some(extra) = group.get(after) {
            return Err(SqlFault::near(&extra.to_string()));
        }
        lines.push(statement::split(inner));
    }
    let width = lines.first().map_or(0, Vec::len);
    let given = match &parts.given {
        Some(given) => given.clone(),
        None => table.columns.iter().take(width).map(|column| column.name.clone()).collect(),
    };
    if lines.iter().any(|line| line.len() != width) {
        return Err(SqlFault::syntax("VALUES lists must all be the same length"));
    }
    if width > given.len() {
        return Err(SqlFault::syntax("INSERT has more expressions than target columns"));
    }
    if width < given.len() {
        return Err(SqlFault::syntax("INSERT has more target columns than expressions"));
    }
    let (names, values) = defaults(table, &given, context)?;
    let mut columns = given.clone();
    columns.extend(names);
    let mut text = with_columns(parts.head, &columns);
    text.push(Token::Word("values".into()));
    for (index, line) in lines.iter().enumerate() {
        if index > 0 {
            text.push(Token::symbol(","));
        }
        let mut row = Vec::new();
        for (expression, name) in line.iter().zip(&given) {
            row.push(match expression {
                [token] if token.is("default") => default_of(table, name, context)?,
                other => other.to_vec(),
            });
        }
        row.extend(values.iter().cloned());
        text.extend(bracketed(&row));
    }
    text.extend_from_slice(parts.tail);
    Ok(text)
}

fn default_of(table: &Table, name: &str, context: &Context) -> Result<Vec<Token>, SqlFault> {
    match table.column(name).and_then(|column| column.default.as_ref()) {
        Some(default) => plain(default, context),
        None => Ok(vec![Token::Word("null".into())]),
    }
}

/// The columns that have a default and are not `given`, and their values.
fn defaults(
    table: &Table,
    given: &[String],
    context: &Context,
) -> Result<(Vec<String>, Vec<Vec<Token>>), SqlFault> {
    let left_out = table.columns.iter().filter(|column| !given.contains(&column.name));
    let mut found = (Vec::new(), Vec::new());
    for column in left_out {
        if let Some(default) = &column.default {
            found.0.push(column.name.clone());
            found.1.push(plain(default, context)?);
        }
    }
    Ok(found)
}

fn with_columns(head: &[Token], columns: &[String]) -> Vec<Token> {
    let mut text = head.to_vec();
    let names: Vec<Vec<Token>> = columns.iter().map(|name| vec![Token::Quoted(name.clone())]).collect();
    text.extend(bracketed(&names));
    text
}

fn bracketed(parts: &[Vec<Token>]) -> Vec<Token> {
    let mut text = vec![Token::symbol("(")];
    for (index, part) in parts.iter().enumerate() {
        if index > 0 {
            text.push(Token::symbol(","));
        }
        text.extend_from_slice(part);
    }
    text.push(Token::symbol(")"));
    text
}
