use std::cell::{Cell, RefCell};
use std::future::pending;
use std::net::{Ipv4Addr, Ipv6Addr};

use aio_core::{ClientTimeout, RequestUrl};

use super::*;

const MILLISECOND: Duration = Duration::from_millis(1);

/// What becomes of a step: it succeeds or fails after so many milliseconds, or never ends.
#[derive(Debug, Clone, Copy)]
enum Fate {
    Good(u32),
    Bad(u32),
    Hole,
}

impl Fate {
    fn parse(text: &str) -> Self {
        let after = |text: &str| text.parse().expect("milliseconds");
        match text.split_at(1) {
            ("+", after_ms) => Self::Good(after(after_ms)),
            ("-", after_ms) => Self::Bad(after(after_ms)),
            _ => Self::Hole,
        }
    }

    async fn come_true(self, error: &'static str) -> Result<(), DialError> {
        let after = |ms| async move {
            // Without waiting, as an address that has no route fails.
            if ms > 0 {
                tokio::time::sleep(ms * MILLISECOND).await;
            }
        };
        match self {
            Self::Good(ms) => after(ms).await,
            Self::Bad(ms) => {
                after(ms).await;
                let kind = ConnectErrorKind::Refused;
                return Err(DialError::failed(kind, io::Error::other(error)));
            }
            Self::Hole => pending().await,
        }
        Ok(())
    }
}

/// An address that tells its family and its letter.
fn address(name: &str) -> SocketAddr {
    let letter = name.as_bytes()[1];
    match &name[..1] {
        "4" => (Ipv4Addr::new(192, 0, 2, letter), 80).into(),
        _ => (
            Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, letter.into()),
            80,
        )
            .into(),
    }
}

fn name(address: SocketAddr) -> String {
    match address {
        SocketAddr::V4(v4) => format!("4{}", char::from(v4.ip().octets()[3])),
        SocketAddr::V6(v6) => format!("6{}", char::from(v6.ip().octets()[15])),
    }
}

/// One that is being dialled, until it is dropped.
struct Open<'a>(&'a Cell<usize>);

impl<'a> Open<'a> {
    fn new(open: &'a Cell<usize>) -> Self {
        open.set(open.get() + 1);
        Self(open)
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

const DEFAULT: HappyEyeballs = HappyEyeballs {
    delay: Some(Duration::from_millis(250)),
    interleave: None,
};

const fn delay(ms: u64) -> HappyEyeballs {
    HappyEyeballs {
        delay: Some(Duration::from_millis(ms)),
        interleave: None,
    }
}

const ONE_BY_ONE: HappyEyeballs = HappyEyeballs {
    delay: None,
    interleave: None,
};

fn interleave(count: usize) -> HappyEyeballs {
    HappyEyeballs {
        interleave: Some(count),
        ..DEFAULT
    }
}

/// A host's address: what becomes of connecting, and of TLS.
struct Host {
    address: SocketAddr,
    connect: Fate,
    tls: Option<Fate>,
}

impl Host {
    fn parse(text: &str) -> Self {
        let (name, fates) = text.split_at(2);
        let (connect, tls) = match fates.split_once('/') {
            Some((connect, tls)) => (connect, Some(Fate::parse(tls))),
            None => (fates, None),
        };
        Self {
            address: address(name),
            connect: Fate::parse(connect),
            tls,
        }
    }
}

/// Dials hosts like `6a+10/-5 4a*`: connected to after 10 ms, TLS fails after another 5;
/// never connected to. `sock_connect` is 1 s.
///
/// `want` has who was dialled, in the order in which it began, from when to when in
/// milliseconds, and what it failed for, or `cut` if another was faster; last who won, or
/// the error in the end.
#[track_caller]
fn check(eyeballs: HappyEyeballs, hosts: &str, want: &str) {
    assert_eq!(story(eyeballs, hosts), want);
}

fn story(eyeballs: HappyEyeballs, hosts: &str) -> String {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime");
    let hosts: Vec<_> = hosts.split(' ').map(Host::parse).collect();
    runtime.block_on(run(&eyeballs, &hosts))
}

async fn run(eyeballs: &HappyEyeballs, hosts: &[Host]) -> String {
    let addresses = hosts.iter().map(|host| host.address).collect();
    let host = |wanted: SocketAddr| {
        let mut hosts = hosts.iter();
        hosts.find(|host| host.address == wanted).expect("given")
    };
    let url = RequestUrl::parse("https://a.test/").expect("a URL");
    let timeout = ClientTimeout {
        sock_connect: Some(1000 * MILLISECOND),
        ..ClientTimeout::none()
    };
    let start = now();
    let (open, begun) = (Cell::new(0), RefCell::new(Vec::new()));
    let mut request = ConnectRequest::begun(&url, &timeout, start);
    let connect = async |address| {
        let _open = Open::new(&open);
        assert!(open.get() <= IN_FLIGHT, "{}", open.get());
        begun.borrow_mut().push((address, now() - start));
        host(address).connect.come_true("refused").await?;
        Ok(address)
    };
    let is_tls = hosts.iter().any(|host| host.tls.is_some());
    let agree = is_tls.then_some(async |address| {
        assert_eq!(open.get(), 0, "the losers are gone");
        let tls = host(address).tls.unwrap_or(Fate::Good(0));
        tls.come_true("alert").await?;
        Ok(address)
    });
    let dialled = dial(eyeballs, addresses, &mut request, connect, agree).await;
    assert_eq!(open.get(), 0, "all are gone");

    let dials = request.attempt().dials;
    let told: Vec<_> = dials
        .iter()
        .map(|dial| (dial.address, dial.began))
        .collect();
    assert_eq!(told, *begun.borrow(), "what is told is what was done");
    let winner = dialled.as_ref().ok();
    let won = dials.iter().rposition(|dial| Some(&dial.address) == winner);
    let tell = |(index, dial): (usize, &DialAttempt)| {
        let (from, to) = (dial.began, dial.began + dial.elapsed);
        let (name, from, to) = (name(dial.address), from.as_millis(), to.as_millis());
        let end = match &dial.error {
            Some(error) => error.to_string(),
            None if won == Some(index) => "won".to_owned(),
            None => "cut".to_owned(),
        };
        format!("{name} {from}-{to} {end}")
    };
    let mut story: Vec<_> = dials.iter().enumerate().map(tell).collect();
    story.extend(dialled.err().map(|error| match error {
        DialError::Failed((_, source)) => format!("{source} when {}", request.phase),
        DialError::Timeout => format!("late when {}", request.phase),
    }));
    story.join(", ")
}

#[test]
fn families_take_turns_from_the_first_one_on() {
    #[track_caller]
    fn check(interleave: impl Into<Option<usize>>, delay: Option<u64>, given: &str, want: &str) {
        let eyeballs = HappyEyeballs {
            delay: delay.map(Duration::from_millis),
            interleave: interleave.into(),
        };
        let given = given.split(' ').map(address).collect();
        let ordered: Vec<_> = eyeballs.order(given).into_iter().map(name).collect();
        assert_eq!(ordered.join(" "), want);
    }
    let on = Some(250);
    check(None, on, "4a", "4a");
    check(None, on, "4a 4b 4c", "4a 4b 4c");
    check(None, on, "6a 6b 4a 4b", "6a 4a 6b 4b");
    check(None, on, "4a 4b 6a 6b", "4a 6a 4b 6b");
    check(None, on, "4a 6a 6b 6c", "4a 6a 6b 6c");
    check(None, on, "6a 6b 6c 4a", "6a 4a 6b 6c");
    // EDGE-182, and beyond.
    check(2, on, "6a 6b 6c 4a 4b", "6a 6b 4a 6c 4b");
    check(2, on, "6a 4a 6b 4b 6c", "6a 6b 4a 6c 4b");
    check(2, on, "6a 4a 4b", "6a 4a 4b");
    check(5, on, "6a 6b 6c 4a 4b", "6a 6b 6c 4a 4b");
    check(3, on, "6a 4a 6b 4b 6c 4c 6d", "6a 6b 6c 4a 6d 4b 4c");
    // 0 keeps the order, as having no delay does unless it is set.
    check(0, on, "6a 6b 4a", "6a 6b 4a");
    check(None, None, "6a 6b 4a", "6a 6b 4a");
    check(1, None, "6a 6b 4a", "6a 4a 6b");
}

#[test]
fn one_address_has_until_sock_connect() {
    check(DEFAULT, "6a+10", "6a 0-10 won");
    check(DEFAULT, "6a*", "6a 0-1000 timed out, late when connecting");
    check(DEFAULT, "6a-0", "6a 0-0 refused, refused when connecting");
    check(DEFAULT, "6a-30", "6a 0-30 refused, refused when connecting");
}

#[test]
fn the_next_begins_after_the_delay_or_a_failure() {
    check(DEFAULT, "6a+300 4a+10", "6a 0-260 cut, 4a 250-260 won");
    check(DEFAULT, "6a+255 4a+10", "6a 0-255 won, 4a 250-255 cut");
    check(DEFAULT, "6a+260 4a+10", "6a 0-260 won, 4a 250-260 cut");
    check(DEFAULT, "6a* 4a+10", "6a 0-260 cut, 4a 250-260 won");
    check(DEFAULT, "6a-0 4a+10", "6a 0-0 refused, 4a 0-10 won");
    check(DEFAULT, "6a-40 4a+10", "6a 0-40 refused, 4a 40-50 won");
    check(
        DEFAULT,
        "6a-40 4a-10 4b+5",
        "6a 0-40 refused, 4a 40-50 refused, 4b 50-55 won",
    );
    check(
        DEFAULT,
        "6a-300 4a* 4b+5",
        "6a 0-300 refused, 4a 250-305 cut, 4b 300-305 won",
    );
    check(
        DEFAULT,
        "6a-260 4a-10 4b* 4c+5",
        "6a 0-260 refused, 4a 250-260 refused, 4b 260-515 cut, 4c 510-515 won",
    );
    check(
        DEFAULT,
        "6a* 6b* 6c* 4a+20 4b+20",
        "6a 0-270 cut, 4a 250-270 won",
    );
    check(
        DEFAULT,
        "6a* 6b-0 4a-30 4b+100",
        "6a 0-380 cut, 4a 250-280 refused, 6b 280-280 refused, 4b 280-380 won",
    );
    check(
        DEFAULT,
        "6a* 4a* 6b* 4b* 6c* 4c*",
        "6a 0-1000 timed out, 4a 250-1250 timed out, 6b 500-1500 timed out, 4b 750-1750 timed out, 6c 1000-2000 timed out, 4c 1000-2000 timed out, late when connecting",
    );
    check(
        DEFAULT,
        "6a-0 4a-0 6b-0",
        "6a 0-0 refused, 4a 0-0 refused, 6b 0-0 refused, refused when connecting",
    );
    check(
        DEFAULT,
        "6a-10 4a* 6b-0",
        "6a 0-10 refused, 4a 10-1010 timed out, 6b 260-260 refused, refused when connecting",
    );
    check(
        DEFAULT,
        "6a* 4a-10",
        "6a 0-1000 timed out, 4a 250-260 refused, late when connecting",
    );
    check(DEFAULT, "6a+999 4a-10", "6a 0-999 won, 4a 250-260 refused");
    check(
        DEFAULT,
        "6a+1001 4a-10",
        "6a 0-1000 timed out, 4a 250-260 refused, late when connecting",
    );
    check(
        DEFAULT,
        "6a+1000 4a-10",
        "6a 0-1000 won, 4a 250-260 refused",
    );
    check(
        DEFAULT,
        "6a* 4a* 4b+2000 4c+10",
        "6a 0-760 cut, 4a 250-760 cut, 4b 500-760 cut, 4c 750-760 won",
    );
}

#[test]
fn the_error_is_that_of_the_last_address() {
    // EDGE-180. As aiohttp 3.14.5 told it, asked with the same: `sock_connect` expired or refused.
    #[track_caller]
    fn check(hosts: &str, want: &str) {
        let story = story(DEFAULT, hosts);
        let told = story.split(", ").last();
        assert_eq!(told, Some(want), "{hosts}");
    }
    check("4a* 4b-0", "refused when connecting");
    check("4a-0 4b*", "late when connecting");
    check("4a* 6a-0", "late when connecting");
    check("6a-0 4a*", "late when connecting");
    check("4a* 4b-0 6a-0", "refused when connecting");
    check("6a-0 4a* 4b-0", "refused when connecting");
    check("4a-0 4b* 6a-0", "late when connecting");
    check("4a* 4b-0 4c-0", "refused when connecting");
    check("4a-0 4b* 4c-0", "refused when connecting");

    // Who was connected to comes before who was not.
    check("4a+1/-1 6a-0", "alert when agreeing on TLS");
    check("6a-0 4a+1/-1", "alert when agreeing on TLS");
    check("4a+1/-1 6a-0 4b+1/-1 6b-0", "alert when agreeing on TLS");
    check("4a+1/-1 4b+1/-1 6a-0", "alert when agreeing on TLS");
    check("6a+1/-1 4a-0 4b-0", "refused when connecting");
    check("4a-0 4b+1/-1 4c-0", "refused when connecting");
    check("4a+1/* 6a-0", "late when agreeing on TLS");
    check("6a-0 4a+1/*", "late when agreeing on TLS");
    check("4a+1/* 6a+1/-1", "late when agreeing on TLS");
    check("6a+1/-1 4a+1/*", "alert when agreeing on TLS");
}

#[test]
fn other_delays_and_orders() {
    check(
        interleave(2),
        "6a* 6b* 4a+10 4b+10",
        "6a 0-510 cut, 6b 250-510 cut, 4a 500-510 won",
    );
    check(
        interleave(5),
        "6a* 6b* 6c-0 4a+10 4b+10",
        "6a 0-510 cut, 6b 250-510 cut, 6c 500-500 refused, 4a 500-510 won",
    );
    check(
        interleave(0),
        "6a* 6b+10 4a+10",
        "6a 0-260 cut, 6b 250-260 won",
    );
    check(
        delay(0),
        "6a* 4a+20 4b+10",
        "6a 0-10 cut, 4a 0-10 cut, 4b 0-10 won",
    );
    check(
        delay(0),
        "6a-0 4a-0 4b-5",
        "6a 0-0 refused, 4a 0-0 refused, 4b 0-5 refused, refused when connecting",
    );
    check(
        delay(0),
        "4a* 4b* 4c* 4d* 4e* 4f* 4g* 4h* 4i+10",
        "4a 0-1000 timed out, 4b 0-1000 timed out, 4c 0-1000 timed out, 4d 0-1000 timed out, 4e 0-1000 timed out, 4f 0-1000 timed out, 4g 0-1000 timed out, 4h 0-1000 timed out, 4i 1000-1010 won",
    );
    check(
        delay(0),
        "4a-10 4b* 4c* 4d* 4e* 4f* 4g* 4h* 4i+10",
        "4a 0-10 refused, 4b 0-20 cut, 4c 0-20 cut, 4d 0-20 cut, 4e 0-20 cut, 4f 0-20 cut, 4g 0-20 cut, 4h 0-20 cut, 4i 10-20 won",
    );
    check(
        delay(10),
        "4a* 4b* 4c* 4d* 4e* 4f* 4g* 4h-500 4i+10 4j+0",
        "4a 0-580 cut, 4b 10-580 cut, 4c 20-580 cut, 4d 30-580 cut, 4e 40-580 cut, 4f 50-580 cut, 4g 60-580 cut, 4h 70-570 refused, 4i 570-580 won",
    );
    check(
        delay(100),
        "4a-50 4b-50 4c-150 4d* 4e+20",
        "4a 0-50 refused, 4b 50-100 refused, 4c 100-250 refused, 4d 200-270 cut, 4e 250-270 won",
    );
}

#[test]
fn without_a_delay_one_waits_for_the_failure_of_the_other() {
    check(
        ONE_BY_ONE,
        "6a* 4a+10",
        "6a 0-1000 timed out, 4a 1000-1010 won",
    );
    check(
        ONE_BY_ONE,
        "6a-20 6b-0 4a+10",
        "6a 0-20 refused, 6b 20-20 refused, 4a 20-30 won",
    );
    check(
        ONE_BY_ONE,
        "6a* 4a*",
        "6a 0-1000 timed out, 4a 1000-2000 timed out, late when connecting",
    );
    check(ONE_BY_ONE, "6a+900 4a+10", "6a 0-900 won");
}

#[test]
fn tls_that_fails_has_the_others_dialled() {
    // CON-64, EDGE-179.
    check(DEFAULT, "6a+10/+5", "6a 0-15 won");
    check(DEFAULT, "6a+10/-5 4a+10/+5", "6a 0-15 alert, 4a 15-30 won");
    check(
        DEFAULT,
        "6a+10/* 4a+10/+5",
        "6a 0-1000 timed out, 4a 1000-1015 won",
    );
    check(
        DEFAULT,
        "6a* 4a+10/-5 6b+10/-0 4b+10/+0",
        "6a 0-260 cut, 4a 250-265 alert, 6b 265-275 alert, 4b 275-285 won",
    );
    check(
        DEFAULT,
        "6a+400/+10 4a+10/-5",
        "6a 0-260 cut, 4a 250-265 alert, 6a 265-675 won",
    );
    check(
        DEFAULT,
        "6a+600/+10 4a+10/-5 4b-1",
        "6a 0-260 cut, 4a 250-265 alert, 4b 265-266 refused, 6a 266-876 won",
    );
    check(
        DEFAULT,
        "6a* 4a+10/-5",
        "6a 0-260 cut, 4a 250-265 alert, 6a 265-1265 timed out, alert when agreeing on TLS",
    );
    check(
        DEFAULT,
        "6a+10/-5 4a+10/* 4b-10",
        "6a 0-15 alert, 4a 15-1015 timed out, 4b 1015-1025 refused, refused when connecting",
    );
    check(
        DEFAULT,
        "6a+10/* 4a+10/-5",
        "6a 0-1000 timed out, 4a 1000-1015 alert, late when agreeing on TLS",
    );
    check(
        DEFAULT,
        "6a+10/-5 4a*",
        "6a 0-15 alert, 4a 15-1015 timed out, alert when agreeing on TLS",
    );
    check(
        ONE_BY_ONE,
        "6a+10/-5 6b-0 4a+10/+5",
        "6a 0-15 alert, 6b 15-15 refused, 4a 15-30 won",
    );
    check(
        DEFAULT,
        "6a* 4a-0 6b+0/* 4b+1/-1 4c+1/-1",
        "6a 0-250 cut, 4a 250-250 refused, 6b 250-1250 timed out, 4b 1250-1252 alert, 4c 1252-1254 alert, 6a 1254-2254 timed out, alert when agreeing on TLS",
    );
}

#[tokio::test(start_paused = true)]
async fn what_is_cut_off_stands_there_with_its_time() {
    let url = RequestUrl::parse("http://a.test/").expect("a URL");
    let (timer, timeout, start) = (SharedTimer::default(), ClientTimeout::none(), now());
    let mut request = ConnectRequest::begun(&url, &timeout, start);
    request.timer = Some(&timer);
    let addresses = ["6a", "6b", "4a", "4b"].map(address).to_vec();
    let connect = async |to| match name(to).as_str() {
        "4a" => Fate::Bad(100).come_true("refused").await,
        "6b" => Fate::Bad(0).come_true("no route").await,
        _ => Fate::Hole.come_true("").await,
    };
    let agree = false.then_some(async |()| Ok(()));
    let dialling = dial(&DEFAULT, addresses, &mut request, connect, agree);
    let cut_off = start + 400 * MILLISECOND;
    assert!(timer.within(Some(cut_off), dialling).await.is_none());
    let attempt = request.attempt();
    let tell = |dial: &DialAttempt| {
        let error = dial.error.as_ref().map(ToString::to_string);
        (name(dial.address), dial.elapsed.as_millis(), error)
    };
    let told: Vec<_> = attempt.dials.iter().map(tell).collect();
    let (no_route, refused) = (Some("no route".to_owned()), Some("refused".to_owned()));
    let want = [
        ("6a".to_owned(), 400, None),
        ("4a".to_owned(), 100, refused),
        ("6b".to_owned(), 0, no_route),
        ("4b".to_owned(), 50, None),
    ];
    assert_eq!(told, want);
    let want = "http://a.test/ while connecting after 0.400 s, 2 addresses failed";
    assert_eq!(attempt.to_string(), want);
}

#[tokio::test(start_paused = true)]
async fn many_that_fail_at_once_do_not_keep_others_waiting() {
    let url = RequestUrl::parse("http://a.test/").expect("a URL");
    let timeout = ClientTimeout::none();
    let mut request = ConnectRequest::begun(&url, &timeout, now());
    let connect = async |_| Fate::Bad(0).come_true("no route").await;
    let agree = false.then_some(async |()| Ok(()));
    let addresses = vec![address("4a"); 1000];
    let mut dialling = pin!(dial(&DEFAULT, addresses, &mut request, connect, agree));
    let mut polls = 0;
    let dialled = poll_fn(|cx| {
        polls += 1;
        dialling.as_mut().poll(cx)
    });
    assert!(dialled.await.is_err());
    assert!(polls > 1);
}
