//! What is sent to the database leaves at once.
//!
//! The driver's 0.9.0 lost the option that its versions before and after it set: its sockets gather small packets. Where
//! it sends two before it waits for an answer, as at the end of a COPY, the second waits 40 ms for the server's
//! acknowledgement of the first. The driver does not show its sockets, so they are looked up among those of the process.
//! This file goes when the driver's next version is there (`docs/decisions/0072-sockets-that-send-at-once.md`).

use std::net::SocketAddr;
use std::os::fd::{BorrowedFd, RawFd};

use rustix::net::{getpeername, sockopt};

/// Tells all connections of this process that lead to such a port. Where the system has no list of them, they send as
/// they did.
pub fn send_at_once(port: u16) {
    let Ok(open) = std::fs::read_dir("/proc/self/fd") else { return };
    for entry in open.flatten() {
        if let Some(number) = entry.file_name().to_str().and_then(|name| name.parse().ok()) {
            tell(number, port);
        }
    }
}

#[expect(unsafe_code, reason = "a descriptor is known by its number alone")]
fn tell(number: RawFd, port: u16) {
    // SAFETY: somebody else owns the descriptor and may close it meanwhile; then the system refuses, or another
    // connection gets the option if it leads to the same port. Nothing is read, written or closed through it.
    let socket = unsafe { BorrowedFd::borrow_raw(number) };
    let peer = getpeername(socket).ok().flatten().and_then(|peer| SocketAddr::try_from(peer).ok());
    if peer.is_some_and(|peer| peer.port() == port) {
        // Refused by a socket that is no TCP's; it gathers nothing.
        let _ = sockopt::set_tcp_nodelay(socket, true);
    }
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn connections_to_the_port_send_at_once_and_others_as_before() {
        let (there, elsewhere) = (listener(), listener());
        let connected = |listener: &TcpListener| TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (one, other, another) = (connected(&there), connected(&there), connected(&elsewhere));

        send_at_once(there.local_addr().unwrap().port());

        assert_eq!([&one, &other, &another].map(|stream| stream.nodelay().unwrap()), [true, true, false]);
    }

    fn listener() -> TcpListener {
        TcpListener::bind("127.0.0.1:0").unwrap()
    }
}
