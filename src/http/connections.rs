//! The connections of the server: how many there may be, how long each may be silent, and how they end when it stops.
//! Each is served on one of a few threads from its beginning to its end (`lane`). What is asked on them is `front`'s.

mod lane;
mod watched_stream;

use self::lane::Lane;
use self::watched_stream::WatchedStream;
use super::front::Front;
use crate::capture::gateway::{ClientEnd, Cut};
use axum::body::Body;
use futures::future::join_all;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::future::Future;
use std::io;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::sleep;

/// More fields than this are refused with 431; so is a head beyond [`MAX_BUFFER_BYTES`].
const MAX_HEADER_FIELDS: usize = 100;
/// What a connection holds of its client's bytes, and of ours that the client has not taken.
const MAX_BUFFER_BYTES: usize = 64 * 1024;
/// After the system had no room for another connection.
const ACCEPT_PAUSE: Duration = Duration::from_secs(1);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectionLimits {
    /// Further clients wait until one leaves.
    pub connections: usize,
    /// Until the first head of a connection is complete.
    pub first_head: Duration,
    /// Between two requests, up to the end of the second one's head. Longer than clients keep a connection, so that none
    /// asks on one that is about to be closed.
    pub next_head: Duration,
    /// The client, while it takes nothing of what there is for it.
    pub client_stall: Duration,
}

/// The other end of the connection that a request came on: a client, or the proxy before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeerAddress(pub IpAddr);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Serving,
    /// Requests may finish, and no more are taken.
    Draining,
    CutOff,
}

impl Default for ConnectionLimits {
    fn default() -> Self {
        Self {
            connections: 10_000,
            first_head: Duration::from_secs(10),
            next_head: Duration::from_secs(120),
            client_stall: Duration::from_secs(60),
        }
    }
}

/// Serves until `stop` is done, then lets running requests finish for `grace` and cuts off the others. Says how many
/// connections those were.
///
/// # Errors
/// The system gives no thread.
pub async fn serve_connections(
    listener: TcpListener,
    front: &Front,
    limits: ConnectionLimits,
    stop: impl Future<Output = ()>,
    grace: Duration,
) -> io::Result<usize> {
    let seats = Arc::new(Semaphore::new(limits.connections));
    let phase = watch::Sender::new(Phase::Serving);
    let lanes = (0..lane::count()).map(|_| Lane::open(front.with_own_connections(), limits, phase.subscribe()));
    let lanes = lanes.collect::<io::Result<Vec<Lane>>>()?;
    let mut stop = pin!(stop);
    loop {
        let (stream, seat) = tokio::select! {
            taken = take_connection(&listener, &seats) => taken,
            () = &mut stop => break,
        };
        let open = lanes.iter().filter(|lane| lane.is_open()).min_by_key(|lane| lane.connections());
        open.ok_or_else(|| io::Error::other("no thread serves connections any more"))?.serve(stream, seat);
    }
    drop(listener);
    phase.send_replace(Phase::Draining);
    let mut closing = pin!(join_all(lanes.iter().map(Lane::closed)));
    let drained = tokio::time::timeout(grace, &mut closing).await;
    let cut_off = if drained.is_ok() { 0 } else { lanes.iter().map(Lane::connections).sum() };
    phase.send_replace(Phase::CutOff);
    if drained.is_err() {
        closing.await;
    }
    Ok(cut_off)
}

async fn take_connection(listener: &TcpListener, seats: &Arc<Semaphore>) -> (TcpStream, Option<OwnedSemaphorePermit>) {
    // It is never closed, so there is always a seat in the end.
    let seat = seats.clone().acquire_owned().await.ok();
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return (stream, seat),
            Err(error) if is_of_the_client(&error) => {}
            Err(error) => {
                tracing::error!(%error, "no connection can be taken at the moment");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

fn is_of_the_client(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

async fn serve_connection(
    stream: TcpStream,
    front: Front,
    limits: ConnectionLimits,
    mut phase: watch::Receiver<Phase>,
) {
    // Pieces of a stream are small and must not wait to be sent together.
    stream.set_nodelay(true).ok();
    let client = ClientEnd::default();
    let peer = stream.peer_addr().ok().map(|address| PeerAddress(address.ip().to_canonical()));
    let has_asked = AtomicBool::new(false);
    let service = service_fn(|mut request: hyper::Request<hyper::body::Incoming>| {
        has_asked.store(true, Ordering::Relaxed);
        request.extensions_mut().insert(client.clone());
        if let Some(peer) = peer {
            request.extensions_mut().insert(peer);
        }
        // Boxed: a connection would keep room for it, eight kilobytes, also where nothing is asked any more.
        Box::pin(front.answer(request.map(Body::new)))
    });
    let io = TokioIo::new(WatchedStream::new(stream, limits.client_stall, client.clone()));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.next_head)
        .max_headers(MAX_HEADER_FIELDS)
        .max_buf_size(MAX_BUFFER_BYTES)
        .serve_connection(io, service);
    let mut connection = pin!(connection);
    let mut first_head = pin!(sleep(limits.first_head));
    let mut waits_for_head = true;
    loop {
        tokio::select! {
            // Whatever went wrong was the client's doing, and it knows.
            _ = connection.as_mut() => return,
            () = &mut first_head, if waits_for_head => {
                waits_for_head = false;
                if !has_asked.load(Ordering::Relaxed) {
                    return;
                }
            }
            changed = phase.changed() => match *phase.borrow_and_update() {
                Phase::Serving if changed.is_ok() => {}
                Phase::Draining if changed.is_ok() => connection.as_mut().graceful_shutdown(),
                _ => {
                    client.cut(Cut::ServerStopped);
                    return;
                }
            },
        }
    }
}
