//! What a statement takes and gives, before it is executed: the types of its parameters and the
//! names and types of its columns.
//!
//! Clients of the extended protocol ask this first and bind and read in binary by the answer.
//! Types are found from the declared columns, from casts and from the functions' results; what
//! cannot be told is text.

use pgwire::api::Type;

use super::engine::Catalogue;
use super::functions;
use super::statement::{self, Column, Table, Verb};
use super::token::Token;
use super::translate::cast;

/// A column of a result.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Field {
    pub(super) name: String,
    pub(super) ty: Type,
}

impl Field {
    /// A column of text.
    pub(super) fn text(name: &str) -> Field {
        Field { name: name.to_owned(), ty: Type::TEXT }
    }
}

/// Tables that a statement can name columns of, by the name that they have in it.
type Sources = Vec<(String, Table)>;

const CLAUSES: [&str; 12] = [
    "where",
    "group",
    "order",
    "having",
    "limit",
    "offset",
    "union",
    "except",
    "intersect",
    "window",
    "fetch",
    "for",
];

/// The columns that a statement gives; `None` when they cannot be told from its text.
pub(super) fn columns(tokens: &[Token], verb: Verb, catalogue: &Catalogue) -> Option<Vec<Field>> {
    match verb {
        Verb::Select => selected(tokens, catalogue),
        Verb::Insert | Verb::Update | Verb::Delete => {
            let Some(returning) = statement::find(tokens, &["returning"]) else { return Some(Vec::new()) };
            fields(&tokens[returning + 1..], &sources(tokens, catalogue), catalogue)
        }
        Verb::Show => Some(vec![Field::text(&setting(tokens))]),
        _ => Some(Vec::new()),
    }
}

/// The name after SHOW.
pub(super) fn setting(tokens: &[Token]) -> String {
    let words: Vec<&str> = tokens.iter().skip(1).filter_map(Token::name).collect();
    match words.as_slice() {
        ["time", "zone"] => "TimeZone".to_owned(),
        ["transaction", "isolation", "level"] => "transaction_isolation".to_owned(),
        words => words.join("."),
    }
}

fn selected(tokens: &[Token], catalogue: &Catalogue) -> Option<Vec<Field>> {
    if tokens.first()?.is_symbol("(") {
        let (inner, _) = statement::parenthesised(tokens).ok()?;
        return selected(inner, catalogue);
    }
    if tokens.first()?.is("values") {
        let (first, _) = statement::parenthesised(&tokens[1..]).ok()?;
        let row = statement::split(first);
        let named = row.iter().enumerate().map(|(index, item)| {
            let field = field(item, &Sources::new(), catalogue)?;
            Some(Field { name: format!("column{}", index + 1), ty: field.ty })
        });
        return named.collect();
    }
    if !tokens.first()?.is("select") {
        return None;
    }
    let skip = tokens.iter().skip(1).take_while(|token| token.is("distinct") || token.is("all")).count();
    let body = &tokens[1 + skip..];
    let end = statement::find(body, &CLAUSES).unwrap_or(body.len());
    let from = statement::find(body, &["from"]).filter(|from| *from < end);
    let list = &body[..from.unwrap_or(end)];
    let sources = from.map(|from| joined(&body[from + 1..end], catalogue)).unwrap_or_default();
    fields(list, &sources, catalogue)
}

/// The tables of a FROM clause.
fn joined(tokens: &[Token], catalogue: &Catalogue) -> Sources {
    let mut found = Sources::new();
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        let mut table = None;
        if token.is_symbol("(") {
            let Ok((inner, after)) = statement::parenthesised(&tokens[at..]) else { break };
            match selected(inner, catalogue) {
                Some(fields) => table = Some(derived(fields)),
                None => found.extend(joined(inner, catalogue)),
            }
            at += after;
        } else {
            table = token.name().and_then(|name| catalogue.get(name)).cloned();
            at += 1;
        }
        if let Some(table) = table {
            at += usize::from(tokens.get(at).is_some_and(|token| token.is("as")));
            let not_alias = ["on", "using", "join", "left", "right", "inner", "cross", "full", "natural"];
            let alias = tokens.get(at).filter(|token| !not_alias.iter().any(|word| token.is(word)));
            let alias = alias.and_then(Token::name).map_or_else(|| table.name.clone(), str::to_owned);
            found.push((alias, table));
        }
    }
    found
}

fn derived(fields: Vec<Field>) -> Table {
    let columns = fields.into_iter().map(|field| Column { name: field.name, ty: field.ty, default: None });
    Table { name: String::new(), columns: columns.collect() }
}

/// The tables of any statement, for finding the type of a column by its name.
fn sources(tokens: &[Token], catalogue: &Catalogue) -> Sources {
    let names = tokens.iter().filter_map(Token::name).filter_map(|name| catalogue.get(name));
    names.map(|table| (table.name.clone(), table.clone())).collect()
}

fn fields(list: &[Token], sources: &Sources, catalogue: &Catalogue) -> Option<Vec<Field>> {
    let mut found = Vec::new();
    for item in statement::split(list) {
        match item {
            [star] if star.is_symbol("*") => {
                for (_, table) in sources {
                    found.extend(table.columns.iter().map(of_column));
                }
            }
            [name, dot, star] if dot.is_symbol(".") && star.is_symbol("*") => {
                let (_, table) = sources.iter().find(|(alias, _)| Some(alias.as_str()) == name.name())?;
                found.extend(table.columns.iter().map(of_column));
            }
            item => found.push(field(item, sources, catalogue)?),
        }
    }
    Some(found)
}

fn of_column(column: &Column) -> Field {
    Field { name: column.name.clone(), ty: column.ty.clone() }
}

fn column(name: &str, sources: &Sources) -> Option<Field> {
    sources.iter().find_map(|(_, table)| table.column(name)).map(of_column)
}

/// One expression of a select list, with or without a name.
fn field(item: &[Token], sources: &Sources, catalogue: &Catalogue) -> Option<Field> {
    if let [expression @ .., as_word, name] = item
        && as_word.is("as")
    {
        let name = name.name()?.to_owned();
        return Some(Field { name, ..field(expression, sources, catalogue)? });
    }
    if let [expression @ .., before, name] = item
        && let (Some(alias), true) = (name.name(), ends_expression(before))
        && !["end", "null", "true", "false"].contains(&alias)
    {
        let whole: Vec<Token> = expression.iter().chain([before]).cloned().collect();
        return Some(Field { name: alias.to_owned(), ..field(&whole, sources, catalogue)? });
    }
    expression(item, sources, catalogue)
}

/// Whether a name after this token is an alias.
fn ends_expression(token: &Token) -> bool {
    match token {
        Token::Symbol(symbol) => symbol == ")",
        Token::Word(word) => {
            !["not", "distinct", "and", "or", "is", "in", "like", "as", "case", "when", "then", "else"]
                .contains(&word.as_str())
        }
        _ => true,
    }
}

fn expression(item: &[Token], sources: &Sources, catalogue: &Catalogue) -> Option<Field> {
    let nameless = |ty: Type| Some(Field { name: "?column?".to_owned(), ty });
    if let Some(at) = item.iter().rposition(|token| token.is_symbol("::"))
        && let Ok((ty, taken)) = cast(&item[at + 1..])
        && at + 1 + taken == item.len()
    {
        let inner = expression(&item[..at], sources, catalogue)?;
        let name = if inner.name == "?column?" { ty.name().to_owned() } else { inner.name };
        return Some(Field { name, ty });
    }
    match item {
        [] => return None,
        [Token::Number(number)] if number.contains(['.', 'e']) => return nameless(Type::FLOAT8),
        [Token::Number(number)] => {
            return nameless(if number.parse::<i32>().is_ok() { Type::INT4 } else { Type::INT8 });
        }
        [Token::Text(_) | Token::Param(_)] => return nameless(Type::TEXT),
        [token] if token.is("true") || token.is("false") => {
            return Some(Field { name: "bool".to_owned(), ty: Type::BOOL });
        }
        [token] if token.is("null") => return nameless(Type::TEXT),
        [Token::Word(word)] if functions::bare(word) => {
            return Some(Field { name: word.clone(), ty: functions::returns(word)? });
        }
        [token] => return column(token.name()?, sources),
        [_, dot, name] if dot.is_symbol(".") => return column(name.name()?, sources),
        _ => {}
    }
    let logic = ["=", "<", ">", "<=", ">=", "<>", "!="];
    let mut depth = 0i32;
    for token in item {
        depth += i32::from(token.is_symbol("(")) - i32::from(token.is_symbol(")"));
        let word = ["is", "and", "or", "not", "like", "in", "between"].iter().any(|word| token.is(word));
        if depth == 0 && (word || logic.iter().any(|symbol| token.is_symbol(symbol))) {
            return nameless(Type::BOOL);
        }
    }
    called(item, sources, catalogue).or_else(|| computed(item, sources, catalogue))
}

/// `name(…)`, `name(…) over (…)`, `(…)`.
fn called(item: &[Token], sources: &Sources, catalogue: &Catalogue) -> Option<Field> {
    let bracket = usize::from(!item[0].is_symbol("("));
    if !item.get(bracket)?.is_symbol("(") {
        return None;
    }
    let (inner, after) = statement::parenthesised(&item[bracket..]).ok()?;
    let rest = &item[bracket + after..];
    if !rest.is_empty() && !rest[0].is("over") && !rest[0].is("filter") {
        return None;
    }
    if bracket == 0 {
        return match inner.first()? {
            token if token.is("select") => selected(inner, catalogue)?.into_iter().next(),
            _ => expression(inner, sources, catalogue),
        };
    }
    let name = item[0].name()?;
    let first = || expression(statement::split(inner).first()?, sources, catalogue).map(|field| field.ty);
    let ty = match name {
        "max" | "min" | "coalesce" | "nullif" | "abs" | "greatest" | "least" | "sum" | "first_value"
        | "lag" | "lead" => first()?,
        "cast" => {
            let at = statement::find(inner, &["as"])?;
            let (ty, _) = cast(&inner[at + 1..]).ok()?;
            let named = expression(&inner[..at], sources, catalogue).map(|field| field.name);
            let name = named.filter(|name| name != "?column?").unwrap_or_else(|| ty.name().to_owned());
            return Some(Field { name, ty });
        }
        name => functions::returns(name)?,
    };
    Some(Field { name: name.to_owned(), ty })
}

/// Arithmetic and concatenation: the type of the first operand.
fn computed(item: &[Token], sources: &Sources, catalogue: &Catalogue) -> Option<Field> {
    if item[0].is("case") {
        return Some(Field { name: "case".to_owned(), ty: Type::TEXT });
    }
    let mut depth = 0i32;
    let at = item.iter().position(|token| {
        depth += i32::from(token.is_symbol("(")) - i32::from(token.is_symbol(")"));
        depth == 0 && ["+", "-", "*", "/", "%", "||"].iter().any(|symbol| token.is_symbol(symbol))
    })?;
    let ty = match (at, item[at].is_symbol("||")) {
        (_, true) => Type::TEXT,
        (0, _) => expression(&item[1..], sources, catalogue)?.ty,
        _ => expression(&item[..at], sources, catalogue)?.ty,
    };
    Some(Field { name: "?column?".to_owned(), ty })
}

/// The types of `$1`, `$2`, … where the text tells them; text otherwise.
pub(super) fn parameters(tokens: &[Token], verb: Verb, catalogue: &Catalogue) -> Vec<Type> {
    let count = tokens.iter().filter_map(number).max().unwrap_or(0);
    let mut found: Vec<Option<Type>> = vec![None; count];
    let sources = sources(tokens, catalogue);
    for (at, token) in tokens.iter().enumerate() {
        if let Some(number) = number(token)
            && let Some(ty) = nearby(tokens, at, &sources)
        {
            found[number - 1].get_or_insert(ty);
        }
    }
    if verb == Verb::Insert {
        for (number, ty) in inserted(tokens, catalogue) {
            found[number - 1].get_or_insert(ty);
        }
    }
    found.into_iter().map(|ty| ty.unwrap_or(Type::TEXT)).collect()
}

fn number(token: &Token) -> Option<usize> {
    match token {
        Token::Param(number) => Some(*number),
        _ => None,
    }
}

/// A parameter's type from what stands beside it: a cast, a comparison with a column, LIMIT.
fn nearby(tokens: &[Token], at: usize, sources: &Sources) -> Option<Type> {
    let compares =
        |token: &Token| ["=", "<", ">", "<=", ">=", "<>", "!="].iter().any(|symbol| token.is_symbol(symbol));
    if tokens.get(at + 1).is_some_and(|token| token.is_symbol("::")) {
        return cast(&tokens[at + 2..]).ok().map(|(ty, _)| ty);
    }
    let before = |back: usize| at.checked_sub(back).and_then(|index| tokens.get(index));
    if before(1).is_some_and(|token| token.is("limit") || token.is("offset")) {
        return Some(Type::INT8);
    }
    let list = before(1).is_some_and(|token| token.is_symbol("(") || token.is_symbol(","));
    if list {
        let open = tokens[..at].iter().rposition(|token| token.is("in"))?;
        return column(tokens.get(open.checked_sub(1)?)?.name()?, sources).map(|field| field.ty);
    }
    if before(1).is_some_and(|token| compares(token) || token.is("between") || token.is("like")) {
        return column(before(2)?.name()?, sources).map(|field| field.ty);
    }
    if tokens.get(at + 1).is_some_and(compares) {
        return column(tokens.get(at + 2)?.name()?, sources).map(|field| field.ty);
    }
    None
}

/// Parameters that are a value of an INSERT, with their columns' types.
fn inserted(tokens: &[Token], catalogue: &Catalogue) -> Vec<(usize, Type)> {
    let mut found = Vec::new();
    let skip = usize::from(tokens.get(3).is_some_and(|token| token.is_symbol("."))) * 2;
    let Some(table) = tokens.get(2 + skip).and_then(Token::name).and_then(|name| catalogue.get(name)) else {
        return found;
    };
    let Some(values) = statement::find(tokens, &["values", "select"]) else { return found };
    let listed = tokens[..values].iter().position(|token| token.is_symbol("("));
    let listed = listed.and_then(|open| statement::parenthesised(&tokens[open..]).ok());
    let names: Vec<&str> = match listed {
        Some((inner, _)) => inner.iter().filter_map(Token::name).collect(),
        None => table.columns.iter().map(|column| column.name.as_str()).collect(),
    };
    let body = &tokens[values + 1..];
    let groups: Vec<&[Token]> = if tokens[values].is("select") {
        let end = statement::find(body, &["from", "where", "on", "returning"]).unwrap_or(body.len());
        vec![&body[..end]]
    } else {
        let groups = statement::split(body).into_iter();
        groups.filter_map(|group| statement::parenthesised(group).ok().map(|(inner, _)| inner)).collect()
    };
    for group in groups {
        for (item, name) in statement::split(group).into_iter().zip(&names) {
            if let ([Token::Param(number)], Some(column)) = (item, table.column(name)) {
                found.push((*number, column.ty.clone()));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::super::token::tokens;
    use super::*;

    fn catalogue() -> Catalogue {
        let sql = "create table t (seq bigint primary key, note text, at timestamptz default now(), by inet)";
        let (table, ..) = statement::create_table(&tokens(sql).unwrap()).unwrap();
        Catalogue::from([("t".to_owned(), table)])
    }

    fn given(sql: &str) -> String {
        let tokens = tokens(sql).unwrap();
        let verb = Verb::of(&tokens).unwrap();
        let Some(columns) = columns(&tokens, verb, &catalogue()) else { return "unknown".to_owned() };
        let columns: Vec<String> =
            columns.iter().map(|field| format!("{} {}", field.name, field.ty.name())).collect();
        columns.join(", ")
    }

    fn taken(sql: &str) -> String {
        let tokens = tokens(sql).unwrap();
        let types = parameters(&tokens, Verb::of(&tokens).unwrap(), &catalogue());
        types.iter().map(Type::name).collect::<Vec<_>>().join(", ")
    }

    #[test]
    fn columns_are_named_and_typed_as_postgresql_does() {
        for (sql, expected) in [
            ("select 1", "?column? int4"),
            ("select pg_is_in_recovery()", "pg_is_in_recovery bool"),
            ("select inet_server_addr()", "inet_server_addr inet"),
            ("select inet_server_addr()::text as host", "host text"),
            ("select count(*) from t", "count int8"),
            ("select seq from t order by seq", "seq int8"),
            ("select * from t", "seq int8, note text, at timestamptz, by inet"),
            ("select x.seq n, x.at from t x where x.note = 'a'", "n int8, at timestamptz"),
            ("select max(seq), min(at) oldest from t", "max int8, oldest timestamptz"),
            ("select seq + 1, note || 'x', seq = 1 from t", "?column? int8, ?column? text, ?column? bool"),
            ("select '5'::bigint, cast(seq as text) from t", "int8 int8, seq text"),
            ("select q.n from (select count(*) n from t) q", "n int8"),
            ("select exists(select 1 from t)", "exists bool"),
            ("select current_user, true", "current_user name, bool bool"),
            ("show transaction_read_only", "transaction_read_only text"),
            ("insert into t values (1) returning seq, by", "seq int8, by inet"),
            ("insert into t values (1)", ""),
            ("with a as (select 1) select * from a", "unknown"),
        ] {
            assert_eq!(given(sql), expected, "{sql}");
        }
    }

    #[test]
    fn parameters_take_the_type_of_their_place() {
        for (sql, expected) in [
            ("insert into t values ($1, $2)", "int8, text"),
            ("insert into t (note, seq) values ($2, $1), ($3, 4) on conflict do nothing", "int8, text, text"),
            ("insert into public.t (at, seq) select $1, $2", "timestamptz, int8"),
            ("select seq from t where seq > $1 and $2 <= at limit $3", "int8, timestamptz, int8"),
            ("select $1::int, $2", "int4, text"),
            ("delete from t where seq in ($1, $2)", "int8, int8"),
            ("update t set note = $1 where seq = $2", "text, int8"),
        ] {
            assert_eq!(taken(sql), expected, "{sql}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_statement_panics(words in proptest::collection::vec("select|from|insert|into|t|\\(|\\)|,|\\*|values|\\$1|::|int|seq|as|returning|=|case|with|create|table|default|1|'a'|\\.|max", 1..14)) {
            let sql = words.join(" ");
            if let Ok(tokens) = tokens(&sql) && let Ok(verb) = Verb::of(&tokens) {
                let _ = columns(&tokens, verb, &catalogue());
                let _ = parameters(&tokens, verb, &catalogue());
                let _ = statement::create_table(&tokens);
            }
        }
    }
}
