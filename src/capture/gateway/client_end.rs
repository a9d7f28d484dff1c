//! Why a client's connection was closed by us, told to the calls that run on it.

use std::sync::{Arc, OnceLock};

/// The client's end of a connection; every request on it carries a clone in its extensions.
#[derive(Clone, Debug, Default)]
pub struct ClientEnd(Arc<OnceLock<Cut>>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// It took nothing of its answer for too long.
    ClientStalled,
    /// It did not come to its end in the time that stopping allows.
    ServerStopped,
}

impl ClientEnd {
    /// To be called before the connection is dropped. Only the first reason counts.
    pub fn cut(&self, why: Cut) {
        self.0.get_or_init(|| why);
    }

    /// None while the connection is open, and if the client hung up by itself.
    pub fn why_cut(&self) -> Option<Cut> {
        self.0.get().copied()
    }
}
