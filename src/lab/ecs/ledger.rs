//! What a task serves: its health, and numbered entries in storage that outlives tasks.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use futures::future::BoxFuture;
use serde::Deserialize;
use serde_json::json;

use crate::lab::plane::{Handler, Request, Response};
use crate::lab::world::lock;

/// The entries of all runs.
#[derive(Clone, Default)]
pub(super) struct Ledger(Arc<Mutex<Entries>>);

#[derive(Default)]
struct Entries {
    by_run: BTreeMap<String, Vec<u64>>,
    /// Idempotency keys of what is stored.
    keys: BTreeSet<String>,
}

#[derive(Deserialize)]
struct Entry {
    run: String,
    seq: u64,
}

impl Ledger {
    /// What the task with this id answers.
    pub(super) fn handler(&self, id: &str, zone: &str) -> Handler {
        let ledger = self.clone();
        let facts: Arc<[(&'static str, String)]> =
            Arc::new([("x-instance", id.to_owned()), ("x-zone", zone.to_owned())]);
        Arc::new(move |request: Request| {
            let page = ledger.answer(&request);
            let page = facts.iter().fold(page, |page, (name, value)| page.with(name, value));
            let answer: BoxFuture<'static, Response> = Box::pin(std::future::ready(page));
            answer
        })
    }

    fn answer(&self, request: &Request) -> Response {
        match (request.method.as_str(), request.path()) {
            ("GET", "/" | "/health") => Response::text(200, "ok\n"),
            ("POST", "/entries") => self.store(request),
            ("GET", "/entries") => self.list(request),
            (_, "/" | "/health" | "/entries") => Response::text(405, "method not allowed\n"),
            _ => Response::text(404, "not found\n"),
        }
    }

    /// 201 for what is stored now, 200 for what its key has stored before.
    fn store(&self, request: &Request) -> Response {
        let entry: Entry = match serde_json::from_slice(&request.body) {
            Ok(entry) => entry,
            Err(error) => {
                let expected = "expected a JSON object such as {\"run\": \"r1\", \"seq\": 0}";
                return Response::text(400, &format!("{error}: {expected}\n"));
            }
        };
        let mut entries = lock(&self.0);
        let repeated =
            request.header("idempotency-key").is_some_and(|key| !entries.keys.insert(key.to_owned()));
        if !repeated {
            entries.by_run.entry(entry.run.clone()).or_default().push(entry.seq);
        }
        let status = if repeated { 200 } else { 201 };
        Response::json(status, &json!({ "run": entry.run, "seq": entry.seq }))
    }

    fn list(&self, request: &Request) -> Response {
        let Some(run) = request.query("run") else {
            return Response::text(400, "expected the parameter `run`, as in /entries?run=r1\n");
        };
        let mut seqs = lock(&self.0).by_run.get(&run).cloned().unwrap_or_default();
        seqs.sort_unstable();
        Response::json(200, &json!({ "seqs": seqs }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn post(ledger: &Ledger, body: &str, key: Option<&str>) -> u16 {
        let mut request = Request::get("/entries", "checkout.lab.test");
        request.method = "POST".to_owned();
        request.body = body.as_bytes().to_vec();
        request.headers.extend(key.map(|key| ("idempotency-key".to_owned(), key.to_owned())));
        ledger.answer(&request).status
    }

    fn stored(ledger: &Ledger) -> String {
        let answer = ledger.answer(&Request::get("/entries?run=a%2Fb", "checkout.lab.test"));
        String::from_utf8(answer.body).expect("text")
    }

    #[test]
    fn a_key_stores_once_and_without_a_key_everything_is_stored() {
        let ledger = Ledger::default();
        assert_eq!(stored(&ledger), r#"{"seqs":[]}"#);
        assert_eq!(post(&ledger, r#"{"run":"a/b","seq":1}"#, Some("k1")), 201);
        assert_eq!(post(&ledger, r#"{"run":"a/b","seq":1}"#, Some("k1")), 200);
        assert_eq!(post(&ledger, r#"{"run":"a/b","seq":0}"#, None), 201);
        assert_eq!(post(&ledger, r#"{"run":"a/b","seq":0}"#, None), 201);
        assert_eq!(post(&ledger, r#"{"run":"other","seq":9}"#, None), 201);
        assert_eq!(stored(&ledger), r#"{"seqs":[0,0,1]}"#);
    }

    #[test]
    fn what_is_no_entry_is_refused() {
        let ledger = Ledger::default();
        assert_eq!(post(&ledger, "", None), 400);
        assert_eq!(post(&ledger, r#"{"run":"a","seq":-1}"#, None), 400);
        assert_eq!(ledger.answer(&Request::get("/entries", "x")).status, 400);
    }
}
