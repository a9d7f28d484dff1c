//! What looks and acts by itself: who is to be told of an alert is told of it.

pub mod notify;
