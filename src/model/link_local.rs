//! Addresses that mean something on this very link only, such as those where clouds keep credentials. None is called.

// The types alone: nothing here reaches for a network.
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Where one cloud keeps its credentials, though it is not link-local.
const AWS_METADATA: Ipv6Addr = Ipv6Addr::new(0xfd00, 0x0ec2, 0, 0, 0, 0, 0, 0x0254);

/// Whether it is an address that only means something on this very link, such as 169.254.169.254.
#[must_use]
pub fn is_link_local(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => address.is_link_local(),
        IpAddr::V6(address) => address.is_unicast_link_local() || address == AWS_METADATA,
    }
}

/// The address that the host of a URL is, without brackets, if it is one and no name. Clients read `2852039166` and
/// `0xa9.254.43518` as addresses, too.
#[must_use]
pub fn address_of(host: &str) -> Option<IpAddr> {
    host.parse().ok().or_else(|| numbers(host).map(IpAddr::V4))
}

/// One to four numbers, of which the last fills what is left.
fn numbers(host: &str) -> Option<Ipv4Addr> {
    let parts: Vec<u32> = host.trim_end_matches('.').split('.').map(number).collect::<Option<_>>()?;
    let (last, first) = parts.split_last()?;
    let bits_left = 32_u32.checked_sub(8 * u32::try_from(first.len()).ok()?).filter(|bits| 0 < *bits)?;
    let mut address = *last;
    if u64::from(*last) >> bits_left != 0 {
        return None;
    }
    for (place, part) in first.iter().enumerate() {
        let shift = 24_u32.checked_sub(8 * u32::try_from(place).ok()?)?;
        address |= u32::from(u8::try_from(*part).ok()?) << shift;
    }
    Some(Ipv4Addr::from(address))
}

fn number(part: &str) -> Option<u32> {
    let hex = part.strip_prefix("0x").or_else(|| part.strip_prefix("0X"));
    match (hex, part.strip_prefix('0')) {
        (Some(""), _) => Some(0),
        (Some(digits), _) => u32::from_str_radix(digits, 16).ok(),
        (None, Some("")) => Some(0),
        (None, Some(digits)) => u32::from_str_radix(digits, 8).ok(),
        (None, None) => part.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_however_it_is_written() {
        for host in [
            "169.254.169.254",
            "2852039166",
            "0xA9FEA9FE",
            "0xa9.254.43518",
            "0251.0376.169.254",
            "169.254.169.254.",
            "fe80::1",
            "::ffff:169.254.169.254",
            "fd00:ec2::254",
        ] {
            assert!(address_of(host).is_some_and(is_link_local), "{host}");
        }
        for host in ["10.0.0.1", "169.253.0.1", "1", "::1", "2001:db8::1"] {
            assert!(address_of(host).is_some_and(|address| !is_link_local(address)), "{host}");
        }
        for host in ["web-1", "", "169.254.169.254.example", "256.0.0.1", "1.2.3.4.5", "0x", "4294967296"] {
            assert!(address_of(host).is_none_or(|address| host == "0x" && !is_link_local(address)), "{host}");
        }
    }
}
