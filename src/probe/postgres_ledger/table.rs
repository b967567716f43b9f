//! The ledger's table and its statements.

use super::super::ledger::Entries;
use super::super::postgres::session::{Door, Session, classify};
use crate::probe::Opening;
use crate::run::event::Position;

/// What a write is asked to tell of itself: where it is in the log, on which server, in which
/// transaction.
pub(super) const RECEIPT: &str = "pg_current_wal_insert_lsn(), inet_server_addr(), inet_server_port(), pg_is_in_recovery(), txid_current()";

/// A run's table.
#[derive(Clone, Debug)]
pub(super) struct Table {
    /// Its name, quoted.
    pub(super) name: String,
    /// Whether it is this run's alone, so that nothing else may be in it.
    pub(super) own: bool,
    /// What the rows of this ledger are marked with, as an SQL literal without its quotes.
    mark: String,
    /// What the rows of all ledgers of this run begin with.
    run: String,
}

/// What a write told of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Receipt {
    /// The server by its own words: a proxy in between has another address.
    pub(super) who: Option<String>,
    /// Bytes from the log's beginning; before the commit.
    pub(super) byte: Option<u64>,
    /// The transaction.
    pub(super) xid: Option<u64>,
}

impl Receipt {
    pub(super) fn of(rows: &[Vec<Option<String>>]) -> Receipt {
        let column = |at: usize| rows.first().and_then(|row| row.get(at)).cloned().flatten();
        let role = match column(3).as_deref() {
            Some("t") => " in recovery",
            _ => "",
        };
        let who =
            column(1).zip(column(2)).map(|(address, port)| format!("{}{role}", server(&address, &port)));
        Receipt {
            who,
            byte: column(0).and_then(|lsn| byte(&lsn)),
            xid: column(4).and_then(|xid| xid.parse().ok()),
        }
    }
}

/// `10.0.0.5:5432`, of an `inet` and a port as PostgreSQL shows them.
pub(super) fn server(address: &str, port: &str) -> String {
    let address = address.split('/').next().unwrap_or(address);
    if address.contains(':') { format!("[{address}]:{port}") } else { format!("{address}:{port}") }
}

/// The place in the log that a `pg_lsn` such as `16/B374D848` stands for.
fn byte(lsn: &str) -> Option<u64> {
    let (high, low) = lsn.split_once('/')?;
    let part = |text| u32::from_str_radix(text, 16).ok().map(u64::from);
    Some(part(high)? << 32 | part(low)?)
}

impl Table {
    pub(super) fn new(named: Option<&str>, opening: &Opening) -> Result<Table, String> {
        let name = match named {
            Some(table) => quoted(table)?,
            None => quoted(&own_name(&opening.run_id))?,
        };
        let literal = |text: &str| text.replace('\'', "''");
        Ok(Table { name, own: named.is_none(), mark: literal(&opening.mark()), run: opening.run_id.clone() })
    }

    pub(super) fn create(&self) -> String {
        format!(
            "create table if not exists {} (run text not null, seq bigint not null, \
             written_at timestamptz not null default clock_timestamp(), primary key (run, seq))",
            self.name
        )
    }

    pub(super) fn insert(&self, seq: u32, told: bool) -> String {
        let returning = if told { format!(" returning {RECEIPT}") } else { String::new() };
        format!("insert into {} (run, seq) values ('{}', {seq}){returning}", self.name, self.mark)
    }

    /// A write that is no entry of the ledger: it only shows that the server takes any.
    pub(super) fn insert_test(&self, number: u32) -> String {
        format!("insert into {} (run, seq) values ('{} fencing', {number})", self.name, self.mark)
    }

    /// How to read what this ledger wrote.
    pub(super) fn select(&self) -> String {
        format!("select seq, written_at from {} where run = '{}' order by seq", self.name, self.mark)
    }

    pub(super) fn drop(&self) -> String {
        match self.own {
            true => format!("drop table {}", self.name),
            false => format!("delete from {} where run like '{}%'", self.name, self.run.replace('\'', "''")),
        }
    }

    /// The whole table, from the writer.
    pub(super) async fn read(&self, door: &Door) -> Result<Entries, String> {
        let session = door.open().await.map_err(|trouble| trouble.detail)?;
        if !session.writable().await.map_err(|trouble| trouble.detail)? {
            return Err("the server that answered is not the writer; only the writer's rows count".to_owned());
        }
        let entries = self.entries(&session).await?;
        session.close();
        Ok(entries)
    }

    /// The whole table, from whoever is asked.
    pub(super) async fn entries(&self, session: &Session) -> Result<Entries, String> {
        let sql = format!("select run, seq from {}", self.name);
        let rows = session.table(&sql).await.map_err(|error| classify(&error).detail)?;
        let mut entries = Entries::default();
        let mine = self.mark.replace("''", "'");
        for row in rows {
            match (row.first(), row.get(1)) {
                (Some(Some(run)), Some(Some(seq))) if *run == mine => entries.seqs.push(number(seq)?),
                // Another ledger of this run, or its tests of the old primary.
                (Some(Some(run)), _) if run.starts_with(&self.run) => {}
                _ if self.own => entries.foreign += 1,
                _ => {}
            }
        }
        Ok(entries)
    }

    /// This ledger's numbers from one on.
    pub(super) async fn read_from(&self, session: &Session, from: u32) -> Result<Vec<i64>, String> {
        let sql = format!("select seq from {} where run = '{}' and seq >= {from}", self.name, self.mark);
        let rows = session.table(&sql).await.map_err(|error| classify(&error).detail)?;
        rows.iter().filter_map(|row| row.first().and_then(Option::as_deref)).map(number).collect()
    }
}

fn number(seq: &str) -> Result<i64, String> {
    seq.parse().map_err(|_| format!("`{seq}` is not a row's number"))
}

/// How far this server had followed its predecessor's log when it took over: the position stays where
/// replay ended. Nothing after a crash of its own, and nothing where it is not told.
pub(super) async fn replayed(session: &Session) -> Option<Position> {
    let sql = "select pg_last_wal_replay_lsn(), inet_server_addr(), inet_server_port()";
    let rows = session.rows(sql).await.ok()?;
    let receipt = Receipt::of(&rows);
    Some(Position { who: receipt.who?, seq: 0, byte: receipt.byte? })
}

/// How many of these transactions the server calls committed; `None` when it does not say.
pub(super) async fn committed(session: &Session, warned: &[(u32, u64)]) -> Option<usize> {
    let list: Vec<String> = warned.iter().map(|(_, xid)| format!("({xid})")).collect();
    let sql = format!("select txid_status(x) from (values {}) as t(x)", list.join(", "));
    let rows = session.table(&sql).await.ok()?;
    Some(rows.iter().filter(|row| row.first().and_then(Option::as_deref) == Some("committed")).count())
}

/// The name of the table of a run: what PostgreSQL takes without a limit of 63 bytes cutting it.
fn own_name(run: &str) -> String {
    let name = run.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' });
    name.collect::<String>().chars().take(50).fold("firedrill_".to_owned(), |mut table, c| {
        table.push(c);
        table
    })
}

fn quoted(table: &str) -> Result<String, String> {
    let parts: Vec<&str> = table.split('.').collect();
    if parts.len() > 2 || parts.iter().any(|part| part.is_empty() || part.len() > 63 || part.contains('\0')) {
        return Err(format!("`{table}` is not a table's name: expected `table` or `schema.table`"));
    }
    let quoted = parts.iter().map(|part| format!("\"{}\"", part.replace('"', "\"\"")));
    Ok(quoted.collect::<Vec<_>>().join("."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_runs_table_has_a_name_that_needs_no_cutting() {
        assert_eq!(own_name("2026-11-21T10-00 Übung"), "firedrill_2026_11_21t10_00__bung");
        assert!(own_name(&"x".repeat(200)).len() <= 63);
    }

    #[test]
    fn a_named_table_is_quoted() {
        assert_eq!(quoted("ops.ledger").as_deref(), Ok("\"ops\".\"ledger\""));
        assert_eq!(quoted("a\"b").as_deref(), Ok("\"a\"\"b\""));
        assert!(quoted("a.b.c").is_err() && quoted("").is_err() && quoted("a.").is_err());
    }

    #[test]
    fn a_receipt_says_where_the_write_is() {
        let row = |columns: &[&str]| vec![columns.iter().map(|c| Some((*c).to_owned())).collect::<Vec<_>>()];
        let told = Receipt::of(&row(&["16/B374D848", "10.0.0.5/32", "5432", "f", "771"]));
        let who = Some("10.0.0.5:5432".to_owned());
        assert_eq!(told, Receipt { who, byte: Some(0x16_B374_D848), xid: Some(771) });
        assert_eq!(Receipt::of(&[]), Receipt::default());
        assert_eq!(server("fd00::5/128", "5432"), "[fd00::5]:5432");
    }
}
