//! The IETF http-state working group's cases of `Set-Cookie`, all of them.

use std::time::{Duration, SystemTime};

use aio_cookies::{CookieJar, CookieRequest, CookieStyle};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::Value;
use url::Url;

#[test]
fn http_state_cases_send_what_rfc_6265bis_asks_for() {
    let suite = include_str!("data/http_state_parser.json");
    let suite: Value = serde_json::from_str(suite).expect("the suite is JSON");
    let cases = suite["cases"].as_array().expect("the suite has cases");
    assert_eq!(cases.len(), 222);

    let mut failed = Vec::new();
    for case in cases {
        let name = case["name"].as_str().expect("a case has a name");
        let (got, want) = (sent(case), expected(case));
        if got != want {
            let show = |header: Option<Vec<u8>>| header.map(|text| text.escape_ascii().to_string());
            failed.push((name, show(got), show(want)));
        }
    }
    assert!(failed.is_empty(), "name, sent, expected: {failed:#?}");
}

/// Stores what the case sets and returns the `Cookie` header that follows.
fn sent(case: &Value) -> Option<Vec<u8>> {
    // Dates of 2007 are past, those of 2019 and later are not.
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_420_070_400);
    let url = |key: &str| Url::parse(case[key].as_str().expect("a URL")).expect("a URL");
    let (set_url, get_url) = (url("set_url"), url("get_url"));
    let jar = CookieJar::new();
    jar.update_cookies(&CookieRequest::new(&set_url, now), set_cookie(case));
    let pairs = jar.filter_cookies(&CookieRequest::new(&get_url, now));
    CookieStyle::default().merge(pairs, Vec::new(), &[])
}

fn set_cookie(case: &Value) -> Vec<Vec<u8>> {
    if let Some(fields) = case["set_cookie_base64"].as_array() {
        return fields.iter().map(octets).collect();
    }
    let fields = case["set_cookie"].as_array().expect("a list of fields");
    let text = |field: &Value| field.as_str().expect("a field").as_bytes().to_vec();
    fields.iter().map(text).collect()
}

fn expected(case: &Value) -> Option<Vec<u8>> {
    if let Some(expected) = case.get("rfc6265bis_expected") {
        return expected.as_str().map(|text| text.as_bytes().to_vec());
    }
    if case.get("expected_base64").is_some() {
        return Some(octets(&case["expected_base64"]));
    }
    let expected = case["expected_cookie_header"].as_str();
    expected.map(|text| text.as_bytes().to_vec())
}

fn octets(value: &Value) -> Vec<u8> {
    let text = value.as_str().expect("base64 text");
    BASE64_STANDARD.decode(text).expect("base64 text")
}
