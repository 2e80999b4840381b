//! The IETF http-state working group's dates, all 70 of them.

use std::time::{Duration, SystemTime};

use serde_json::Value;

#[test]
fn http_state_dates_are_read_as_expected() {
    let suite = include_str!("data/http_state_dates.json");
    let suite: Value = serde_json::from_str(suite).expect("the suite is JSON");
    let cases = suite["cases"].as_array().expect("the suite has cases");
    assert_eq!(cases.len(), 70);

    for case in cases {
        let input = case["input"].as_str().expect("a case has an input");
        let want = case["expected_unix"].as_u64().map(Duration::from_secs);
        let date = aio_cookies::parse_date(input.as_bytes());
        assert_eq!(
            date,
            want.map(|since| SystemTime::UNIX_EPOCH + since),
            "{input:?}"
        );
    }
}
