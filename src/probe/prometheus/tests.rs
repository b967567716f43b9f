use std::time::Duration;

use super::*;
use crate::probe::fixture::{answering, ask, closed_port, opening, read_request, serve};
use crate::probe::{Answer, Probe, Resolver};
use crate::sample::{Cause, Class};

fn prometheus(url: &str, expect: Option<Expect>) -> Prometheus {
    Prometheus {
        url: Url(url.parse().unwrap()),
        query: "up{job=\"shop\"}".to_owned(),
        expect,
        scrape_interval: Duration::from_secs(15),
        headers: None,
        tls: None,
        connect_timeout: Duration::from_millis(900),
        timeout: Duration::from_secs(2),
    }
}

fn expect(below: Option<f64>, above: Option<f64>, at_least_series: u32) -> Option<Expect> {
    let (below, above) = (below.map(Number), above.map(Number));
    Some(Expect { below, above, at_least_series, max_age: None })
}

fn vector(values: &[&str]) -> String {
    let rows: Vec<String> = values
        .iter()
        .enumerate()
        .map(|(n, value)| {
            format!(r#"{{"metric":{{"__name__":"up","job":"shop","n":"{n}"}},"value":[1000.5,"{value}"]}}"#)
        })
        .collect();
    success("vector", &format!("[{}]", rows.join(",")))
}

fn success(kind: &str, result: &str) -> String {
    format!(r#"{{"status":"success","data":{{"resultType":"{kind}","result":{result}}}}}"#)
}

async fn answer(status: &str, body: &str, expect: Option<Expect>) -> Answer {
    let response = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    let server = answering(response).await;
    ask(Probe::Prometheus(prometheus(&server.url("/"), expect))).await
}

#[tokio::test]
async fn each_answer_has_its_class() {
    let error =
        |kind: &str, why: &str| format!(r#"{{"status":"error","errorType":"{kind}","error":"{why}"}}"#);
    let (small, many) = (expect(Some(0.01), None, 1), expect(None, None, 2));
    for (status, body, expect, class, cause, detail) in [
        ("200 OK", vector(&["1", "0"]), None, Class::Ok, Cause::None, ""),
        ("200 OK", vector(&["0.001", "0"]), small.clone(), Class::Ok, Cause::None, ""),
        (
            "200 OK",
            vector(&["0.001", "0.01", "3"]),
            small.clone(),
            Class::Wrong,
            Cause::Content,
            r#"up{job="shop",n="1"} is 0.01, expected below 0.01 (and 1 more)"#,
        ),
        ("200 OK", vector(&["NaN"]), None, Class::Wrong, Cause::Content, "is NaN"),
        ("200 OK", vector(&["+Inf"]), small.clone(), Class::Wrong, Cause::Content, "is inf"),
        ("200 OK", vector(&[]), None, Class::Wrong, Cause::Content, "no data"),
        ("200 OK", vector(&[]), expect(None, None, 0), Class::Wrong, Cause::Content, "no data"),
        (
            "200 OK",
            vector(&["1"]),
            many.clone(),
            Class::Wrong,
            Cause::Content,
            "1 series, expected 2 or more",
        ),
        ("200 OK", vector(&["1", "1"]), many, Class::Ok, Cause::None, ""),
        (
            "200 OK",
            success("scalar", r#"[1000.5,"3"]"#),
            small,
            Class::Wrong,
            Cause::Content,
            "the scalar is 3",
        ),
        ("200 OK", success("matrix", "[]"), None, Class::Wrong, Cause::Content, "gives a matrix"),
        ("200 OK", "<html>".to_owned(), None, Class::Wrong, Cause::Status, "status 200"),
        ("200 OK", success("vector", "7"), None, Class::FailFast, Cause::Protocol, "Prometheus's API"),
        (
            "400 Bad Request",
            error("bad_data", "parse error"),
            None,
            Class::Wrong,
            Cause::Status,
            "bad_data: parse",
        ),
        ("401 Unauthorized", String::new(), None, Class::FailFast, Cause::Denied, "status 401"),
        ("500 Oh", error("internal", "x"), None, Class::FailFast, Cause::ServerError, "internal: x"),
        ("503 Busy", error("timeout", "x"), None, Class::FailFast, Cause::Unavailable, "timeout: x"),
    ] {
        let answer = answer(status, &body, expect).await;
        assert_eq!((answer.class, answer.cause), (class, cause), "{status} {body}: {answer:?}");
        let said = answer.detail.clone().unwrap_or_default();
        assert!(said.contains(detail) && (said.is_empty() == detail.is_empty()), "{body}: {said}");
        assert!(answer.who.is_some() && answer.phases.first_byte > 0, "{answer:?}");
    }
    let refused = ask(Probe::Prometheus(prometheus(&format!("http://{}/", closed_port().await), None))).await;
    assert_eq!((refused.class, refused.cause), (Class::FailFast, Cause::Refused), "{refused:?}");
}

#[tokio::test]
async fn a_stale_sample_is_wrong_by_the_servers_own_clock() {
    // The second question is for the times of the samples.
    let server = serve(|mut stream| async move {
        let request = read_request(&mut stream).await;
        assert!(request.starts_with("GET /base/api/v1/query?query="), "{request}");
        let body = vector(&[if request.contains("timestamp%28") { "960.5" } else { "1" }]);
        let response = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        tokio::io::AsyncWriteExt::write_all(&mut stream, response.as_bytes()).await.unwrap();
    })
    .await;
    for (limit, class) in [(60, Class::Ok), (40, Class::Ok), (39, Class::Wrong)] {
        let max_age = Some(Duration::from_secs(limit));
        let expect = Expect { below: None, above: None, at_least_series: 1, max_age };
        let answer = ask(Probe::Prometheus(prometheus(&server.url("/base/"), Some(expect)))).await;
        assert_eq!(answer.class, class, "{limit}: {answer:?}");
        let said = answer.detail.unwrap_or_default();
        assert!(class.good() || said.contains("is 40s old, limit 39s"), "{said}");
    }
}

#[test]
fn an_age_is_asked_only_of_what_has_one() {
    let expect =
        Expect { below: None, above: None, at_least_series: 1, max_age: Some(Duration::from_secs(9)) };
    let mut probe = prometheus("http://127.0.0.1:1/", Some(expect));
    probe.query = "rate(errors_total[5m])".to_owned();
    assert_eq!(probe.blind_time(), Duration::from_secs(315));
    let error = Probe::Prometheus(probe).open(&opening(Resolver::System)).err().unwrap();
    assert!(error.contains("rate(errors_total[5m])"), "{error}");
}
