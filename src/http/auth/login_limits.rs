//! How often anybody may try to log in: ten times from one address, then once a minute; from the fifth failure on a name
//! after a pause that doubles; ten times a second altogether. Kept in memory: a restart begins anew.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

const OF_ADDRESS: Rate = Rate { burst: 10, one_per_ms: 60_000 };
const OF_ALL: Rate = Rate { burst: 10, one_per_ms: 100 };
/// A name may fail so often before it has to wait.
const FREE_FAILURES: u32 = 5;
const FIRST_WAIT_MS: i64 = 30_000;
const LONGEST_WAIT_MS: i64 = 3_600_000;
/// A name that was not tried for so long begins anew.
const FORGOTTEN_AFTER_MS: i64 = 24 * 3_600_000;
/// More addresses or names than this are not remembered; those that matter least go first.
const MOST_REMEMBERED: usize = 10_000;

/// The counts of a server. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct LoginLimits(Arc<Mutex<Counts>>);

#[derive(Debug, Default)]
struct Counts {
    /// When the allowance will be whole again, in UTC milliseconds.
    all: i64,
    addresses: HashMap<IpAddr, i64>,
    names: HashMap<String, Failures>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Failures {
    count: u32,
    last_ms: i64,
}

#[derive(Clone, Copy)]
struct Rate {
    burst: i64,
    one_per_ms: i64,
}

impl LoginLimits {
    /// Lets one attempt through for `name`, from wherever, as [`Self::admit`] does: of who is logged in already.
    pub fn admit_name(&self, name: &str, now_ms: i64) -> Result<(), i64> {
        self.lock().try_name(name, now_ms)
    }

    /// Lets one attempt through, or says how many milliseconds it has to wait. It counts as a failure of `name` until
    /// [`Self::forgive`], so that many at once are no way around. `address` is none where it is not known.
    pub fn admit(&self, address: Option<IpAddr>, name: &str, now_ms: i64) -> Result<(), i64> {
        let mut counts = self.lock();
        counts.check_name(name, now_ms)?;
        counts.take(address, now_ms)?;
        counts.try_name(name, now_ms)
    }

    /// As [`Self::admit`], where no name is tried: whoever has a link.
    pub fn admit_link(&self, address: Option<IpAddr>, now_ms: i64) -> Result<(), i64> {
        self.lock().take(address, now_ms)
    }

    /// Forgets the failures of a name that has got in.
    pub fn forgive(&self, name: &str) {
        self.lock().names.remove(name);
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Counts {
    /// How often the name has failed, if it may be tried.
    fn check_name(&self, name: &str, now_ms: i64) -> Result<u32, i64> {
        let failures = self.names.get(name).copied().unwrap_or_default();
        let failures = if now_ms - failures.last_ms >= FORGOTTEN_AFTER_MS { Failures::default() } else { failures };
        let wait_ms = failures.last_ms + wait_after(failures.count) - now_ms;
        if wait_ms > 0 { Err(wait_ms) } else { Ok(failures.count) }
    }

    fn try_name(&mut self, name: &str, now_ms: i64) -> Result<(), i64> {
        let count = self.check_name(name, now_ms)?.saturating_add(1);
        self.names.insert(name.to_owned(), Failures { count, last_ms: now_ms });
        bound(&mut self.names, |failures| failures.last_ms);
        Ok(())
    }

    fn take(&mut self, address: Option<IpAddr>, now_ms: i64) -> Result<(), i64> {
        // Addresses that are not known share one.
        let address = address.map_or(IpAddr::V6(Ipv6Addr::UNSPECIFIED), network_of);
        let of_address = OF_ADDRESS.next(self.addresses.get(&address).copied().unwrap_or_default(), now_ms)?;
        self.all = OF_ALL.next(self.all, now_ms)?;
        self.addresses.insert(address, of_address);
        bound(&mut self.addresses, |whole_at_ms| *whole_at_ms);
        Ok(())
    }
}

impl Rate {
    /// When the allowance is whole again after one more, or how long that one has to wait.
    fn next(self, whole_at_ms: i64, now_ms: i64) -> Result<i64, i64> {
        let used_ms = (whole_at_ms - now_ms).max(0);
        let room_ms = (self.burst - 1) * self.one_per_ms;
        if used_ms > room_ms { Err(used_ms - room_ms) } else { Ok(now_ms + used_ms + self.one_per_ms) }
    }
}

/// The pause after so many failures in a row.
fn wait_after(failures: u32) -> i64 {
    let Some(doublings) = failures.checked_sub(FREE_FAILURES) else { return 0 };
    // The seventh doubling is past the longest wait.
    (FIRST_WAIT_MS << doublings.min(7)).min(LONGEST_WAIT_MS)
}

/// One customer of a provider has all of a /64.
fn network_of(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(v6) => match v6.to_ipv4_mapped() {
            Some(v4) => IpAddr::V4(v4),
            None => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64)),
        },
        v4 => v4,
    }
}

fn bound<K: Clone + Eq + Hash, V>(kept: &mut HashMap<K, V>, matters_until: impl Fn(&V) -> i64) {
    if kept.len() <= MOST_REMEMBERED {
        return;
    }
    let least = kept.iter().min_by_key(|(_, value)| matters_until(value)).map(|(key, _)| key.clone());
    if let Some(key) = least {
        kept.remove(&key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_MS: i64 = 1_795_512_600_000;
    const MINUTE_MS: i64 = 60_000;

    fn address(last: u8) -> Option<IpAddr> {
        Some(IpAddr::from([192, 0, 2, last]))
    }

    #[test]
    fn an_address_has_ten_attempts_and_then_one_a_minute() {
        let limits = LoginLimits::default();
        for attempt in 0..10 {
            // Slowly enough for the limit of all.
            assert_eq!(limits.admit(address(1), &format!("name-{attempt}"), NOW_MS + attempt * 100), Ok(()));
        }
        let refused = limits.admit(address(1), "name", NOW_MS + 1_000).unwrap_err();
        assert!(refused > 50_000 && refused <= MINUTE_MS, "{refused}");
        assert_eq!(limits.admit(address(2), "name", NOW_MS + 1_000), Ok(()), "others are not concerned");
        assert_eq!(limits.admit(address(1), "other", NOW_MS + MINUTE_MS), Ok(()));
        assert!(limits.admit(address(1), "another", NOW_MS + MINUTE_MS).is_err());
    }

    #[test]
    fn a_whole_network_of_the_sixth_protocol_is_one_address() {
        let limits = LoginLimits::default();
        let from = |network: u16, host: u16| Some(IpAddr::from([0x2001, 0xdb8, 0, network, host, 0, 0, 1]));
        for host in 0..10 {
            assert_eq!(limits.admit_link(from(1, host), NOW_MS + i64::from(host) * 100), Ok(()));
        }
        assert!(limits.admit_link(from(1, 77), NOW_MS + 1_000).is_err());
        assert_eq!(limits.admit_link(from(2, 77), NOW_MS + 1_000), Ok(()));
    }

    #[test]
    fn a_name_waits_from_its_fifth_failure_on_and_twice_as_long_each_time() {
        let limits = LoginLimits::default();
        let mut now_ms = NOW_MS;
        let try_from = |last: u8, at_ms: i64| limits.admit(address(last), "owner", at_ms);
        for attempt in 0..5 {
            assert_eq!(try_from(attempt, now_ms), Ok(()));
        }
        for (attempt, wait_ms) in [30_000, 60_000, 120_000, 240_000].into_iter().enumerate() {
            let other_address = 100 + attempt as u8;
            assert_eq!(try_from(other_address, now_ms), Err(wait_ms), "from wherever");
            now_ms += wait_ms;
            assert_eq!(try_from(other_address, now_ms), Ok(()));
        }
        assert_eq!([6, 12, 40, u32::MAX].map(wait_after), [60_000, LONGEST_WAIT_MS, LONGEST_WAIT_MS, LONGEST_WAIT_MS]);
        limits.forgive("owner");
        assert_eq!(limits.admit(address(200), "owner", now_ms), Ok(()));
    }

    #[test]
    fn all_together_have_ten_a_second() {
        let limits = LoginLimits::default();
        let let_in = (0..200).filter(|n| limits.admit(address(*n), &n.to_string(), NOW_MS).is_ok()).count();
        assert_eq!(let_in, 10);
        assert_eq!(limits.admit(address(201), "201", NOW_MS + 100), Ok(()));
        assert_eq!(limits.admit(address(202), "202", NOW_MS + 100), Err(100));
    }

    #[test]
    fn what_is_remembered_has_a_bound() {
        let mut kept: HashMap<usize, i64> = (0..=MOST_REMEMBERED).map(|n| (n, n as i64)).collect();
        bound(&mut kept, |value| *value);
        assert_eq!((kept.len(), kept.contains_key(&0)), (MOST_REMEMBERED, false));
    }
}
