//! SQL text into tokens, and tokens back into text.
//!
//! It knows PostgreSQL's lexical rules (comments, dollar quoting, `$1`, `::`) and nothing of
//! statements or of SQLite.

use std::fmt;

use super::fault::SqlFault;

/// A lexical unit of PostgreSQL's SQL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Token {
    /// A keyword or an unquoted name, folded to lower case.
    Word(String),
    /// A name in double quotes.
    Quoted(String),
    /// A string literal.
    Text(String),
    /// A number as it was written.
    Number(String),
    /// `$1` is 1.
    Param(usize),
    /// Punctuation and operators.
    Symbol(String),
}

impl Token {
    /// The symbol `text` (used when statements are put together).
    pub(super) fn symbol(text: &str) -> Token {
        Token::Symbol(text.to_owned())
    }

    /// Whether this is the keyword `word`.
    pub(super) fn is(&self, word: &str) -> bool {
        matches!(self, Token::Word(text) if text == word)
    }

    /// Whether this is the symbol `text`.
    pub(super) fn is_symbol(&self, text: &str) -> bool {
        matches!(self, Token::Symbol(symbol) if symbol == text)
    }

    /// The name that this token can stand for.
    pub(super) fn name(&self) -> Option<&str> {
        match self {
            Token::Word(text) | Token::Quoted(text) => Some(text),
            _ => None,
        }
    }
}

impl fmt::Display for Token {
    /// As SQLite reads it: a parameter is `?1`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Token::Word(text) | Token::Number(text) | Token::Symbol(text) => f.write_str(text),
            Token::Quoted(text) => write!(f, "\"{}\"", text.replace('"', "\"\"")),
            Token::Text(text) => write!(f, "'{}'", text.replace('\'', "''")),
            Token::Param(number) => write!(f, "?{number}"),
        }
    }
}

/// Tokens as SQLite's text.
pub(super) fn text_of(tokens: &[Token]) -> String {
    let mut text = String::new();
    for token in tokens {
        if !text.is_empty() {
            text.push(' ');
        }
        text.push_str(&token.to_string());
    }
    text
}

/// Splits `sql` into statements of tokens; empty statements are left out.
pub(super) fn statements(sql: &str) -> Result<Vec<Vec<Token>>, SqlFault> {
    let mut found = Vec::new();
    let mut current = Vec::new();
    for token in tokens(sql)? {
        if token.is_symbol(";") {
            if !current.is_empty() {
                found.push(std::mem::take(&mut current));
            }
        } else {
            current.push(token);
        }
    }
    if !current.is_empty() {
        found.push(current);
    }
    Ok(found)
}

/// All tokens of `sql`.
pub(super) fn tokens(sql: &str) -> Result<Vec<Token>, SqlFault> {
    let mut lexer = Lexer { rest: sql };
    let mut found = Vec::new();
    while let Some(token) = lexer.next_token()? {
        found.push(token);
    }
    Ok(found)
}

struct Lexer<'a> {
    rest: &'a str,
}

const OPERATORS: [&str; 10] = ["->>", "::", "<=", ">=", "<>", "!=", "||", "->", ":=", "=>"];

impl Lexer<'_> {
    fn next_token(&mut self) -> Result<Option<Token>, SqlFault> {
        self.skip_blanks()?;
        let Some(first) = self.rest.chars().next() else { return Ok(None) };
        let token = match first {
            '\'' => Token::Text(self.quoted('\'', false)?),
            'e' | 'E' if self.rest[1..].starts_with('\'') => {
                self.rest = &self.rest[1..];
                Token::Text(self.quoted('\'', true)?)
            }
            '"' => Token::Quoted(self.quoted('"', false)?),
            '$' => self.dollar()?,
            c if c.is_ascii_digit() => Token::Number(self.number()),
            '.' if self.rest[1..].starts_with(|c: char| c.is_ascii_digit()) => Token::Number(self.number()),
            c if c.is_alphabetic() || c == '_' => {
                let word = self.take_while(|c| c.is_alphanumeric() || c == '_' || c == '$');
                Token::Word(word.to_lowercase())
            }
            _ => self.operator(first),
        };
        Ok(Some(token))
    }

    fn skip_blanks(&mut self) -> Result<(), SqlFault> {
        loop {
            self.rest = self.rest.trim_start();
            if self.rest.starts_with("--") {
                self.rest = self.rest.find('\n').map_or("", |end| &self.rest[end..]);
            } else if self.rest.starts_with("/*") {
                let Some(end) = self.rest.find("*/") else {
                    return Err(SqlFault::syntax("unterminated /* comment"));
                };
                self.rest = &self.rest[end + 2..];
            } else {
                return Ok(());
            }
        }
    }

    fn take_while(&mut self, wanted: impl Fn(char) -> bool) -> String {
        let end = self.rest.find(|c| !wanted(c)).unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at(end);
        self.rest = rest;
        taken.to_owned()
    }

    /// The text between two `quote`s, where a doubled quote is a quote.
    fn quoted(&mut self, quote: char, escapes: bool) -> Result<String, SqlFault> {
        let mut text = String::new();
        let mut chars = self.rest.char_indices().skip(1).peekable();
        while let Some((at, c)) = chars.next() {
            if c == '\\' && escapes {
                match chars.next() {
                    Some((_, 'n')) => text.push('\n'),
                    Some((_, 't')) => text.push('\t'),
                    Some((_, 'r')) => text.push('\r'),
                    Some((_, other)) => text.push(other),
                    None => break,
                }
            } else if c != quote {
                text.push(c);
            } else if matches!(chars.peek(), Some((_, next)) if *next == quote) {
                chars.next();
                text.push(quote);
            } else {
                self.rest = &self.rest[at + 1..];
                return Ok(text);
            }
        }
        let what = if quote == '"' { "identifier" } else { "string" };
        Err(SqlFault::syntax(&format!("unterminated quoted {what}")))
    }

    /// `$1`, or a dollar-quoted string.
    fn dollar(&mut self) -> Result<Token, SqlFault> {
        let rest = &self.rest[1..];
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        if digits > 0 {
            let number = rest[..digits].parse().ok().filter(|number| (1..=1000).contains(number));
            self.rest = &rest[digits..];
            return number
                .map(Token::Param)
                .ok_or_else(|| SqlFault::new("42P02", "there is no such parameter: use $1 to $1000"));
        }
        let tag = rest.find('$').filter(|end| rest[..*end].chars().all(|c| c.is_alphanumeric() || c == '_'));
        let Some(tag) = tag else { return Err(SqlFault::near("$")) };
        let mark = &self.rest[..tag + 2];
        let body = &self.rest[mark.len()..];
        let Some(end) = body.find(mark) else {
            return Err(SqlFault::syntax("unterminated dollar-quoted string"));
        };
        let text = body[..end].to_owned();
        self.rest = &body[end + mark.len()..];
        Ok(Token::Text(text))
    }

    fn number(&mut self) -> String {
        let mut number = self.take_while(|c| c.is_ascii_digit() || c == '.');
        let exponent = self.rest.strip_prefix(['e', 'E']).map(|after| after.trim_start_matches(['+', '-']));
        if exponent.is_some_and(|digits| digits.starts_with(|c: char| c.is_ascii_digit())) {
            number.push_str(&self.rest[..1]);
            self.rest = &self.rest[1..];
            if self.rest.starts_with(['+', '-']) {
                number.push_str(&self.rest[..1]);
                self.rest = &self.rest[1..];
            }
            number.push_str(&self.take_while(|c| c.is_ascii_digit()));
        }
        number
    }

    fn operator(&mut self, first: char) -> Token {
        let long = OPERATORS.iter().find(|operator| self.rest.starts_with(**operator));
        let length = long.map_or(first.len_utf8(), |operator| operator.len());
        let (symbol, rest) = self.rest.split_at(length);
        self.rest = rest;
        Token::symbol(symbol)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(sql: &str) -> String {
        text_of(&tokens(sql).unwrap())
    }

    #[test]
    fn names_fold_and_parameters_become_sqlite_s() {
        assert_eq!(
            one("INSERT Into T VALUES ($1, 'It''s', \"Big\")"),
            "insert into t values ( ?1 , 'It''s' , \"Big\" )"
        );
        assert_eq!(one("select 1.5e-3, $1::bigint"), "select 1.5e-3 , ?1 :: bigint");
        assert_eq!(one("select E'a\\'b', $x$it's$x$"), "select 'a''b' , 'it''s'");
    }

    #[test]
    fn comments_and_empty_statements_vanish() {
        let found = statements("-- note\nselect 1; ; /* two */ select 2;").unwrap();
        assert_eq!(found.len(), 2);
    }

    #[test]
    fn what_does_not_end_is_an_error() {
        for sql in [
            "select 'a",
            "select \"a",
            "/* x",
            "select $t$ a",
            "select $",
            "select $0",
            "select $99999999999999999999",
        ] {
            assert!(tokens(sql).is_err(), "{sql}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_panics(sql in "\\PC*") {
            let _ = statements(&sql);
        }
    }
}
