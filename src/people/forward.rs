//! Proxies that have people log in: who they are is believed of these alone, and only with a secret that they share.

use super::token::TokenHash;
use std::net::IpAddr;

/// Which header of which proxies names the person.
#[derive(Clone, Debug)]
pub struct ForwardAuth {
    /// The header with the name of one of the people.
    pub header: String,
    /// The header with the secret.
    pub secret_header: String,
    /// The secret that the proxies add to each request.
    pub secret: TokenHash,
    /// Where the proxies are. Never empty.
    pub trusted: Vec<Network>,
}

impl ForwardAuth {
    /// Whether a request from there, with this secret, is one of these proxies'.
    #[must_use]
    pub fn trusts(&self, from: Option<IpAddr>, secret: &[u8]) -> bool {
        let knows: bool = self.secret.is(&TokenHash::digest(secret)).into();
        knows && from.is_some_and(|from| self.trusted.iter().any(|network| network.holds(from)))
    }
}

/// Addresses that begin alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    bits: u128,
    length: u32,
    is_v6: bool,
}

impl Network {
    /// `192.0.2.0/24`, or one address.
    ///
    /// # Errors
    /// If it is neither, or has an address beyond its length: then it is not known what is meant.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (address, length) = text.split_once('/').map_or((text, None), |(address, length)| (address, Some(length)));
        let wrong = || format!("{text:?} is no address and no network such as 192.0.2.0/24");
        let address: IpAddr = address.parse().map_err(|_not_one| wrong())?;
        let (bits, width, is_v6) = bits_of(address);
        let length = match length {
            None => width,
            Some(length) => length.parse().ok().filter(|length| *length <= width).ok_or_else(wrong)?,
        };
        let network = Self { bits: bits & mask(length), length, is_v6 };
        if network.bits != bits {
            return Err(format!("{text:?} has an address within the network, and not its first one"));
        }
        Ok(network)
    }

    /// Whether an address is one of these.
    #[must_use]
    pub fn holds(&self, address: IpAddr) -> bool {
        let (bits, _, is_v6) = bits_of(address.to_canonical());
        is_v6 == self.is_v6 && bits & mask(self.length) == self.bits
    }
}

/// The bits of an address from the top, and how many there are.
fn bits_of(address: IpAddr) -> (u128, u32, bool) {
    match address {
        IpAddr::V4(address) => (u128::from(u32::from(address)) << 96, 32, false),
        IpAddr::V6(address) => (u128::from(address), 128, true),
    }
}

fn mask(length: u32) -> u128 {
    if length == 0 { 0 } else { u128::MAX << (128 - length) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_holds_what_begins_like_it() {
        for (network, address, want) in [
            ("192.0.2.7", "192.0.2.7", true),
            ("192.0.2.7", "192.0.2.8", false),
            ("192.0.2.7", "::ffff:192.0.2.7", true),
            ("192.0.2.0/24", "192.0.2.255", true),
            ("192.0.2.0/24", "192.0.3.0", false),
            ("192.0.2.0/24", "::c000:207", false),
            ("10.0.0.0/8", "10.255.0.1", true),
            ("0.0.0.0/0", "198.51.100.1", true),
            ("0.0.0.0/0", "::1", false),
            ("2001:db8::/32", "2001:db8:ffff::1", true),
            ("2001:db8::/32", "2001:db9::1", false),
            ("::/0", "192.0.2.7", false),
        ] {
            assert_eq!(Network::parse(network).unwrap().holds(address.parse().unwrap()), want, "{network} {address}");
        }
        for wrong in
            ["", "proxy", "192.0.2.0/33", "192.0.2.7/24", "192.0.2.0/", "/24", "2001:db8::/129", "192.0.2.0/-1"]
        {
            assert!(Network::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_proxy_is_believed_at_its_place_and_with_its_secret() {
        let forward = ForwardAuth {
            header: "Remote-User".to_owned(),
            secret_header: "X-Proxy-Secret".to_owned(),
            secret: TokenHash::of("a-secret-of-the-proxy").unwrap(),
            trusted: vec![Network::parse("192.0.2.0/24").unwrap()],
        };
        for (from, secret, want) in [
            (Some("192.0.2.7"), "a-secret-of-the-proxy", true),
            (Some("192.0.2.7"), "a-secret-of-the-prox", false),
            (Some("192.0.2.7"), "", false),
            (Some("198.51.100.7"), "a-secret-of-the-proxy", false),
            (None, "a-secret-of-the-proxy", false),
        ] {
            let from = from.map(|from| from.parse().unwrap());
            assert_eq!(forward.trusts(from, secret.as_bytes()), want, "{from:?} {secret}");
        }
    }
}
