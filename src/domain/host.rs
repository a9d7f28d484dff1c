//! Hosts as `Host` headers and addresses name them: which are ours, and how they are reached.

use std::net::IpAddr;

/// Whether a host is the public address's, whose connections are encrypted.
pub fn is_public(host: &str, public_host: Option<&str>) -> bool {
    public_host.is_some_and(|public| public.eq_ignore_ascii_case(host))
}

/// How clients reach a host of ours: `http://localhost:3000`. The public address is encrypted, this machine's own names are not.
pub fn origin_of(host: &str, public_host: Option<&str>) -> String {
    let scheme = if is_public(host, public_host) { "https" } else { "http" };
    format!("{scheme}://{host}")
}

/// Whether a host, without a port, is this machine, so that what goes there needs no encryption.
pub fn is_this_machine(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost") || address.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_public_host_alone_is_encrypted() {
        let origin = |host: &str| origin_of(host, Some("tolls.example.org:8443"));
        assert_eq!(origin("Tolls.example.org:8443"), "https://Tolls.example.org:8443");
        for host in ["tolls.example.org", "localhost:3000", "127.0.0.1:3000", "[::1]"] {
            assert_eq!(origin(host), format!("http://{host}"));
        }
        assert_eq!(origin_of("localhost", None), "http://localhost");
    }
}
