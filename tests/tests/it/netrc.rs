//! Credentials from a netrc file: when they are looked for, and when they are not wanted.

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

use aio_client::{BasicAuth, ClientSession, Environment};
use aio_tests::http_server::Response;

use crate::site::Site;

/// A netrc file of its own; dropping it removes it.
pub(crate) struct Netrc(PathBuf);

impl Netrc {
    pub(crate) fn new(text: &str) -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("aio-netrc-{}-{count}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::write(&path, text).expect("a file");
        Self(path)
    }

    pub(crate) fn path(&self) -> &str {
        self.0.to_str().expect("text")
    }
}

impl Drop for Netrc {
    fn drop(&mut self) {
        fs::remove_file(&self.0).expect("it is there");
    }
}

fn session(site: &Site, trust_env: bool, netrc: &Netrc) -> ClientSession {
    let environment = Environment::from_pairs([("NETRC", netrc.0.to_str().expect("text"))]);
    let builder = site.session().trust_env(trust_env).environment(environment);
    builder.build().expect("valid")
}

async fn site() -> Site {
    Site::new(|_| Response::ok("ok")).await
}

const ADA: &str = "Basic YWRhOnB3";

/// Checks which credentials a request for `a.test` has.
async fn check(text: &str, trust_env: bool, want: &[&str]) {
    let (site, netrc) = (site().await, Netrc::new(text));
    let session = session(&site, trust_env, &netrc);
    session.get("http://a.test/").await.expect("a response");
    assert_eq!(site.last_values("authorization"), want, "{text:?}");
}

#[tokio::test]
async fn a_file_is_asked_for_when_the_environment_is_trusted() {
    // EDGE-245, AUT-15 to AUT-17.
    let entry = "machine a.test login ada password pw";
    check(entry, true, &[ADA]).await;
    check(entry, false, &[]).await;
    check("default login ada password pw", true, &[ADA]).await;
    check("machine b.test login ada password pw", true, &[]).await;
    // What is wrong with it is only warned of.
    check("machine a.test login ada password pw\nnonsense", true, &[]).await;
    check("machine a.test login ada:eve password pw", true, &[]).await;
}

#[tokio::test]
async fn a_file_that_is_not_there_is_no_error() {
    let site = site().await;
    let environment = Environment::from_pairs([("NETRC", "/nowhere/at/all")]);
    let builder = site.session().trust_env(true).environment(environment);
    let session = builder.build().expect("valid");
    session.get("http://a.test/").await.expect("a response");
    assert!(site.last_values("authorization").is_empty());
}

#[tokio::test]
async fn whatever_else_is_given_goes_first() {
    // AUT-09: fixed, a header is no error.
    let (site, netrc) = (
        site().await,
        Netrc::new("machine a.test login ada password pw"),
    );
    let session = session(&site, true, &netrc);
    let request = session.get("http://a.test/").header("Authorization", "own");
    request.await.expect("a response");
    assert_eq!(site.last_values("authorization"), ["own"]);
    let request = session
        .get("http://a.test/")
        .basic_auth(BasicAuth::new("eve", "pw"));
    request.await.expect("a response");
    assert_eq!(site.last_values("authorization"), ["Basic ZXZlOnB3"]);
    session
        .get("http://eve:pw@a.test/")
        .await
        .expect("a response");
    assert_eq!(site.last_values("authorization"), ["Basic ZXZlOnB3"]);
}

#[tokio::test]
async fn each_hop_has_the_credentials_of_its_host() {
    // RED-31.
    let site = Site::new(|request| match request.target.as_str() {
        "/" => Response::new(302).header("Location", "http://b.test/b"),
        "/b" => Response::new(302).header("Location", "http://c.test/c"),
        _ => Response::ok("end"),
    })
    .await;
    let text = "machine a.test login ada password pw\nmachine c.test login eve password pw";
    let netrc = Netrc::new(text);
    session(&site, true, &netrc)
        .get("http://a.test/")
        .await
        .expect("a response");
    let seen = site.seen.lock().expect("no panic");
    let sent: Vec<_> = seen
        .iter()
        .map(|request| request.header("Authorization"))
        .collect();
    assert_eq!(sent, [Some(ADA), None, Some("Basic ZXZlOnB3")]);
}
