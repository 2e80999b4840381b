//! How long the parts of a request took.

use std::time::{Duration, Instant};

use crate::dial::Dials;
use crate::error::Phase;
use crate::timer::now;

/// How long the parts of a request took, of its last hop where it was redirected; parts
/// that did not take place have none.
///
/// They follow one another, so that their sum is at most `total`. On a connection that is
/// used again there is no `dns`, `connect` and `tls`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Timings {
    /// Waiting in the queue of the pool; `None` if there was no need to.
    pub pool: Option<Duration>,
    /// Resolving the host's name; `None` where it is an address, or where its addresses were
    /// known.
    pub dns: Option<Duration>,
    /// Dialling, all addresses taken together that were tried, and asking a proxy for a
    /// tunnel.
    pub connect: Option<Duration>,
    /// Agreeing on TLS; with the first connection of its settings also reading whom the
    /// system trusts.
    pub tls: Option<Duration>,
    /// From having the connection until the request was out, or the head of the response
    /// came before that. What its body waited for counts: its source, the server's leave.
    pub send: Option<Duration>,
    /// From the request being out to the whole head of the final response; `None` where
    /// that came before.
    pub wait: Option<Duration>,
    /// From the head to the end of the body on the wire, and of the request if that went
    /// on; `None` until then, and for a response that was left before.
    pub receive: Option<Duration>,
    /// From the beginning of the request, with all its hops and retries, to the end of the
    /// body or to when the response was left; until then, to now.
    pub total: Duration,
}

/// How long making a connection took, step by step, and who was dialled.
#[derive(Debug, Default)]
pub(crate) struct Steps {
    pool: Option<Duration>,
    dns: Option<Duration>,
    connect: Option<Duration>,
    tls: Option<Duration>,
    pub(crate) dials: Dials,
}

impl Steps {
    /// Notes that a step of this phase, which began then, has ended.
    pub(crate) fn ended(&mut self, phase: Phase, begun: Instant) {
        let step = match phase {
            Phase::Pool => &mut self.pool,
            Phase::Resolve => &mut self.dns,
            Phase::Connect | Phase::Tunnel => &mut self.connect,
            Phase::Tls => &mut self.tls,
            Phase::Send | Phase::Head | Phase::Body => return,
        };
        *step = Some(step.unwrap_or_default() + now().saturating_duration_since(begun));
    }

    /// Notes that the dialling, which began then, has ended: what was not told apart in it
    /// is connecting.
    pub(crate) fn dialled(&mut self, begun: Instant) {
        if self.connect.is_none() {
            let told = self.dns.unwrap_or_default() + self.tls.unwrap_or_default();
            let all = now().saturating_duration_since(begun);
            self.connect = Some(all.saturating_sub(told));
        }
    }
}

/// When the parts of an exchange began and ended.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Marks {
    /// When there was a connection for it.
    begun: Instant,
    pub(crate) sent: Option<Instant>,
    pub(crate) head: Option<Instant>,
}

impl Marks {
    pub(crate) fn begun(begun: Instant) -> Self {
        Self {
            begun,
            sent: None,
            head: None,
        }
    }

    /// Tells how long the parts took of a request that `started` then, and took these steps
    /// to its connection; also when it was `over`, and whether its response came whole.
    pub(crate) fn timings(
        &self,
        steps: Option<&Steps>,
        started: Instant,
        over: Option<(Instant, bool)>,
    ) -> Timings {
        let Self { begun, sent, head } = *self;
        let whole = over.filter(|(_, whole)| *whole).map(|(over, _)| over);
        let out = [sent, head].into_iter().flatten().min();
        let between =
            |from: Option<Instant>, to: Option<Instant>| Some(to?.saturating_duration_since(from?));
        let step = |step: fn(&Steps) -> Option<Duration>| steps.and_then(step);
        Timings {
            pool: step(|steps| steps.pool),
            dns: step(|steps| steps.dns),
            connect: step(|steps| steps.connect),
            tls: step(|steps| steps.tls),
            send: between(Some(begun), out),
            wait: between(sent.filter(|_| sent == out), head),
            receive: between(head, whole),
            total: over
                .map_or_else(now, |(over, _)| over)
                .saturating_duration_since(started),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[track_caller]
    fn check(sent: Option<u32>, head: Option<u32>, over: Option<u32>, want: [Option<u32>; 3]) {
        let start = now();
        let at = |seconds: Option<u32>| seconds.map(|seconds| start + seconds * SECOND);
        let mut marks = Marks::begun(start + SECOND);
        (marks.sent, marks.head) = (at(sent), at(head));
        let timings = marks.timings(None, start, at(over).map(|over| (over, true)));
        let parts = [timings.send, timings.wait, timings.receive];
        assert_eq!(parts, want.map(|part| part.map(|part| part * SECOND)));
        if let Some(over) = over {
            assert_eq!(timings.total, over * SECOND);
        }
    }

    #[test]
    fn the_parts_follow_one_another() {
        check(None, None, None, [None; 3]);
        check(Some(2), None, None, [Some(1), None, None]);
        check(Some(2), Some(4), None, [Some(1), Some(2), None]);
        check(Some(2), Some(4), Some(7), [Some(1), Some(2), Some(3)]);
        // The response came before all of the request was out, or in its place.
        check(Some(4), Some(2), Some(5), [Some(1), None, Some(3)]);
        check(None, Some(2), Some(5), [Some(1), None, Some(3)]);
    }

    #[tokio::test(start_paused = true)]
    async fn what_a_dial_does_not_tell_apart_is_connecting() {
        let (start, mut steps) = (now(), Steps::default());
        for _ in 0..2 {
            let begun = now();
            tokio::time::advance(SECOND).await;
            steps.ended(Phase::Resolve, begun);
        }
        tokio::time::advance(3 * SECOND).await;
        steps.dialled(start);
        assert_eq!(steps.dns, Some(2 * SECOND));
        assert_eq!(steps.connect, Some(3 * SECOND));
        steps.dialled(start);
        assert_eq!((steps.connect, steps.tls), (Some(3 * SECOND), None));
    }
}
