//! What a statement is: its verb, its command tag, and what CREATE TABLE declares.
//!
//! It knows nothing of SQLite's engine or of sessions.

use pgwire::api::Type;

use super::fault::SqlFault;
use super::token::Token;
use super::types;

/// What a statement does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verb {
    Select,
    Show,
    Set,
    Begin,
    Commit,
    Rollback,
    Deallocate,
    Insert,
    Update,
    Delete,
    Truncate,
    CreateTable,
    CreateIndex,
    DropTable,
    DropIndex,
}

const UNSUPPORTED: [&str; 34] = [
    "alter",
    "analyze",
    "call",
    "checkpoint",
    "close",
    "cluster",
    "comment",
    "copy",
    "create",
    "declare",
    "do",
    "drop",
    "execute",
    "explain",
    "fetch",
    "grant",
    "import",
    "listen",
    "load",
    "lock",
    "merge",
    "move",
    "notify",
    "prepare",
    "reassign",
    "refresh",
    "reindex",
    "release",
    "revoke",
    "savepoint",
    "security",
    "table",
    "unlisten",
    "vacuum",
];

impl Verb {
    /// The verb of a statement.
    pub(super) fn of(tokens: &[Token]) -> Result<Verb, SqlFault> {
        let first = tokens.first().ok_or_else(SqlFault::end_of_input)?;
        let Token::Word(word) = first else {
            if first.is_symbol("(") {
                return Ok(Verb::Select);
            }
            return Err(SqlFault::near(&first.to_string()));
        };
        let object =
            tokens[1..].iter().find(|token| !["unique", "unlogged"].iter().any(|word| token.is(word)));
        let object = object.and_then(Token::name).unwrap_or_default();
        Ok(match (word.as_str(), object) {
            ("select" | "values", _) => Verb::Select,
            ("with", _) => with(tokens)?,
            ("show", _) => Verb::Show,
            ("set" | "reset" | "discard", _) => Verb::Set,
            ("begin" | "start", _) => Verb::Begin,
            ("commit" | "end", _) => Verb::Commit,
            ("rollback" | "abort", "to") => return Err(SqlFault::unsupported("ROLLBACK TO SAVEPOINT")),
            ("rollback" | "abort", _) => Verb::Rollback,
            ("deallocate", _) => Verb::Deallocate,
            ("insert", _) => Verb::Insert,
            ("update", _) => Verb::Update,
            ("delete", _) => Verb::Delete,
            ("truncate", _) => Verb::Truncate,
            ("create", "table") => Verb::CreateTable,
            ("create", "index") => Verb::CreateIndex,
            ("drop", "table") => Verb::DropTable,
            ("drop", "index") => Verb::DropIndex,
            (word, object) if UNSUPPORTED.contains(&word) => {
                let object =
                    if matches!(word, "create" | "drop") { object.to_uppercase() } else { String::new() };
                return Err(SqlFault::unsupported(format!("{} {object}", word.to_uppercase()).trim()));
            }
            (word, _) => return Err(SqlFault::near(word)),
        })
    }

    /// The command's name, as tags and refusals say it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Verb::Select => "SELECT",
            Verb::Show => "SHOW",
            Verb::Set => "SET",
            Verb::Begin => "BEGIN",
            Verb::Commit => "COMMIT",
            Verb::Rollback => "ROLLBACK",
            Verb::Deallocate => "DEALLOCATE",
            Verb::Insert => "INSERT",
            Verb::Update => "UPDATE",
            Verb::Delete => "DELETE",
            Verb::Truncate => "TRUNCATE TABLE",
            Verb::CreateTable => "CREATE TABLE",
            Verb::CreateIndex => "CREATE INDEX",
            Verb::DropTable => "DROP TABLE",
            Verb::DropIndex => "DROP INDEX",
        }
    }

    /// Whether a standby refuses it.
    pub(super) fn writes(self) -> bool {
        matches!(
            self,
            Verb::Insert
                | Verb::Update
                | Verb::Delete
                | Verb::Truncate
                | Verb::CreateTable
                | Verb::CreateIndex
                | Verb::DropTable
                | Verb::DropIndex
        )
    }

    /// Whether the tag carries a count of rows.
    pub(super) fn counts(self) -> bool {
        matches!(self, Verb::Insert | Verb::Update | Verb::Delete | Verb::Select)
    }
}

/// A `with` may end in a query only: a writing one would need another place in the log.
fn with(tokens: &[Token]) -> Result<Verb, SqlFault> {
    let writing = ["insert", "update", "delete"];
    if tokens.iter().any(|token| writing.iter().any(|word| token.is(word))) {
        return Err(SqlFault::unsupported("a writing statement with WITH"));
    }
    Ok(Verb::Select)
}

/// A column as it was declared.
#[derive(Clone, Debug)]
pub(super) struct Column {
    pub(super) name: String,
    pub(super) ty: Type,
    /// The expression of DEFAULT.
    pub(super) default: Option<Vec<Token>>,
}

/// A table as it was declared.
#[derive(Clone, Debug)]
pub(super) struct Table {
    pub(super) name: String,
    pub(super) columns: Vec<Column>,
}

impl Table {
    /// The column called `name`.
    pub(super) fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }
}

/// CREATE TABLE: what it declares, and the statement as SQLite takes it (without the defaults,
/// which an INSERT is given as values, so that every copy of a row is the same).
pub(super) fn create_table(tokens: &[Token]) -> Result<(Table, bool, Vec<Token>), SqlFault> {
    let mut at = tokens.iter().position(|token| token.is("table")).map_or(0, |at| at + 1);
    let lenient = tokens.get(at).is_some_and(|token| token.is("if"));
    if lenient {
        at += 3;
    }
    let name = tokens.get(at).and_then(Token::name).ok_or_else(SqlFault::end_of_input)?.to_owned();
    let open = tokens.get(at + 1).ok_or_else(SqlFault::end_of_input)?;
    if open.is("as") {
        return Err(SqlFault::unsupported("CREATE TABLE AS"));
    }
    if !open.is_symbol("(") {
        return Err(SqlFault::near(&open.to_string()));
    }
    let (inner, after) = parenthesised(&tokens[at + 1..])?;
    if let Some(extra) = tokens.get(at + 1 + after) {
        return Err(SqlFault::unsupported(&format!(
            "{} after a table's columns",
            extra.to_string().to_uppercase()
        )));
    }
    let mut table = Table { name, columns: Vec::new() };
    let mut parts = Vec::new();
    for part in split(inner) {
        let first = part.first().ok_or_else(|| SqlFault::near(")"))?;
        let constraint =
            ["primary", "unique", "check", "constraint", "foreign"].iter().any(|word| first.is(word));
        if constraint {
            parts.push(part.to_vec());
            continue;
        }
        let (column, definition) = column(part)?;
        table.columns.push(column);
        parts.push(definition);
    }
    let mut text = vec![Token::Word("create".into()), Token::Word("table".into())];
    text.push(Token::Quoted(table.name.clone()));
    text.push(Token::symbol("("));
    for (index, part) in parts.into_iter().enumerate() {
        if index > 0 {
            text.push(Token::symbol(","));
        }
        text.extend(part);
    }
    text.extend([Token::symbol(")"), Token::Word("strict".into())]);
    Ok((table, lenient, text))
}

/// One column: its declaration and its text for SQLite.
fn column(part: &[Token]) -> Result<(Column, Vec<Token>), SqlFault> {
    let name = part[0].name().ok_or_else(|| SqlFault::near(&part[0].to_string()))?.to_owned();
    let word = part.get(1).ok_or_else(SqlFault::end_of_input)?;
    let (ty, taken) = types::named(&part[1..]).ok_or_else(|| {
        SqlFault::new("42704", format!("type \"{}\" does not exist in the lab's database", word))
    })?;
    let serial = ["serial", "serial4", "bigserial", "serial8"].iter().any(|name| word.is(name));
    let mut rest = part[1 + taken..].to_vec();
    let generated = rest.iter().position(|token| token.is("generated"));
    if let Some(from) = generated {
        let to = rest.iter().position(|token| token.is("identity"));
        let to = to.ok_or_else(|| SqlFault::unsupported("a generated column"))?;
        rest.drain(from..=to);
    }
    let numbered = serial || generated.is_some();
    if numbered && !rest.iter().any(|token| token.is("primary")) {
        return Err(SqlFault::unsupported("a sequence on a column that is not the primary key"));
    }
    let default = take_default(&mut rest)?;
    let kept = if numbered { "INTEGER" } else { types::stored(&ty) };
    let mut text = vec![Token::Quoted(name.clone()), Token::Word(kept.into())];
    text.extend(rest);
    Ok((Column { name, ty, default }, text))
}

/// Takes `default <expression>` out of a column's constraints.
fn take_default(rest: &mut Vec<Token>) -> Result<Option<Vec<Token>>, SqlFault> {
    let Some(from) = rest.iter().position(|token| token.is("default")) else { return Ok(None) };
    let ends = ["not", "null", "primary", "unique", "check", "references", "constraint", "collate"];
    let mut depth = 0i32;
    let mut to = from + 1;
    while let Some(token) = rest.get(to) {
        let first = to == from + 1;
        if depth == 0 && !first && ends.iter().any(|word| token.is(word)) {
            break;
        }
        depth += i32::from(token.is_symbol("(")) - i32::from(token.is_symbol(")"));
        to += 1;
    }
    let expression: Vec<Token> = rest.drain(from..to).skip(1).collect();
    if expression.is_empty() {
        return Err(SqlFault::end_of_input());
    }
    Ok(Some(expression))
}

/// The tokens between the bracket that `tokens` starts with and the one that closes it, and the
/// index after that.
pub(super) fn parenthesised(tokens: &[Token]) -> Result<(&[Token], usize), SqlFault> {
    let mut depth = 0usize;
    for (index, token) in tokens.iter().enumerate() {
        if token.is_symbol("(") {
            depth += 1;
        } else if token.is_symbol(")") {
            depth = depth.checked_sub(1).ok_or_else(|| SqlFault::near(")"))?;
            if depth == 0 {
                return Ok((&tokens[1..index], index + 1));
            }
        }
    }
    Err(SqlFault::end_of_input())
}

/// `tokens` split at the commas outside brackets.
pub(super) fn split(tokens: &[Token]) -> Vec<&[Token]> {
    let mut parts = Vec::new();
    let (mut depth, mut from) = (0i32, 0);
    for (index, token) in tokens.iter().enumerate() {
        depth += i32::from(token.is_symbol("(")) - i32::from(token.is_symbol(")"));
        if depth == 0 && token.is_symbol(",") {
            parts.push(&tokens[from..index]);
            from = index + 1;
        }
    }
    parts.push(&tokens[from..]);
    parts
}

/// The index of the first token outside brackets that is one of `words`.
pub(super) fn find(tokens: &[Token], words: &[&str]) -> Option<usize> {
    let mut depth = 0i32;
    tokens.iter().position(|token| {
        depth += i32::from(token.is_symbol("(")) - i32::from(token.is_symbol(")"));
        depth == 0 && words.iter().any(|word| token.is(word))
    })
}

#[cfg(test)]
mod tests {
    use super::super::token::{text_of, tokens};
    use super::*;

    #[test]
    fn a_table_loses_its_defaults_and_keeps_its_types() {
        let sql = "create table if not exists t (seq bigint primary key, at timestamptz not null default clock_timestamp(), \
                   by inet default inet_server_addr(), ok boolean default true, primary key (seq, at))";
        let (table, lenient, text) = create_table(&tokens(sql).unwrap()).unwrap();
        assert!(lenient);
        assert_eq!(table.name, "t");
        assert_eq!(table.column("at").unwrap().ty, Type::TIMESTAMPTZ);
        assert_eq!(text_of(table.column("ok").unwrap().default.as_ref().unwrap()), "true");
        assert_eq!(
            text_of(&text),
            "create table \"t\" ( \"seq\" INT primary key , \"at\" TEXT not null , \"by\" TEXT , \"ok\" INT , \
             primary key ( seq , at ) ) strict"
        );
    }

    #[test]
    fn verbs() {
        let verb = |sql: &str| Verb::of(&tokens(sql).unwrap());
        assert_eq!(verb("SELECT 1"), Ok(Verb::Select));
        assert_eq!(verb("create unlogged table t (a int)"), Ok(Verb::CreateTable));
        assert_eq!(verb("vacuum").unwrap_err().code, "0A000");
        assert_eq!(verb("create role x").unwrap_err().code, "0A000");
        assert_eq!(verb("selct 1").unwrap_err().message, "syntax error at or near \"selct\"");
        assert_eq!(verb("rollback to a").unwrap_err().code, "0A000");
    }

    #[test]
    fn broken_tables_are_errors() {
        for sql in [
            "create table",
            "create table t",
            "create table t (",
            "create table t ()",
            "create table t (a)",
            "create table t (a blob7)",
            "create table t (a int) partition by range (a)",
        ] {
            assert!(create_table(&tokens(sql).unwrap()).is_err(), "{sql}");
        }
    }
}
