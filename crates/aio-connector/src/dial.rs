//! Dialling the addresses of a host, by RFC 8305: one soon after the other, until the first
//! answers.

use std::collections::VecDeque;
use std::error::Error;
use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use aio_core::deadline;
use smallvec::SmallVec;
use tokio::task::coop;

use crate::connector::ConnectRequest;
use crate::error::{ConnectErrorKind, DialAttempt, DialError, Phase};
use crate::timer::{SharedTimer, now};

/// How many addresses are dialled at the same time at most.
///
/// With the usual delay, the eight have been silent for 2 s before a ninth has to wait:
/// whoever has that many dead addresses is not reached sooner by more, and a long list must
/// not take a file for each of its addresses.
const IN_FLIGHT: usize = 8;

/// In which order and how soon after one another addresses are dialled.
#[derive(Debug, Clone, Copy)]
pub(crate) struct HappyEyeballs {
    /// RFC 8305's Connection Attempt Delay; without it each address waits for the failure of
    /// the one before.
    pub(crate) delay: Option<Duration>,
    /// RFC 8305's First Address Family Count, of which 0 keeps the order; unset it is 1, or
    /// without a delay 0.
    pub(crate) interleave: Option<usize>,
}

impl Default for HappyEyeballs {
    fn default() -> Self {
        Self {
            delay: Some(Duration::from_millis(250)),
            interleave: None,
        }
    }
}

impl HappyEyeballs {
    /// Puts addresses into the order in which they are dialled.
    ///
    /// RFC 8305 4, as aiohttp has it: so many of the family of the first, then one of each
    /// family in turn.
    pub(crate) fn order(&self, addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
        let default = usize::from(self.delay.is_some());
        let count = self.interleave.unwrap_or(default);
        let (Some(first), Some(ahead)) = (addresses.first(), count.checked_sub(1)) else {
            return addresses;
        };
        let is_first = |address: &SocketAddr| address.is_ipv4() == first.is_ipv4();
        if addresses.iter().all(is_first) {
            return addresses;
        }
        let (mut ordered, mut other): (Vec<_>, Vec<_>) =
            addresses.iter().partition(|a| is_first(a));
        let mut own = ordered.split_off(ahead.min(ordered.len())).into_iter();
        let mut other = other.drain(..);
        loop {
            let both = [own.next(), other.next()];
            if both == [None; 2] {
                return ordered;
            }
            ordered.extend(both.into_iter().flatten());
        }
    }
}

/// Dials `addresses` until one is connected to, and agrees on TLS with who is there.
///
/// Each has `sock_connect` for both. Where one of them fails, the next is dialled at once;
/// whoever is slower than the first to connect is dropped, and dialled again only if TLS
/// fails with that one and all others (CON-64).
///
/// # Errors
/// That of the last one: see [`Last`].
pub(crate) async fn dial<T, C, A>(
    eyeballs: &HappyEyeballs,
    addresses: Vec<SocketAddr>,
    request: &mut ConnectRequest<'_>,
    connect: impl Fn(SocketAddr) -> C,
    agree: Option<impl Fn(T) -> A>,
) -> Result<T, DialError>
where
    C: Future<Output = Result<T, DialError>>,
    A: Future<Output = Result<T, DialError>>,
{
    let mut race = Race::new(eyeballs, addresses);
    let mut last = Last {
        round: 0,
        phase: request.phase,
        error: None,
    };
    while let Some((stream, winner)) = first(&mut race, request, &connect, &mut last).await {
        let Some(agree) = &agree else {
            return Ok(stream);
        };
        request.dials().agreeing(winner.number);
        let agreed = request.agree(winner.too_late, agree(stream)).await;
        let error = match agreed.unwrap_or(Err(DialError::Timeout)) {
            Ok(stream) => return Ok(stream),
            Err(error) => error,
        };
        request.dials().failed(winner.number, now(), &error);
        last.failed(race.round(winner.index), Phase::Tls, error);
    }
    request.phase = last.phase;
    Err(last.error.unwrap_or_else(|| {
        let error = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
        DialError::failed(ConnectErrorKind::Resolve, error)
    }))
}

/// What is told where all addresses have failed: what the last one did, though another may
/// have taken longer. Each family has a last one: that of the larger family, or of equal
/// ones the first with which TLS failed, or else whichever failed later. So a certificate
/// that is not trusted is not hidden behind a family that is not there.
///
/// So does aiohttp: after all have failed it dials them again without the first of each
/// family, and so on, and tells of the last time.
struct Last {
    round: usize,
    phase: Phase,
    error: Option<DialError>,
}

impl Last {
    fn failed(&mut self, round: usize, phase: Phase, error: DialError) {
        let tells_more = round == self.round && self.phase != Phase::Tls;
        if round > self.round || tells_more {
            *self = Self {
                round,
                phase,
                error: Some(error),
            };
        }
    }
}

/// Dials until the first connects; gives nothing when all have failed.
async fn first<T, C: Future<Output = Result<T, DialError>>>(
    race: &mut Race,
    request: &mut ConnectRequest<'_>,
    connect: &impl Fn(SocketAddr) -> C,
    last: &mut Last,
) -> Option<(T, UnderWay)> {
    request.phase = Phase::Connect;
    let begun = now();
    let sock_connect = request.timeout.sock_connect;
    let own = SharedTimer::default();
    let timer = request.timer.unwrap_or(&own);
    let mut place = pin!(None);
    let mut attempts = Attempts::at(place.as_mut());
    let won = poll_fn(|cx| {
        loop {
            // Many may fail without waiting: other tasks have their turn in between.
            ready!(coop::poll_proceed(cx)).made_progress();
            let now = now();
            let dials = request.dials();
            while let Some(address) = race.begin(now, sock_connect, dials.len()) {
                dials.begun(address, now);
                attempts.begin(connect(address));
            }
            let mut index = 0;
            while let Some(attempt) = race.under_way.get(index) {
                let is_late = attempt.too_late.is_some_and(|late| late <= now);
                let error = match attempts.poll(index, cx) {
                    Poll::Ready(Ok(stream)) => {
                        dials.connected(now);
                        return Poll::Ready(Some((stream, race.won(index))));
                    }
                    Poll::Ready(Err(error)) => error,
                    Poll::Pending if is_late => DialError::Timeout,
                    Poll::Pending => {
                        index += 1;
                        continue;
                    }
                };
                attempts.end(index);
                let failed = race.failed(index, now);
                dials.failed(failed.number, now, &error);
                last.failed(race.round(failed.index), Phase::Connect, error);
            }
            if race.is_over() {
                return Poll::Ready(None);
            }
            let rings_at = race.rings_at();
            if rings_at.is_none_or(|at| now < at) {
                ready!(timer.poll(cx, rings_at));
            }
        }
    })
    .await;
    request.ended(Phase::Connect, begun);
    won
}

/// Who is dialled when.
struct Race {
    addresses: Vec<SocketAddr>,
    /// How many of them have been begun with.
    begun: usize,
    /// Who is dialled again after those.
    again: VecDeque<usize>,
    /// Who is being dialled, in the order in which that began.
    under_way: SmallVec<[UnderWay; 1]>,
    delay: Option<Duration>,
    /// When the next one begins, while others are under way.
    next_at: Option<Instant>,
}

struct UnderWay {
    /// Its place among the addresses.
    index: usize,
    /// Its place among all that is noted in the request.
    number: usize,
    /// When `sock_connect` is over for it.
    too_late: Option<Instant>,
}

impl Race {
    fn new(eyeballs: &HappyEyeballs, addresses: Vec<SocketAddr>) -> Self {
        Self {
            addresses: eyeballs.order(addresses),
            begun: 0,
            again: VecDeque::new(),
            under_way: SmallVec::new(),
            delay: eyeballs.delay,
            next_at: None,
        }
    }

    fn is_over(&self) -> bool {
        self.under_way.is_empty() && self.next().is_none()
    }

    /// Returns whose turn it is next.
    fn next(&self) -> Option<usize> {
        let fresh = (self.begun < self.addresses.len()).then_some(self.begun);
        fresh.or_else(|| self.again.front().copied())
    }

    /// Returns whom to dial now, if it is anybody's turn.
    fn begin(
        &mut self,
        now: Instant,
        sock_connect: Option<Duration>,
        number: usize,
    ) -> Option<SocketAddr> {
        let is_turn = self.next_at.is_some_and(|at| at <= now) && !self.is_full();
        if !is_turn && !self.under_way.is_empty() {
            return None;
        }
        let index = self.next()?;
        if index == self.begun {
            self.begun += 1;
        } else {
            self.again.pop_front();
        }
        self.next_at = self.delay.and_then(|delay| now.checked_add(delay));
        self.under_way.push(UnderWay {
            index,
            number,
            too_late: deadline(now, sock_connect),
        });
        self.addresses.get(index).copied()
    }

    /// One has failed: the next begins at once.
    fn failed(&mut self, index: usize, now: Instant) -> UnderWay {
        self.next_at = Some(now);
        self.under_way.remove(index)
    }

    /// One is connected: the slower ones come after those that have not begun.
    fn won(&mut self, index: usize) -> UnderWay {
        let winner = self.under_way.remove(index);
        let slower = self.under_way.drain(..);
        self.again.extend(slower.map(|attempt| attempt.index));
        winner
    }

    /// Returns how many of its family come before it.
    fn round(&self, index: usize) -> usize {
        let is_ipv4 = |index: usize| self.addresses.get(index).map(SocketAddr::is_ipv4);
        let family = is_ipv4(index);
        (0..index).filter(|index| is_ipv4(*index) == family).count()
    }

    /// Returns when something happens though nobody answers.
    fn rings_at(&self) -> Option<Instant> {
        let may_begin = !self.is_full() && self.next().is_some();
        let next_at = self.next_at.filter(|_| may_begin);
        let too_late = self.under_way.iter().filter_map(|attempt| attempt.too_late);
        too_late.chain(next_at).min()
    }

    fn is_full(&self) -> bool {
        self.under_way.len() >= IN_FLIGHT
    }
}

/// The futures of those under way, in the same order.
struct Attempts<'a, F> {
    /// Room for one: mostly there is no second one.
    place: Pin<&'a mut Option<F>>,
    /// Without a box it is the one in its place.
    all: SmallVec<[Option<Pin<Box<F>>>; 1]>,
}

impl<'a, F: Future> Attempts<'a, F> {
    fn at(place: Pin<&'a mut Option<F>>) -> Self {
        let all = SmallVec::new();
        Self { place, all }
    }

    fn begin(&mut self, attempt: F) {
        if self.place.is_none() {
            self.place.set(Some(attempt));
            self.all.push(None);
        } else {
            self.all.push(Some(Box::pin(attempt)));
        }
    }

    fn poll(&mut self, index: usize, cx: &mut Context<'_>) -> Poll<F::Output> {
        match self.all.get_mut(index) {
            Some(Some(boxed)) => boxed.as_mut().poll(cx),
            _ => match self.place.as_mut().as_pin_mut() {
                Some(attempt) => attempt.poll(cx),
                None => Poll::Pending,
            },
        }
    }

    fn end(&mut self, index: usize) {
        if self.all.remove(index).is_none() {
            self.place.set(None);
        }
    }
}

/// The addresses that were dialled for a request.
#[derive(Debug, Default)]
pub(crate) struct Dials(SmallVec<[Dialled; 1]>);

#[derive(Debug)]
struct Dialled {
    address: SocketAddr,
    phase: Phase,
    began: Instant,
    /// When it failed or was given up, unless it is still under way.
    ended: Option<Instant>,
    error: Option<Arc<dyn Error + Send + Sync>>,
}

impl Dials {
    fn len(&self) -> usize {
        self.0.len()
    }

    fn begun(&mut self, address: SocketAddr, now: Instant) {
        tracing::debug!(%address, "dialling");
        self.0.push(Dialled {
            address,
            phase: Phase::Connect,
            began: now,
            ended: None,
            error: None,
        });
    }

    /// One of them is connected: this is over for it, and for whoever else is under way.
    fn connected(&mut self, now: Instant) {
        for dialled in &mut self.0 {
            dialled.ended.get_or_insert(now);
        }
    }

    /// TLS is being agreed on with this one.
    fn agreeing(&mut self, number: usize) {
        if let Some(dialled) = self.0.get_mut(number) {
            dialled.phase = Phase::Tls;
            dialled.ended = None;
        }
    }

    fn failed(&mut self, number: usize, now: Instant, error: &DialError) {
        let Some(dialled) = self.0.get_mut(number) else {
            return;
        };
        let error = match error {
            DialError::Failed((_, source)) => Arc::clone(source),
            DialError::Timeout => Arc::new(io::Error::from(io::ErrorKind::TimedOut)),
        };
        tracing::debug!(address = %dialled.address, %error, "dialled in vain");
        dialled.ended = Some(now);
        dialled.error = Some(error);
    }

    /// Tells of them now, for a request that `started` then.
    pub(crate) fn tell(&self, started: Instant, now: Instant) -> Vec<DialAttempt> {
        let tell = |dialled: &Dialled| DialAttempt {
            address: dialled.address,
            phase: dialled.phase,
            began: dialled.began.saturating_duration_since(started),
            elapsed: dialled
                .ended
                .unwrap_or(now)
                .saturating_duration_since(dialled.began),
            error: dialled.error.clone(),
        };
        self.0.iter().map(tell).collect()
    }
}

#[cfg(test)]
mod tests;
