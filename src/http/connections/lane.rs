//! A thread that serves its share of the connections, with a runtime of its own. A call that is passed on stays on one
//! thread from its first byte to its last: waking another one for a part of it costs more than the part (decision 0016).

use super::{ConnectionLimits, Phase, serve_connection};
use crate::http::front::Front;
use std::io;
use std::num::NonZero;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use tokio::net::TcpStream;
use tokio::runtime::Builder;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::task::JoinSet;

pub struct Lane {
    arrivals: UnboundedSender<Arrival>,
    connections: Arc<AtomicUsize>,
}

struct Arrival {
    /// Of no runtime yet.
    stream: std::net::TcpStream,
    guest: Guest,
}

/// Counts as long as its connection is served.
struct Guest {
    connections: Arc<AtomicUsize>,
    _seat: Option<OwnedSemaphorePermit>,
}

/// As many as there are cores; at least two, because one may have to wait for the disk.
pub fn count() -> usize {
    thread::available_parallelism().map_or(2, NonZero::get).max(2)
}

impl Lane {
    pub fn open(front: Front, limits: ConnectionLimits, phase: watch::Receiver<Phase>) -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let (arrivals, mut arriving) = unbounded_channel();
        let serve = move || {
            runtime.block_on(serve_arrivals(&mut arriving, front, limits, phase));
            // With it ends what the last calls have left to do; only then is the lane closed.
            drop(runtime);
            drop(arriving);
        };
        thread::Builder::new().name("lane".into()).spawn(serve)?;
        Ok(Self { arrivals, connections: Arc::default() })
    }

    /// Whether it still takes connections.
    pub fn is_open(&self) -> bool {
        !self.arrivals.is_closed()
    }

    /// How many it serves at the moment.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    pub fn serve(&self, stream: TcpStream, seat: Option<OwnedSemaphorePermit>) {
        self.connections.fetch_add(1, Ordering::Relaxed);
        let guest = Guest { connections: self.connections.clone(), _seat: seat };
        // Only a client that has gone leaves a stream that cannot be handed over.
        if let Ok(stream) = stream.into_std() {
            self.arrivals.send(Arrival { stream, guest }).ok();
        }
    }

    /// Once it takes no more connections and has served the last one.
    pub async fn closed(&self) {
        self.arrivals.closed().await;
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        self.connections.fetch_sub(1, Ordering::Relaxed);
    }
}

async fn serve_arrivals(
    arriving: &mut UnboundedReceiver<Arrival>,
    front: Front,
    limits: ConnectionLimits,
    mut phase: watch::Receiver<Phase>,
) {
    let mut connections = JoinSet::new();
    loop {
        let arrival = tokio::select! {
            arrival = arriving.recv() => arrival,
            _ = phase.wait_for(|phase| *phase != Phase::Serving) => None,
        };
        let Some(Arrival { stream, guest }) = arrival else { break };
        // Those that have ended meanwhile.
        while connections.try_join_next().is_some() {}
        let Ok(stream) = TcpStream::from_std(stream) else { continue };
        let connection = serve_connection(stream, front.clone(), limits, phase.clone());
        connections.spawn(async move {
            connection.await;
            drop(guest);
        });
    }
    while connections.join_next().await.is_some() {}
}
