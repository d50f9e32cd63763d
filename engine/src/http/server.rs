//! Accepts connections and lets them go: limits against those who send slowly or too much, and an orderly end.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info};

use super::{Http, Limits, router};
use crate::service::{Alarm, Patience, Service};

/// Headers, request line included. A cookie jar of somebody else's does not fit, and need not.
const MOST_HEADER_BYTES: usize = 32 << 10;
const MOST_HEADERS: usize = 64;

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
        let (stop, limits, clock) = (self.api.stop.clone(), self.api.limits.clone(), self.api.clock.clone());
        let router = router::router(self.api, &self.origins);
        let graceful = GracefulShutdown::new();
        let places = Arc::new(Semaphore::new(limits.connections));
        let mut patience = Patience::new("accepting connections", clock);
        info!(http.address = %door.address, "the API listens on http://{}", door.address);
        let accept = async {
            loop {
                // Whoever finds no place waits in the system's own line.
                let Ok(place) = places.clone().acquire_owned().await else { return };
                match door.listener.accept().await {
                    Ok((stream, _)) => {
                        patience.succeeded();
                        let serving = serve(stream, router.clone(), &limits, &graceful);
                        tokio::spawn(async move {
                            serving.await;
                            drop(place);
                        });
                    }
                    // No more descriptors, or a caller that hung up: the next one may do.
                    Err(problem) => patience.failed(&problem).await,
                }
            }
        };
        tokio::select! {
            () = accept => {}
            () = ended.cancelled() => {}
            () = stop.cancelled() => {}
        }
        // Those who wait for a job or for events hear it by this token.
        stop.cancel();
        drop(door);
        tokio::select! {
            () = graceful.shutdown() => {}
            () = tokio::time::sleep(DRAIN) => info!("callers that are still being served are cut off"),
            () = hard.cancelled() => {}
        }
        for service in self.services {
            service.stop().await;
        }
    }
}

fn serve(
    stream: TcpStream,
    router: axum::Router,
    limits: &Limits,
    graceful: &GracefulShutdown,
) -> impl Future<Output = ()> + Send + use<> {
    // Small answers leave at once. Where the system refuses, they leave later.
    let _ = stream.set_nodelay(true);
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header_timeout)
        .max_headers(MOST_HEADERS)
        .max_header_size(MOST_HEADER_BYTES)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    let connection = graceful.watch(connection);
    async move {
        if let Err(problem) = connection.await {
            debug!("a connection ended early: {problem}");
        }
    }
}
