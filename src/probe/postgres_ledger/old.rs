//! The server that was the writer before the fault: is it fenced, and what does only it still hold?
//!
//! It is looked at and read, and written to only where that was asked for. Nothing on it is ever
//! deleted or put back: what is there may be somebody's data.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::super::ledger::{Attempts, Entries, ranges};
use super::super::postgres::Dsn;
use super::super::postgres::session::{Door, classify};
use super::super::tcp::Address;
use super::PostgresLedger;
use super::table::{Table, server};
use crate::clock::{Clock, Moment};
use crate::record;
use crate::run::event::{self, Role, RoleSpan};

/// How often it is looked at.
const EVERY: Duration = Duration::from_secs(1);
/// How long one look may take.
const LOOK: Duration = Duration::from_secs(2);
/// How many changes of its role are kept.
const MOST_SPANS: usize = 200;

record! {
    /// The server that is the writer before the fault.
    pub struct OldPrimary {
        /// Where it is: `host:5432`, logged in to as the ledger's DSN says.
        pub address: Option<Address>,
        /// The same with a login of its own.
        pub dsn: Option<Dsn>,
        /// Whether rows are written to it once another server has taken over, to see whether it takes them.
        /// That makes the two differ by itself.
        pub write_test: bool = false,
        /// How long reading it in the end may take.
        pub within: Duration = Duration::from_secs(10),
    }
}

/// What watches the old primary.
pub(super) struct Watch {
    door: Door,
    table: Table,
    write_test: bool,
    within: Duration,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    who: Option<String>,
    roles: Vec<RoleSpan>,
    tests: u32,
}

/// What one look showed.
struct Seen {
    who: String,
    role: Role,
    wrote: u32,
}

impl Watch {
    pub(super) fn new(
        old: &OldPrimary,
        ledger: &PostgresLedger,
        table: &Table,
        door: impl Fn(&Dsn) -> Result<Door, String>,
    ) -> Result<Watch, String> {
        let dsn = match (&old.dsn, &old.address) {
            (Some(dsn), None) => dsn.clone(),
            (None, Some(address)) => {
                Dsn { host: address.host.clone(), port: address.port, ..ledger.dsn.clone() }
            }
            _ => return Err("`old_primary` needs either an `address` or a `dsn`".to_owned()),
        };
        Ok(Watch {
            door: door(&dsn)?,
            table: table.clone(),
            write_test: old.write_test,
            within: old.within,
            state: Mutex::default(),
        })
    }

    /// Looks at it every second, until it is dropped.
    pub(super) async fn look_on(&self, clock: &Clock, attempts: &Attempts) {
        let mut due = clock.now();
        loop {
            let began = clock.now();
            let who = self.state().who.clone().or_else(|| attempts.first_server());
            let superseded = who.is_some_and(|who| attempts.superseded(&who));
            let seen = tokio::time::timeout(LOOK, self.look(superseded)).await.ok().flatten();
            self.note(began, clock.now(), superseded, seen);
            due = due.plus(EVERY).max(clock.now());
            clock.sleep_until(due).await;
        }
    }

    async fn look(&self, superseded: bool) -> Option<Seen> {
        let session = self.door.open().await.ok()?;
        let writable = session.writable().await.ok()?;
        let rows = session.rows("select inet_server_addr(), inet_server_port()").await.ok()?;
        let column = |at: usize| rows.first().and_then(|row| row.get(at)).cloned().flatten();
        let who = column(0).zip(column(1)).map(|(address, port)| server(&address, &port));
        let mut seen = Seen { who: who.unwrap_or_else(|| session.who()), role: Role::Standby, wrote: 0 };
        if writable {
            seen.role = Role::Writer;
            if self.write_test && superseded {
                let number = {
                    let mut state = self.state();
                    state.tests += 1;
                    state.tests
                };
                seen.wrote = u32::from(session.rows(&self.table.insert_test(number)).await.is_ok());
            }
        }
        session.close();
        Some(seen)
    }

    fn note(&self, from_ns: Moment, to_ns: Moment, superseded: bool, seen: Option<Seen>) {
        let mut state = self.state();
        let (role, wrote) = seen.as_ref().map_or((Role::Unreachable, 0), |seen| (seen.role, seen.wrote));
        if let Some(seen) = seen {
            state.who.get_or_insert(seen.who);
        }
        let room = state.roles.len() < MOST_SPANS;
        match state.roles.last_mut() {
            Some(span) if span.role == role && span.superseded == superseded => {
                span.to_ns = to_ns;
                span.looks += 1;
                span.wrote += wrote;
            }
            _ if room => {
                state.roles.push(RoleSpan { from_ns, to_ns, looks: 1, role, superseded, wrote });
            }
            _ => {}
        }
    }

    /// Reads its table, within the time for it.
    pub(super) async fn read(&self) -> event::OldPrimary {
        let read = async {
            let session = self.door.open().await.map_err(|trouble| trouble.detail)?;
            let entries = self.table.entries(&session).await?;
            // Told by its rows or not at all: what was looked at before may be another server by now.
            session.rows("select 1").await.map_err(|error| classify(&error).detail)?;
            session.close();
            Ok::<Entries, String>(entries)
        };
        let limit = crate::notation::units::show(self.within);
        let read = tokio::time::timeout(self.within, read).await;
        let read = read.unwrap_or_else(|_| Err(format!("no complete read within {limit}")));
        let state = self.state();
        let mut old = event::OldPrimary {
            who: state.who.clone(),
            roles: state.roles.clone(),
            query: Some(self.table.select()),
            ..event::OldPrimary::default()
        };
        match read {
            Ok(mut entries) => {
                entries.seqs.sort_unstable();
                old.present = ranges(entries.seqs.into_iter().filter_map(|seq| u32::try_from(seq).ok()));
            }
            Err(why) => old.error = Some(why),
        }
        old
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
