//! What a connector knows of names: one look-up serves all who ask meanwhile, and what it
//! found is kept for a while.

use std::collections::HashMap;
use std::future::{Future, poll_fn};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::Poll;
use std::thread;

use tokio::runtime::{self, Handle};
use tokio::sync::watch;

use super::cache::{Cache, CacheOptions, CachedHost, Found, Name, rotated};
use super::{AddressFamily, Resolved, Resolver, SystemResolver, no_address, spelled};
use crate::connector::ConnectRequest;
use crate::error::{ConnectErrorKind, DialError, Phase};
use crate::key::ConnectionKey;
use crate::observe::ConnectEvent;
use crate::timer::now;

/// A resolver, what is asked of it, and what it said.
#[derive(Debug)]
pub(crate) struct Names {
    pub(crate) resolver: Arc<dyn Resolver>,
    pub(crate) family: AddressFamily,
    pub(crate) use_cache: bool,
    pub(crate) options: CacheOptions,
    known: Arc<Mutex<Known>>,
}

#[derive(Debug, Default)]
struct Known {
    cache: Cache,
    /// Those under way, each shared by the requests of one runtime only: nobody may be
    /// driving another one.
    lookups: HashMap<(Name, runtime::Id), LookUp>,
    begun: u64,
    is_closed: bool,
}

/// A look-up under way. It ends when it is dropped here and nobody waits for it.
#[derive(Debug)]
struct LookUp {
    number: u64,
    joined: usize,
    outcome: watch::Receiver<Option<Outcome>>,
}

type Outcome = Result<Arc<[SocketAddr]>, Arc<io::Error>>;

/// What there is for a request.
enum Look {
    Known(Vec<SocketAddr>),
    Joined(Waiter),
    Begun(Waiter),
    Closed,
}

/// A request that waits for a look-up.
struct Waiter {
    outcome: watch::Receiver<Option<Outcome>>,
    /// How many came before it: each begins with another address.
    turn: usize,
}

/// A look-up's duty to those who wait for it; dropped, it lets them see to it themselves.
#[derive(Debug)]
struct Promise {
    known: Weak<Mutex<Known>>,
    key: (Name, runtime::Id),
    number: u64,
    outcome: watch::Sender<Option<Outcome>>,
}

impl Default for Names {
    fn default() -> Self {
        Self {
            resolver: Arc::new(SystemResolver),
            family: AddressFamily::Any,
            use_cache: true,
            options: CacheOptions::default(),
            known: Arc::default(),
        }
    }
}

impl Names {
    /// Finds the addresses of the peer's name, those of another family left out.
    pub(crate) async fn addresses(
        &self,
        key: &ConnectionKey,
        request: &mut ConnectRequest<'_>,
    ) -> Result<Vec<SocketAddr>, DialError> {
        let (host, port) = (with_one_dot(key.host()), key.port());
        if !self.use_cache {
            return self.ask_now(host, port, request).await;
        }
        let name = Name::new(host, port);
        loop {
            match self.look(&name) {
                Look::Known(addresses) => {
                    request.observe(ConnectEvent::CacheHit { host });
                    return Ok(addresses);
                }
                Look::Joined(waiter) => {
                    request.observe(ConnectEvent::CacheHit { host });
                    if let Some(addresses) = waiter.outcome(request).await? {
                        return Ok(addresses);
                    }
                }
                Look::Begun(waiter) => {
                    request.observe(ConnectEvent::CacheMiss { host });
                    request.observe(ConnectEvent::ResolveStart { host });
                    let Some(addresses) = waiter.outcome(request).await? else {
                        // Its runtime has ended, or is about to: no place for tasks.
                        return self.ask_now(host, port, request).await;
                    };
                    request.observe(ConnectEvent::ResolveEnd { host });
                    return Ok(addresses);
                }
                Look::Closed => {
                    let closed = io::Error::other("the connector is closed");
                    return Err(failed(Arc::new(closed)));
                }
            }
        }
    }

    /// Refuses an address of another family, which needs no look-up.
    pub(crate) fn of_family(&self, address: IpAddr) -> Result<IpAddr, DialError> {
        match self.family.has(&address) {
            true => Ok(address),
            false => Err(failed(Arc::new(no_address(self.family)))),
        }
    }

    /// Asks the resolver for this request alone.
    async fn ask_now(
        &self,
        host: &str,
        port: u16,
        request: &mut ConnectRequest<'_>,
    ) -> Result<Vec<SocketAddr>, DialError> {
        request.observe(ConnectEvent::ResolveStart { host });
        let asked = ask(&*self.resolver, host, port, self.family);
        let asked = request.within(Phase::Resolve, asked).await;
        let found = asked.map_err(|_| DialError::Timeout)?;
        let found = found.map_err(|error| failed(Arc::new(error)))?;
        request.observe(ConnectEvent::ResolveEnd { host });
        Ok(found.addresses)
    }

    /// Finds what is known, or joins or begins a look-up.
    fn look(&self, name: &Name) -> Look {
        let key = (name.clone(), Handle::current().id());
        let mut known = self.known();
        if known.is_closed {
            return Look::Closed;
        }
        let (look, begun) = match known.cache.look(name, now()) {
            Found::Fresh(addresses) => (Look::Known(addresses), None),
            Found::Stale(addresses) => {
                let is_begun = known.lookups.contains_key(&key);
                let begun = (!is_begun).then(|| self.promise(&mut known, key, 0));
                (Look::Known(addresses), begun)
            }
            Found::Nothing => match known.lookups.get_mut(&key) {
                Some(lookup) => {
                    let turn = lookup.joined;
                    lookup.joined += 1;
                    let outcome = lookup.outcome.clone();
                    (Look::Joined(Waiter { outcome, turn }), None)
                }
                None => {
                    let promise = self.promise(&mut known, key, 1);
                    let outcome = promise.outcome.subscribe();
                    (Look::Begun(Waiter { outcome, turn: 0 }), Some(promise))
                }
            },
        };
        drop(known);
        // A runtime that is shutting down drops the task at once, and that takes the lock.
        if let Some(promise) = begun {
            self.begin(promise);
        }
        look
    }

    /// Enters a look-up that so many wait for.
    fn promise(&self, known: &mut Known, key: (Name, runtime::Id), joined: usize) -> Promise {
        known.begun += 1;
        let number = known.begun;
        let (sender, outcome) = watch::channel(None);
        let lookup = LookUp {
            number,
            joined,
            outcome,
        };
        known.lookups.insert(key.clone(), lookup);
        Promise {
            known: Arc::downgrade(&self.known),
            key,
            number,
            outcome: sender,
        }
    }

    /// Looks up in a task: it belongs to nobody who waits for it (CON-50).
    fn begin(&self, promise: Promise) {
        let (resolver, family, options) = (Arc::clone(&self.resolver), self.family, self.options);
        tokio::spawn(async move {
            let (host, port) = (Arc::clone(&promise.key.0.host), promise.key.0.port);
            let asked = ask(&*resolver, &host, port, family);
            if let Some(found) = promise.while_wanted(asked).await {
                promise.keep(found, &options);
            }
        });
    }

    /// Lists the names that have addresses now.
    pub(crate) fn hosts(&self) -> Vec<CachedHost> {
        self.known().cache.hosts(now())
    }

    /// Forgets one name, or all. Who waits for a look-up still gets its outcome, which is
    /// not kept: it may be as old as what was to be forgotten.
    pub(crate) fn forget(&self, name: Option<(&str, u16)>) {
        let mut forgotten = Vec::new();
        let mut known = self.known();
        if let Some((host, port)) = name {
            let host = spelled(host);
            let name = Name::new(with_one_dot(&host), port);
            known.cache.forget(&name);
            forgotten.extend(known.lookups.extract_if(|(other, _), _| *other == name));
        } else {
            known.cache.clear();
            forgotten.extend(known.lookups.drain());
        }
        drop(known);
        drop(forgotten);
    }

    /// Ends the look-ups: the connector is closed.
    pub(crate) fn close(&self) {
        let mut known = self.known();
        known.is_closed = true;
        let ended = std::mem::take(&mut known.lookups);
        drop(known);
        drop(ended);
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        lock(&self.known)
    }
}

impl Known {
    /// Takes a look-up out, so that nobody joins it any more, if it was not forgotten.
    fn withdraw(&mut self, promise: &Promise) -> Option<LookUp> {
        let lookup = self.lookups.get(&promise.key)?;
        if lookup.number != promise.number {
            return None;
        }
        self.lookups.remove(&promise.key)
    }
}

impl Waiter {
    /// Gives nothing if the look-up ended without an outcome, as with its runtime.
    async fn outcome(
        mut self,
        request: &mut ConnectRequest<'_>,
    ) -> Result<Option<Vec<SocketAddr>>, DialError> {
        let outcome = async {
            let outcome = self.outcome.wait_for(Option::is_some).await.ok()?;
            outcome.clone()
        };
        match request.within(Phase::Resolve, outcome).await {
            Ok(Some(Ok(addresses))) => Ok(Some(rotated(&addresses, self.turn))),
            Ok(Some(Err(error))) => Err(failed(error)),
            Ok(None) => Ok(None),
            Err(_) => Err(DialError::Timeout),
        }
    }
}

impl Promise {
    /// Gives nothing if it is wanted no more: the connector was closed, or has forgotten it,
    /// and nobody waits.
    async fn while_wanted<F: Future>(&self, asked: F) -> Option<F::Output> {
        let mut asked = pin!(asked);
        let mut unwanted = pin!(self.outcome.closed());
        poll_fn(|cx| match asked.as_mut().poll(cx) {
            Poll::Ready(found) => Poll::Ready(Some(found)),
            Poll::Pending => unwanted.as_mut().poll(cx).map(|()| None),
        })
        .await
    }

    /// Gives what was found to all who wait and to who comes later; a failure to those who
    /// wait only (CON-51).
    fn keep(self, found: io::Result<Resolved>, options: &CacheOptions) {
        if let Some(known) = self.known.upgrade() {
            let mut known = lock(&known);
            let lookup = known.withdraw(&self);
            if let (Some(lookup), Ok(found)) = (&lookup, &found) {
                let name = self.key.0.clone();
                known
                    .cache
                    .store(name, found, lookup.joined, options, now());
            }
            drop(known);
            drop(lookup);
        }
        if let Err(error) = &found {
            // Nobody else hears of it where stale addresses are served.
            tracing::debug!(host = &*self.key.0.host, %error, "a name is not found");
        }
        self.tell(found.map(|found| found.addresses.into()));
    }

    fn tell(&self, outcome: io::Result<Arc<[SocketAddr]>>) {
        self.outcome.send_replace(Some(outcome.map_err(Arc::new)));
    }
}

impl Drop for Promise {
    fn drop(&mut self) {
        let known = self.known.upgrade();
        let lookup = known.and_then(|known| lock(&known).withdraw(self));
        drop(lookup);
        if thread::panicking() {
            self.tell(Err(io::Error::other("the resolver panicked")));
        }
    }
}

/// How many addresses of a name are used: more than any honest one has, which an answer of
/// 64 KiB could exceed a dozen times over, for each name that is kept.
const MOST_ADDRESSES: usize = 256;

/// Asks a resolver; no address at all is a failure.
async fn ask(
    resolver: &dyn Resolver,
    host: &str,
    port: u16,
    family: AddressFamily,
) -> io::Result<Resolved> {
    let mut found = resolver.resolve(host, port, family).await?;
    found.addresses.retain(|address| family.has(&address.ip()));
    found.addresses.truncate(MOST_ADDRESSES);
    if found.addresses.is_empty() {
        return Err(no_address(family));
    }
    Ok(found)
}

fn failed(error: Arc<io::Error>) -> DialError {
    DialError::Failed((ConnectErrorKind::Resolve, error))
}

/// CON-55: a name with several dots at its end is looked up with one.
fn with_one_dot(host: &str) -> &str {
    let name = host.trim_end_matches('.');
    host.get(..name.len() + 1).unwrap_or(host)
}

fn lock(known: &Mutex<Known>) -> MutexGuard<'_, Known> {
    known.lock().unwrap_or_else(PoisonError::into_inner)
}
