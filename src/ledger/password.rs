//! Passwords: hashed with Argon2id, slowly on purpose, beside the server's own work and a few at a time.

use super::LedgerError;
use crate::domain::account::NewPassword;
use argon2::password_hash::{PasswordHash, PasswordHasher, PasswordVerifier, SaltString};
use argon2::{Algorithm, Argon2, Params, Version};
use rand::RngExt;
use std::sync::{Arc, LazyLock};
use tokio::sync::Semaphore;

/// OWASP's least: 19 MiB, two passes, one lane.
const MEMORY_KIB: u32 = 19_456;
const PASSES: u32 = 2;
const LANES: u32 = 1;
/// How many may wait for their turn; more are turned away, so that guessing cannot take the machine.
const QUEUE: usize = 16;

/// What is checked for a login that does not exist, so that it takes as long as for one that does.
static DUMMY: LazyLock<Option<StoredPassword>> = LazyLock::new(|| hash_now("nobody has this password").ok());

/// A hash in PHC form. Neither `Debug` nor serde shows it, so that it cannot slip into a log or an answer.
#[derive(Clone)]
pub(super) struct StoredPassword(pub(super) String);

/// The places at the hashing machine.
#[derive(Clone, Debug)]
pub(super) struct Hashing {
    at_once: Arc<Semaphore>,
    admitted: Arc<Semaphore>,
}

impl Default for Hashing {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let at_once = (cores / 2).max(1);
        Self { at_once: Arc::new(Semaphore::new(at_once)), admitted: Arc::new(Semaphore::new(at_once + QUEUE)) }
    }
}

impl Hashing {
    pub(super) async fn hash(&self, password: &NewPassword) -> Result<StoredPassword, LedgerError> {
        let password = password.clone();
        self.run(move || hash_now(password.reveal())).await?
    }

    /// Whether `text` is the password. Without a stored one it is not, after as long a time.
    pub(super) async fn verify(&self, text: &str, stored: Option<StoredPassword>) -> Result<bool, LedgerError> {
        let text = text.to_owned();
        self.run(move || {
            let is_real = stored.is_some();
            let is_right = stored.as_ref().or(DUMMY.as_ref()).is_some_and(|stored| stored.is(&text));
            is_real && is_right
        })
        .await
    }

    async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, LedgerError> {
        let _place = self.admitted.try_acquire().map_err(|_| LedgerError::Busy)?;
        let turn = self.at_once.clone().acquire_owned().await.map_err(|_| LedgerError::Busy)?;
        let done = tokio::task::spawn_blocking(move || {
            // Kept by the work itself: whoever stops waiting does not make room for another.
            let _turn = turn;
            work()
        });
        done.await.map_err(|error| LedgerError::Unavailable(error.to_string()))
    }
}

impl StoredPassword {
    fn is(&self, text: &str) -> bool {
        let Ok(parsed) = PasswordHash::new(&self.0) else { return false };
        hasher().is_ok_and(|hasher| hasher.verify_password(text.as_bytes(), &parsed).is_ok())
    }
}

fn hash_now(text: &str) -> Result<StoredPassword, LedgerError> {
    let salt: [u8; 16] = rand::rng().random();
    let salt = SaltString::encode_b64(&salt).map_err(cannot_hash)?;
    let hash = hasher()?.hash_password(text.as_bytes(), &salt).map_err(cannot_hash)?;
    Ok(StoredPassword(hash.to_string()))
}

fn hasher() -> Result<Argon2<'static>, LedgerError> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None).map_err(|error| LedgerError::Hash(error.to_string()))?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

fn cannot_hash(error: argon2::password_hash::Error) -> LedgerError {
    LedgerError::Hash(error.to_string())
}
