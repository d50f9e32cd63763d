//! Accepts connections and lets them go: limits against those who send slowly or too much, and an orderly end.

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{debug, info};

use super::impatient::Impatient;
use super::session::Peer;
use super::{Http, Limits, router};
use crate::service::{Alarm, Patience, Service};

/// Headers, request line included. A cookie jar of somebody else's does not fit, and need not.
const MOST_HEADER_BYTES: usize = 32 << 10;
/// A delivery of DocuSign may be signed by a hundred keys, in a header each; the others are for what callers and proxies add.
const MOST_HEADERS: usize = 160;

/// Connections that find all places taken and still hear whether the process lives. A probe that waits in line takes a
/// busy process for a dead one.
const MOST_BESIDE: usize = 32;
/// One of those may take so long to say what it wants.
const LONGEST_BESIDE: Duration = Duration::from_secs(5);

/// Answers that are under way may take this long when the process ends.
const DRAIN: Duration = Duration::from_secs(5);

/// What was asked for on a socket that is bound already, so that a port that is taken is told before anything runs.
pub struct Door {
    listener: TcpListener,
    address: SocketAddr,
}

impl Door {
    pub async fn open(address: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        Ok(Self { address: listener.local_addr()?, listener })
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Http {
    /// Serves until told to stop, by the service's own token or by that of the parts. `hard` waits for nobody.
    pub fn serve(self, door: Door, hard: CancellationToken, alarm: &Alarm) -> Service {
        Service::start("HTTP server", alarm, |ended| self.run(door, ended, hard))
    }

    async fn run(self, door: Door, ended: CancellationToken, hard: CancellationToken) {
        let Self { api, origins, services } = self;
        let (stop, ending, limits) = (api.stop.clone(), api.ending.clone(), api.limits.clone());
        let patience = Patience::new("accepting connections", api.clock.clone());
        let house =
            House::new(router::router(api.clone(), &origins), router::beside(api.clone()), limits.clone());
        info!(http.address = %door.address, "the API listens on http://{}", door.address);
        {
            let mut accept = pin!(house.accept(&door.listener, patience));
            tokio::select! {
                () = &mut accept => {}
                () = ended.cancelled() => {}
                () = stop.cancelled() => {}
            }
            // Whoever sends callers here looks at /readyz, and needs a while to see that it should not.
            if stop.is_cancelled() && !hard.is_cancelled() {
                tokio::select! {
                    () = &mut accept => {}
                    () = tokio::time::sleep(limits.stop_delay) => {}
                    () = hard.cancelled() => {}
                }
            }
        }
        stop.cancel();
        // Those who wait for a job or for events hear it by this token.
        ending.cancel();
        drop(door);
        house.close(&hard).await;
        api.callers.give_back().await;
        for service in services {
            service.stop().await;
        }
    }
}

/// The connections that are served, and how many there may be.
struct House {
    router: Router,
    beside: Router,
    limits: Limits,
    places: Arc<Semaphore>,
    places_beside: Arc<Semaphore>,
    graceful: GracefulShutdown,
    connections: TaskTracker,
    /// Ends connections where they stand.
    cut: CancellationToken,
}

/// Held for as long as the connection is served.
struct Place {
    _permit: OwnedSemaphorePermit,
    beside: bool,
}

impl House {
    fn new(router: Router, beside: Router, limits: Limits) -> Self {
        Self {
            router,
            beside,
            places: Arc::new(Semaphore::new(limits.connections)),
            places_beside: Arc::new(Semaphore::new(MOST_BESIDE)),
            limits,
            graceful: GracefulShutdown::new(),
            connections: TaskTracker::new(),
            cut: CancellationToken::new(),
        }
    }

    async fn accept(&self, listener: &TcpListener, mut patience: Patience) {
        loop {
            // Whoever finds no place at all waits in the system's own line.
            let Some(place) = self.place().await else { return };
            match listener.accept().await {
                Ok((stream, peer)) => {
                    patience.succeeded();
                    // One may have come free since.
                    let inside = self.places.clone().try_acquire_owned().ok().filter(|_| place.beside);
                    let place = inside.map_or(place, |permit| Place { _permit: permit, beside: false });
                    self.serve(stream, peer, place);
                }
                // No more descriptors, or a caller that hung up: the next one may do.
                Err(problem) => patience.failed(&problem).await,
            }
        }
    }

    async fn place(&self) -> Option<Place> {
        let (permit, beside) = tokio::select! {
            biased;
            permit = self.places.clone().acquire_owned() => (permit, false),
            permit = self.places_beside.clone().acquire_owned() => (permit, true),
        };
        permit.ok().map(|permit| Place { _permit: permit, beside })
    }

    fn serve(&self, stream: TcpStream, peer: SocketAddr, place: Place) {
        // Small answers leave at once. Where the system refuses, they leave later.
        let _ = stream.set_nodelay(true);
        let limits = &self.limits;
        let beside = place.beside;
        let router = if beside { &self.beside } else { &self.router }.clone();
        let router = TowerToHyperService::new(router);
        let router = service_fn(move |mut request: hyper::Request<Incoming>| {
            request.extensions_mut().insert(Peer(peer));
            router.call(request)
        });
        let patience = if beside { LONGEST_BESIDE } else { Duration::MAX };
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .keep_alive(!beside)
            .header_read_timeout(limits.header_timeout.min(patience))
            .max_headers(MOST_HEADERS)
            .max_header_size(MOST_HEADER_BYTES)
            .serve_connection(
                TokioIo::new(Impatient::new(stream, limits.write_timeout.min(patience))),
                router,
            );
        let connection = self.graceful.watch(connection);
        let cut = self.cut.clone();
        self.connections.spawn(async move {
            if let Some(Err(problem)) = cut.run_until_cancelled(connection).await {
                debug!("a connection ended early: {problem}");
            }
            drop(place);
        });
    }

    /// Lets answers that are under way end, for a while, and then nobody is served any more.
    async fn close(self, hard: &CancellationToken) {
        tokio::select! {
            () = self.graceful.shutdown() => {}
            () = tokio::time::sleep(DRAIN) => info!("callers that are still being served are cut off"),
            () = hard.cancelled() => {}
        }
        self.cut.cancel();
        self.connections.close();
        tokio::select! {
            () = self.connections.wait() => {}
            // A handler that holds its thread ends with the process.
            () = hard.cancelled() => {}
        }
    }
}
