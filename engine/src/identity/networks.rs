//! Where a request comes from, when proxies stand between; pure. A proxy writes at the right end of `X-Forwarded-For`
//! whom it heard; what stands left of that the caller may have written itself. So the list is read from the right, for as
//! long as who wrote it is trusted.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A network as people write it: `10.0.0.0/8`, `2001:db8::/32`, or one address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    base: IpAddr,
    bits: u8,
}

impl Network {
    pub fn holds(&self, address: IpAddr) -> bool {
        match (self.base, address.to_canonical()) {
            (IpAddr::V4(base), IpAddr::V4(own)) => {
                let mask = u32::MAX.checked_shl(32 - u32::from(self.bits)).unwrap_or(0);
                base.to_bits() & mask == own.to_bits() & mask
            }
            (IpAddr::V6(base), IpAddr::V6(own)) => {
                let mask = u128::MAX.checked_shl(128 - u32::from(self.bits)).unwrap_or(0);
                base.to_bits() & mask == own.to_bits() & mask
            }
            _ => false,
        }
    }
}

impl FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let expected = || format!("`{text}` is no network such as 10.0.0.0/8 or 2001:db8::1");
        let (base, bits) = text.split_once('/').map_or((text, None), |(base, bits)| (base, Some(bits)));
        let base: IpAddr = base.parse().map_err(|_| expected())?;
        let most = if base.is_ipv4() { 32 } else { 128 };
        let bits = match bits {
            None => most,
            Some(bits) => bits.parse().ok().filter(|bits| *bits <= most).ok_or_else(expected)?,
        };
        Ok(Self { base, bits })
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.base, self.bits)
    }
}

impl Serialize for Network {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Network {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map_err(de::Error::custom)
    }
}

/// `forwarded` holds the values of the header, in the order in which they came.
pub fn caller<'a>(
    peer: IpAddr,
    forwarded: impl DoubleEndedIterator<Item = &'a str>,
    trusted: &[Network],
) -> IpAddr {
    let trusts = |address: IpAddr| trusted.iter().any(|network| network.holds(address));
    let mut heard = peer.to_canonical();
    for part in forwarded.rev().flat_map(|value| value.rsplit(',')) {
        if !trusts(heard) {
            break;
        }
        // What is no address was written by nobody whom we trust.
        let Some(next) = address(part.trim()) else { break };
        heard = next;
    }
    heard
}

/// Some proxies add the port.
fn address(text: &str) -> Option<IpAddr> {
    let plain = text.parse().ok();
    let address: IpAddr = plain.or_else(|| Some(text.parse::<std::net::SocketAddr>().ok()?.ip()))?;
    Some(address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_holds_its_addresses() {
        for (network, address, holds) in [
            ("10.0.0.0/8", "10.255.0.1", true),
            ("10.0.0.0/8", "11.0.0.1", false),
            ("10.0.0.0/8", "::ffff:10.0.0.1", true),
            ("192.0.2.7", "192.0.2.7", true),
            ("192.0.2.7", "192.0.2.8", false),
            ("0.0.0.0/0", "192.0.2.8", true),
            ("0.0.0.0/0", "::1", false),
            ("2001:db8::/32", "2001:db8:1::1", true),
            ("2001:db8::/32", "2001:db9::1", false),
            ("::/0", "2001:db9::1", true),
        ] {
            let network: Network = network.parse().unwrap();
            assert_eq!(network.holds(address.parse().unwrap()), holds, "{network} {address}");
        }
        for text in ["", "10.0.0.0/33", "10.0.0/8", "::/129", "10.0.0.0/", "10.0.0.0/-1", "example.org"] {
            assert!(text.parse::<Network>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_caller_is_whom_the_last_trusted_proxy_heard() {
        let proxies = ["10.0.0.0/8".parse().unwrap(), "192.0.2.1".parse().unwrap()];
        for (peer, forwarded, caller_is) in [
            ("198.51.100.7", vec![], "198.51.100.7"),
            ("198.51.100.7", vec!["203.0.113.9"], "198.51.100.7"),
            ("10.0.0.1", vec![], "10.0.0.1"),
            ("10.0.0.1", vec!["203.0.113.9"], "203.0.113.9"),
            ("10.0.0.1", vec!["127.0.0.1, 203.0.113.9"], "203.0.113.9"),
            ("10.0.0.1", vec!["127.0.0.1, 203.0.113.9, 192.0.2.1"], "203.0.113.9"),
            ("10.0.0.1", vec!["127.0.0.1", "203.0.113.9,192.0.2.1"], "203.0.113.9"),
            ("10.0.0.1", vec!["127.0.0.1, nonsense, 10.0.0.2"], "10.0.0.2"),
            ("10.0.0.1", vec!["203.0.113.9:4711"], "203.0.113.9"),
            ("10.0.0.1", vec!["[2001:db8::1]:4711"], "2001:db8::1"),
            ("::ffff:10.0.0.1", vec!["2001:db8::1"], "2001:db8::1"),
            ("10.0.0.1", vec!["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
        ] {
            let found = caller(peer.parse().unwrap(), forwarded.clone().into_iter(), &proxies);
            assert_eq!(found, caller_is.parse::<IpAddr>().unwrap(), "{peer} {forwarded:?}");
        }
    }
}
