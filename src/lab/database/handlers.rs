//! pgwire's handlers over a session: logging in, the simple and the extended query protocol.

use std::fmt::Debug;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::BytesMut;
use futures::{Sink, stream};
use pgwire::api::auth::cleartext::CleartextPasswordAuthStartupHandler;
use pgwire::api::auth::{AuthSource, DefaultServerParameterProvider, LoginInfo, Password};
use pgwire::api::portal::{Format, Portal};
use pgwire::api::query::{ExtendedQueryHandler, SimpleQueryHandler};
use pgwire::api::results::{FieldFormat, FieldInfo, QueryResponse, Response, Tag};
use pgwire::api::stmt::QueryParser;
use pgwire::api::store::PortalStore;
use pgwire::api::{ClientInfo, ClientPortalStore, Type};
use pgwire::error::{PgWireError, PgWireResult};
use pgwire::messages::PgWireBackendMessage;
use pgwire::messages::data::{DataRow, FORMAT_CODE_BINARY};
use rusqlite::types::Value;

use super::describe::Field;
use super::fault::SqlFault;
use super::functions::VERSION;
use super::session::{Answer, Prepared, Session};
use super::{Credentials, token, types};

/// A prepared statement as the protocol keeps it.
pub(super) type Stored = Arc<Prepared>;

/// pgwire's handlers for one connection.
pub(super) struct Handlers {
    session: Arc<Mutex<Session>>,
    /// From a commit to its answer: the round trip to the synchronous members.
    commit_delay: Duration,
}

impl Handlers {
    /// The handlers of a session.
    pub(super) fn new(session: Session, commit_delay: Duration) -> Handlers {
        Handlers { session: Arc::new(Mutex::new(session)), commit_delay }
    }

    /// The session.
    pub(super) fn session(&self) -> MutexGuard<'_, Session> {
        self.session.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits as a synchronous commit does, when there is one to be answered.
    async fn replicated(&self) {
        let waiting = !self.session().unacknowledged().is_empty();
        if waiting && !self.commit_delay.is_zero() {
            tokio::time::sleep(self.commit_delay).await;
        }
    }

    fn simple(&self, sql: &str) -> Result<Vec<Response>, SqlFault> {
        let statements = token::statements(sql)?;
        let mut session = self.session();
        let explicit = statements.iter().any(|tokens| {
            ["begin", "start", "commit", "end", "rollback", "abort"].iter().any(|word| tokens[0].is(word))
        });
        let implicit = statements.len() > 1 && !explicit && !session.in_transaction();
        if implicit {
            session.begin();
        }
        let answers = each(&mut session, statements);
        if implicit {
            match &answers {
                Ok(_) => {
                    session.commit()?;
                }
                Err(_) => session.roll_back(),
            }
        }
        answers
    }
}

fn each(session: &mut Session, statements: Vec<Vec<token::Token>>) -> Result<Vec<Response>, SqlFault> {
    let mut responses = Vec::new();
    for tokens in statements {
        let prepared = session.prepare(tokens, &[])?;
        if !prepared.parameters.is_empty() {
            return Err(SqlFault::new("42P02", "there is no parameter $1"));
        }
        let answer = session.execute(&prepared, Vec::new())?;
        responses.push(response(answer, &Format::UnifiedText)?);
    }
    Ok(responses)
}

fn response(answer: Answer, format: &Format) -> Result<Response, SqlFault> {
    Ok(match answer {
        Answer::Began => Response::TransactionStart(Tag::new("BEGIN")),
        Answer::Ended { tag } => Response::TransactionEnd(Tag::new(tag)),
        Answer::Done { tag, rows } => {
            let mut done = Tag::new(tag);
            if let Some(rows) = rows {
                done = done.with_rows(rows);
            }
            if tag == "INSERT" {
                done = done.with_oid(0);
            }
            Response::Execution(done)
        }
        Answer::Rows { fields, rows, tag } => {
            let infos = Arc::new(infos(&fields, format));
            let encoded = encoded(&fields, &rows, format)?;
            let mut response = QueryResponse::new(infos, stream::iter(encoded.into_iter().map(Ok)));
            response.set_command_tag(tag);
            Response::Query(response)
        }
    })
}

fn encoded(fields: &[Field], rows: &[Vec<Value>], format: &Format) -> Result<Vec<DataRow>, SqlFault> {
    let width = i16::try_from(fields.len()).map_err(|_| SqlFault::new("54011", "too many columns"))?;
    let mut encoded = Vec::with_capacity(rows.len());
    for row in rows {
        let mut bytes = BytesMut::new();
        for (index, (field, value)) in fields.iter().zip(row).enumerate() {
            let binary = format_of(format, index) == FieldFormat::Binary;
            types::encode(value, &field.ty, binary, &mut bytes)?;
        }
        encoded.push(DataRow::new(bytes, width));
    }
    Ok(encoded)
}

/// The format of column `index`; text when the client named fewer formats than columns.
fn format_of(format: &Format, index: usize) -> FieldFormat {
    match format {
        Format::UnifiedText => FieldFormat::Text,
        Format::UnifiedBinary => FieldFormat::Binary,
        Format::Individual(codes) if codes.get(index) == Some(&FORMAT_CODE_BINARY) => FieldFormat::Binary,
        Format::Individual(_) => FieldFormat::Text,
    }
}

fn infos(fields: &[Field], format: &Format) -> Vec<FieldInfo> {
    let info = |(index, field): (usize, &Field)| {
        FieldInfo::new(field.name.clone(), None, None, field.ty.clone(), format_of(format, index))
            .with_type_size(size(&field.ty))
    };
    fields.iter().enumerate().map(info).collect()
}

fn size(ty: &Type) -> i16 {
    match *ty {
        Type::BOOL => 1,
        Type::INT2 => 2,
        Type::INT4 | Type::FLOAT4 | Type::OID | Type::XID => 4,
        Type::INT8 | Type::FLOAT8 | Type::TIMESTAMPTZ | Type::TIMESTAMP | Type::XID8 | Type::PG_LSN => 8,
        Type::UUID => 16,
        Type::NAME => 64,
        _ => -1,
    }
}

#[async_trait]
impl SimpleQueryHandler for Handlers {
    async fn do_query<C>(&self, _client: &mut C, query: &str) -> PgWireResult<Vec<Response>>
    where
        C: ClientInfo + ClientPortalStore + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        C::PortalStore: PortalStore,
        C::Error: Debug,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        let responses = self.simple(query)?;
        self.replicated().await;
        Ok(responses)
    }
}

#[async_trait]
impl ExtendedQueryHandler for Handlers {
    type Statement = Stored;
    type QueryParser = Parser;

    fn query_parser(&self) -> Arc<Parser> {
        Arc::new(Parser { session: Arc::clone(&self.session) })
    }

    async fn do_query<C>(
        &self,
        _client: &mut C,
        portal: &Portal<Stored>,
        _max_rows: usize,
    ) -> PgWireResult<Response>
    where
        C: ClientInfo + ClientPortalStore + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        C::PortalStore: PortalStore<Statement = Stored>,
        C::Error: Debug,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        let prepared = &portal.statement.statement;
        let parameters = bound(portal)?;
        let answer = self.session().execute(prepared, parameters)?;
        let response = response(answer, &portal.result_column_format)?;
        self.replicated().await;
        Ok(response)
    }
}

fn bound(portal: &Portal<Stored>) -> Result<Vec<Value>, SqlFault> {
    let wanted = &portal.statement.statement.parameters;
    if portal.parameters.len() != wanted.len() {
        let message = format!(
            "bind message supplies {} parameters, but prepared statement \"\" requires {}",
            portal.parameters.len(),
            wanted.len()
        );
        return Err(SqlFault::new("08P01", message));
    }
    let given = portal.parameters.iter().zip(wanted).enumerate();
    given
        .map(|(index, (bytes, ty))| {
            let binary = format_of(&portal.parameter_format, index) == FieldFormat::Binary;
            types::decode(bytes.as_deref(), ty, binary)
        })
        .collect()
}

/// Parses and describes statements in the session.
pub(super) struct Parser {
    session: Arc<Mutex<Session>>,
}

#[async_trait]
impl QueryParser for Parser {
    type Statement = Stored;

    async fn parse_sql<C>(
        &self,
        _client: &C,
        sql: &str,
        types: &[Option<Type>],
    ) -> PgWireResult<Option<Stored>>
    where
        C: ClientInfo + Unpin + Send + Sync,
    {
        let mut statements = token::statements(sql)?;
        if statements.len() > 1 {
            return Err(SqlFault::syntax("cannot insert multiple commands into a prepared statement").into());
        }
        let Some(tokens) = statements.pop() else { return Ok(None) };
        let mut session = self.session.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(Some(Arc::new(session.prepare(tokens, types)?)))
    }

    fn get_parameter_types(&self, statement: &Stored) -> PgWireResult<Vec<Type>> {
        Ok(statement.parameters.clone())
    }

    fn get_result_schema(&self, statement: &Stored, format: Option<&Format>) -> PgWireResult<Vec<FieldInfo>> {
        Ok(infos(&statement.fields, format.unwrap_or(&Format::UnifiedText)))
    }
}

/// Who may log in, and to which database.
#[derive(Debug)]
pub(super) struct Doorkeeper {
    credentials: Credentials,
    /// The databases that this node has.
    databases: Vec<String>,
}

#[async_trait]
impl AuthSource for Doorkeeper {
    async fn get_password(&self, login: &LoginInfo) -> PgWireResult<Password> {
        let user = login.user().unwrap_or_default();
        if user != self.credentials.user {
            return Err(denied(user).into());
        }
        Ok(Password::new(None, self.credentials.password.as_bytes().to_vec()))
    }

    async fn verify_password(&self, login: &LoginInfo, given: &[u8]) -> PgWireResult<Option<()>> {
        let expected = self.get_password(login).await?;
        if expected.password() != given {
            return Err(denied(login.user().unwrap_or_default()).into());
        }
        let database = login.database().or(login.user()).unwrap_or_default();
        if !self.databases.iter().any(|name| name == database) {
            return Err(SqlFault::fatal("3D000", format!("database \"{database}\" does not exist")).into());
        }
        Ok(None)
    }
}

fn denied(user: &str) -> SqlFault {
    SqlFault::fatal("28P01", format!("password authentication failed for user \"{user}\""))
}

/// The handler of the startup phase.
pub(super) type Startup = CleartextPasswordAuthStartupHandler<Doorkeeper, DefaultServerParameterProvider>;

/// A startup handler for a node that has the database `name`.
pub(super) fn startup(credentials: &Credentials, name: &str, in_recovery: bool) -> Startup {
    let mut parameters = DefaultServerParameterProvider::default();
    parameters.server_version = VERSION.to_owned();
    parameters.in_hot_standby = in_recovery;
    parameters.is_superuser = false;
    parameters.time_zone = "UTC".to_owned();
    let databases = vec![name.to_owned(), "postgres".to_owned()];
    CleartextPasswordAuthStartupHandler::new(
        Doorkeeper { credentials: credentials.clone(), databases },
        parameters,
    )
}
