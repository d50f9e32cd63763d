//! The server: `door.rs` is what every call passes, `routes.rs` says who answers which, and the rest are the answers.
//!
//! Connections are served by hand below the router, since some must be cut without a word.

mod call;
mod connect;
mod control;
mod create;
mod documents;
mod door;
mod envelopes;
mod listing;
mod multipart;
mod oauth;
mod recipients;
mod routes;
mod signing;

use std::io;
use std::sync::Arc;

use axum::Router;
use axum::response::Response;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};

use crate::house::House;
use crate::switches::HeaderCase;

pub use control::hmac_keys;

/// Marks an answer that is none: the connection is cut instead.
#[derive(Debug, Clone, Copy)]
pub struct Cut;

/// Serves until it is told to stop.
pub async fn serve(house: Arc<House>, listener: TcpListener) {
    let router = control::guarded(routes::all(house.clone()), house.clone());
    loop {
        tokio::select! {
            () = house.stop.cancelled() => return,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    tokio::spawn(one(house.clone(), router.clone(), stream));
                }
                // Too many open files, perhaps; they will be fewer.
                Err(_) => tokio::time::sleep(std::time::Duration::from_millis(50)).await,
            },
        }
    }
}

async fn one(house: Arc<House>, router: Router, stream: TcpStream) {
    let _ = stream.set_nodelay(true);
    let router = TowerToHyperService::new(router);
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        let answering = router.call(request);
        async move {
            let answer: Response = answering.await.map_err(io::Error::other)?;
            match answer.extensions().get::<Cut>() {
                Some(Cut) => Err(io::Error::other("cut on purpose")),
                None => Ok(answer),
            }
        }
    });
    let titled = house.with(|state, _| state.switches.header_case == HeaderCase::Documented);
    let connection =
        http1::Builder::new().title_case_headers(titled).serve_connection(TokioIo::new(stream), service);
    tokio::select! {
        () = house.stop.cancelled() => {}
        // A caller who goes away is no error here.
        _ = connection => {}
    }
}
