//! Whatever becomes of a request: no value of a cookie is shown to anybody who looks.

use std::fmt::Write;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use aio_client::{
    ClientSession, ClientTimeout, CookieJar, CookieJarOptions, CookieRequest, CookieStyle,
    DummyCookieJar, Profile, TcpConnector,
};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::TestRunner;

use crate::peer::{Listener, soon};
use crate::proxy_secrets::{Events, Here, errors, look};
use crate::secrets::Log;

/// What servers set; `V` is the value.
const SET: [&str; 18] = [
    "id=V",
    "id=\"V\"",
    "id=\"V; Path=/",
    "id=V; Domain=elsewhere.example",
    "id=V; Domain=test; Path=/x",
    "id=V; Secure",
    "id=V; Max-Age=0",
    "id=V; Max-Age=60; HttpOnly; SameSite=None",
    "__Host-id=V",
    "V",
    "=V",
    "id==V",
    "bad name=V",
    "\"id\"=V",
    "id=V\u{1}",
    "id=é V, other=V",
    "id=VVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVV",
    "__Secure-id = V ;; ;",
];

/// What becomes of the response.
const ANSWERS: [&str; 9] = [
    "HTTP/1.1 200 OK\r\nCOOKIESContent-Length: 2\r\n\r\nok",
    "HTTP/1.1 500 No\r\nCOOKIESContent-Length: 0\r\n\r\n",
    "HTTP/1.1 302 F\r\nLocation: ftp://a.test/\r\nCOOKIESContent-Length: 0\r\n\r\n",
    "HTTP/1.1 302 F\r\nLocation: http://a.test:1/\r\nCOOKIESContent-Length: 0\r\n\r\n",
    "HTTP/1.1 200 OK\r\nCOOKIESContent-Length: 9\r\n\r\nhalf",
    "HTTP/1.1 200 OK\r\nCOOKIESContent-Length: x\r\n\r\n",
    "HTTP/1.1 200 OK\r\nCOOKIES",
    "COOKIES\r\n\r\n",
    "",
];

const SECRET: &str = "s3cretValue";

#[derive(Debug, Clone)]
struct Case {
    profile: Profile,
    keeps: bool,
    allow_ip_hosts: bool,
    host: &'static str,
    set: Vec<&'static str>,
    answer: &'static str,
    own: &'static str,
    raises: bool,
}

fn cases() -> impl Strategy<Value = Case> {
    let jar = (
        select(vec![Profile::Rfc6265bis, Profile::Aiohttp]),
        prop::bool::weighted(0.9),
        any::<bool>(),
    );
    let hosts = select(vec!["a.test", "www.a.test", "localhost", "127.0.0.1"]);
    let answer = (vec(select(&SET[..]), 0..6), select(&ANSWERS[..]));
    let own = (select(vec!["V", "\"V", "V;V", "V\n"]), any::<bool>());
    (jar, hosts, answer, own).prop_map(
        |((profile, keeps, allow_ip_hosts), host, (set, answer), (own, raises))| Case {
            profile,
            keeps,
            allow_ip_hosts,
            host,
            set,
            answer,
            own,
            raises,
        },
    )
}

impl Case {
    /// Sends a request twice, the second time with what the first has stored, and tells
    /// whether both were answered.
    async fn run(&self) -> bool {
        let (events, log) = (Events::default(), Log::default());
        let watching = tracing::subscriber::set_default(events.clone());
        let style = CookieStyle {
            profile: self.profile,
            ..CookieStyle::default()
        };
        let jar = Arc::new(CookieJar::with_options(CookieJarOptions {
            style,
            allow_ip_hosts: self.allow_ip_hosts,
            ..CookieJarOptions::default()
        }));
        let connector = TcpConnector::builder().resolver(Arc::new(Here)).build();
        let builder = ClientSession::builder()
            .connector(connector.expect("valid"))
            .timeout(ClientTimeout::total(Duration::from_secs(60)))
            .raise_for_status(self.raises)
            .trace_config(log.clone());
        let builder = match self.keeps {
            true => builder.cookie_jar(jar.clone()),
            false => builder.cookie_jar(Arc::new(DummyCookieJar { style })),
        };
        let builder = builder.cookie("shared", SECRET);
        let mut shown = format!("{builder:?} {builder:#?}");
        let session = builder.build().expect("valid");
        let listener = Listener::new().await;
        let port = listener.host().replace("127.0.0.1:", "");
        let url = format!("http://{}:{port}/", self.host);
        let mut answered = 0;
        for _ in 0..2 {
            answered += u32::from(self.talk(&session, &listener, &url, &mut shown).await);
        }
        let to = url.parse().expect("a URL");
        let now = SystemTime::now();
        let pairs = jar.filter_cookies(&CookieRequest::new(&to, now));
        let cookies = jar.cookies(now);
        _ = write!(shown, "{session:?} {:?} {jar:#?}", session.cookie_jar());
        _ = write!(shown, "{pairs:?} {pairs:#?} {cookies:?} {cookies:#?}");
        shown.push_str(&log.shown());
        session.close().await;
        drop(watching);
        shown.push_str(&events.fields().0);
        let bytes: Vec<_> = SECRET.bytes().map(|byte| byte.to_string()).collect();
        for form in [SECRET.to_owned(), bytes.join(", ")] {
            assert!(!shown.contains(&form), "{shown}");
        }
        answered == 2
    }

    async fn talk(
        &self,
        session: &ClientSession,
        listener: &Listener,
        url: &str,
        shown: &mut String,
    ) -> bool {
        let own = self.own.replace('V', SECRET);
        let request = session.get(url).cookie("own", own);
        let request = request.header("Cookie", format!("hand={SECRET}"));
        _ = write!(shown, "{request:?} {request:#?}");
        let line = |text: &&str| format!("Set-Cookie: {}\r\n", text.replace('V', SECRET));
        let lines: String = self.set.iter().map(line).collect();
        // Until the client has enough: what is not answered is asked again.
        let play = async {
            loop {
                let mut peer = listener.accept().await;
                if peer.try_head().await.is_some() {
                    peer.send(self.answer.replace("COOKIES", &lines)).await;
                }
            }
        };
        let send = async {
            let mut response = request.send().await?;
            shown.push_str(&look(&response));
            _ = write!(shown, "{:?} {:#?}", response.cookies(), response.cookies());
            response.text().await
        };
        let sent = soon("an end", async {
            tokio::select! {
                biased;
                sent = send => sent,
                never = play => never,
            }
        });
        match sent.await {
            Ok(_) => true,
            Err(error) => {
                shown.push_str(&errors(&error));
                false
            }
        }
    }
}

#[test]
fn no_value_of_a_cookie_is_shown() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = runtime.expect("a runtime");
    // Some each time, more when asked for.
    let default = ProptestConfig::default();
    let cases_to_run = match std::env::var_os("PROPTEST_CASES") {
        Some(_) => default.cases,
        None => 200,
    };
    let mut runner = TestRunner::new(ProptestConfig {
        cases: cases_to_run,
        failure_persistence: None,
        ..default
    });
    let outcomes = Mutex::new([0, 0]);
    let ran = runner.run(&cases(), |case| {
        let answered = runtime.block_on(case.run());
        outcomes.lock().expect("no panic")[usize::from(answered)] += 1;
        Ok(())
    });
    ran.unwrap_or_else(|error| panic!("{error}"));
    let [failed, answered] = *outcomes.lock().expect("no panic");
    assert!(
        answered > 0 && failed > 0,
        "{answered} answered, {failed} failed"
    );
}
