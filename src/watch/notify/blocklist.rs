//! Which addresses a notification may be sent to. The addresses of receivers are typed in by users, so without this a
//! dashboard user could make the server ask its own network (server-side request forgery).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Why an address is not on the public internet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Somebody's own machine or network: allowed where `[alerts] allow_private_addresses` says so.
    Private,
    /// Where no receiver of notifications can be, cloud metadata among it: never allowed.
    Never,
}

struct Block {
    network: IpAddr,
    prefix_bits: u32,
    reach: Reach,
    what: &'static str,
}

const fn v4(a: u8, b: u8, c: u8, d: u8, prefix_bits: u32, reach: Reach, what: &'static str) -> Block {
    Block { network: IpAddr::V4(Ipv4Addr::new(a, b, c, d)), prefix_bits, reach, what }
}

const fn v6(segments: [u16; 8], prefix_bits: u32, reach: Reach, what: &'static str) -> Block {
    let [a, b, c, d, e, f, g, h] = segments;
    Block { network: IpAddr::V6(Ipv6Addr::new(a, b, c, d, e, f, g, h)), prefix_bits, reach, what }
}

/// From the IANA special-purpose address registries and the clouds' documentation. The first match decides.
const BLOCKS: [Block; 37] = {
    use Reach::{Never, Private};
    [
        v4(100, 100, 100, 200, 32, Never, "Alibaba's metadata"),
        v4(168, 63, 129, 16, 32, Never, "Azure's platform address"),
        v4(0, 0, 0, 0, 8, Never, "this network"),
        v4(10, 0, 0, 0, 8, Private, "private"),
        v4(100, 64, 0, 0, 10, Private, "carrier-grade NAT"),
        v4(127, 0, 0, 0, 8, Private, "loopback"),
        v4(169, 254, 0, 0, 16, Never, "link-local, with the clouds' metadata"),
        v4(172, 16, 0, 0, 12, Private, "private"),
        v4(192, 0, 0, 0, 24, Never, "protocol assignments"),
        v4(192, 0, 2, 0, 24, Never, "documentation"),
        v4(192, 31, 196, 0, 24, Never, "AS112"),
        v4(192, 52, 193, 0, 24, Never, "AMT relays"),
        v4(192, 88, 99, 0, 24, Never, "6to4 relays"),
        v4(192, 168, 0, 0, 16, Private, "private"),
        v4(192, 175, 48, 0, 24, Never, "AS112"),
        v4(198, 18, 0, 0, 15, Never, "benchmarks"),
        v4(198, 51, 100, 0, 24, Never, "documentation"),
        v4(203, 0, 113, 0, 24, Never, "documentation"),
        v4(224, 0, 0, 0, 4, Never, "multicast"),
        v4(240, 0, 0, 0, 4, Never, "reserved, and broadcast"),
        v6([0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254], 128, Never, "AWS metadata"),
        v6([0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254], 128, Never, "Google's metadata"),
        v6([0, 0, 0, 0, 0, 0, 0, 1], 128, Private, "loopback"),
        v6([0, 0, 0, 0, 0, 0, 0, 0], 96, Never, "unspecified, and IPv4-compatible"),
        v6([0, 0, 0, 0, 0, 0xffff, 0, 0], 96, Never, "IPv4-mapped"),
        v6([0x64, 0xff9b, 0, 0, 0, 0, 0, 0], 96, Never, "NAT64"),
        v6([0x64, 0xff9b, 1, 0, 0, 0, 0, 0], 48, Never, "local NAT64"),
        v6([0x100, 0, 0, 0, 0, 0, 0, 0], 64, Never, "discard"),
        v6([0x2001, 0, 0, 0, 0, 0, 0, 0], 23, Never, "protocol assignments, with Teredo"),
        v6([0x2001, 0xdb8, 0, 0, 0, 0, 0, 0], 32, Never, "documentation"),
        v6([0x2002, 0, 0, 0, 0, 0, 0, 0], 16, Never, "6to4"),
        v6([0x3fff, 0, 0, 0, 0, 0, 0, 0], 20, Never, "documentation"),
        v6([0x5f00, 0, 0, 0, 0, 0, 0, 0], 16, Never, "segment routing"),
        v6([0xfc00, 0, 0, 0, 0, 0, 0, 0], 7, Private, "unique local"),
        v6([0xfe80, 0, 0, 0, 0, 0, 0, 0], 10, Never, "link-local"),
        v6([0xfec0, 0, 0, 0, 0, 0, 0, 0], 10, Never, "site-local"),
        v6([0xff00, 0, 0, 0, 0, 0, 0, 0], 8, Never, "multicast"),
    ]
};

/// Why an address is not on the public internet, in kind and in words; none for one that is.
pub fn find_block(address: IpAddr) -> Option<(Reach, &'static str)> {
    BLOCKS.iter().find(|block| block.contains(address)).map(|block| (block.reach, block.what))
}

impl Block {
    fn contains(&self, address: IpAddr) -> bool {
        match (self.network, address) {
            (IpAddr::V4(network), IpAddr::V4(address)) => {
                let differing = network.to_bits() ^ address.to_bits();
                differing.leading_zeros() >= self.prefix_bits
            }
            (IpAddr::V6(network), IpAddr::V6(address)) => {
                let differing = network.to_bits() ^ address.to_bits();
                differing.leading_zeros() >= self.prefix_bits
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each row: a block's first and last address, and the neighbours outside it that are public.
    const ROWS: [(&str, &str, Reach, &[&str]); 33] = [
        ("0.0.0.0", "0.255.255.255", Reach::Never, &["1.0.0.0"]),
        ("10.0.0.0", "10.255.255.255", Reach::Private, &["9.255.255.255", "11.0.0.0"]),
        ("100.64.0.0", "100.127.255.255", Reach::Private, &["100.63.255.255", "100.128.0.0"]),
        ("100.100.100.200", "100.100.100.200", Reach::Never, &[]),
        ("127.0.0.0", "127.255.255.255", Reach::Private, &["126.255.255.255", "128.0.0.0"]),
        ("168.63.129.16", "168.63.129.16", Reach::Never, &["168.63.129.15", "168.63.129.17"]),
        ("169.254.0.0", "169.254.255.255", Reach::Never, &["169.253.255.255", "169.255.0.0"]),
        ("169.254.169.254", "169.254.170.2", Reach::Never, &[]),
        ("172.16.0.0", "172.31.255.255", Reach::Private, &["172.15.255.255", "172.32.0.0"]),
        ("192.0.0.0", "192.0.0.255", Reach::Never, &["191.255.255.255", "192.0.1.0"]),
        ("192.0.2.0", "192.0.2.255", Reach::Never, &["192.0.1.255", "192.0.3.0"]),
        ("192.31.196.0", "192.31.196.255", Reach::Never, &["192.31.195.255", "192.31.197.0"]),
        ("192.52.193.0", "192.52.193.255", Reach::Never, &["192.52.192.255", "192.52.194.0"]),
        ("192.88.99.0", "192.88.99.255", Reach::Never, &["192.88.98.255", "192.88.100.0"]),
        ("192.168.0.0", "192.168.255.255", Reach::Private, &["192.167.255.255", "192.169.0.0"]),
        ("192.175.48.0", "192.175.48.255", Reach::Never, &["192.175.47.255", "192.175.49.0"]),
        ("198.18.0.0", "198.19.255.255", Reach::Never, &["198.17.255.255", "198.20.0.0"]),
        ("198.51.100.0", "198.51.100.255", Reach::Never, &["198.51.99.255", "198.51.101.0"]),
        ("203.0.113.0", "203.0.113.255", Reach::Never, &["203.0.112.255", "203.0.114.0"]),
        ("224.0.0.0", "239.255.255.255", Reach::Never, &["223.255.255.255"]),
        ("240.0.0.0", "255.255.255.255", Reach::Never, &[]),
        ("::", "::", Reach::Never, &[]),
        ("::1", "::1", Reach::Private, &[]),
        ("::2", "::ffff:ffff", Reach::Never, &[]),
        ("::ffff:0:0", "::ffff:255.255.255.255", Reach::Never, &[]),
        ("64:ff9b::", "64:ff9b::ffff:ffff", Reach::Never, &["64:ff9b:0:0:0:1::"]),
        ("64:ff9b:1::", "64:ff9b:1:ffff:ffff:ffff:ffff:ffff", Reach::Never, &["64:ff9b:2::"]),
        ("100::", "100::ffff:ffff:ffff:ffff", Reach::Never, &["100:0:0:1::"]),
        ("2001::", "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff", Reach::Never, &["2001:200::"]),
        ("2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", Reach::Never, &["2001:db7::", "2001:db9::"]),
        ("2002::", "2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff", Reach::Never, &["2003::"]),
        ("3fff::", "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff", Reach::Never, &["3fff:1000::", "3ffe::"]),
        ("5f00::", "5f00:ffff:ffff:ffff:ffff:ffff:ffff:ffff", Reach::Never, &["5eff::", "5f01::"]),
    ];
    const LOCAL_V6: [(&str, &str, Reach); 6] = [
        ("fc00::", "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", Reach::Private),
        ("fd00:ec2::254", "fd00:ec2::254", Reach::Never),
        ("fd20:ce::254", "fd20:ce::254", Reach::Never),
        ("fe80::", "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff", Reach::Never),
        ("fec0::", "feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", Reach::Never),
        ("ff00::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", Reach::Never),
    ];

    fn reach_of(address: &str) -> Option<Reach> {
        find_block(address.parse().unwrap()).map(|(reach, _)| reach)
    }

    #[test]
    fn every_block_is_blocked_from_its_first_address_to_its_last() {
        for (first, last, reach, outside) in ROWS {
            assert_eq!(reach_of(first), Some(reach), "{first}");
            assert_eq!(reach_of(last), Some(reach), "{last}");
            for public in outside {
                assert_eq!(reach_of(public), None, "{public}");
            }
        }
        for (first, last, reach) in LOCAL_V6 {
            assert_eq!(reach_of(first), Some(reach), "{first}");
            assert_eq!(reach_of(last), Some(reach), "{last}");
        }
    }

    #[test]
    fn no_row_of_the_list_is_without_a_test() {
        let firsts: Vec<&str> = ROWS.iter().map(|row| row.0).chain(LOCAL_V6.iter().map(|row| row.0)).collect();
        for block in &BLOCKS {
            let is_tested = firsts.iter().any(|first| {
                let first: IpAddr = first.parse().unwrap();
                block.contains(first) && find_block(first).is_some_and(|(_, what)| what == block.what)
            });
            assert!(is_tested, "{}/{} ({})", block.network, block.prefix_bits, block.what);
        }
    }

    #[test]
    fn public_addresses_are_public() {
        for address in ["1.1.1.1", "52.89.214.238", "93.184.215.14", "2606:4700:4700::1111", "2a00:1450:4001::200e"] {
            assert_eq!(reach_of(address), None, "{address}");
        }
    }
}
