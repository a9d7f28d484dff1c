//! The gateway from the outside, on real sockets, against a provider that can misbehave. Each test is named after the fault.

mod answers;
mod attacks;
mod batches;
mod breaker;
mod budgets;
mod canary;
mod chat;
mod codings;
mod conformance;
mod connections;
mod credentials;
mod fake_provider;
mod faults;
mod gateway_server;
mod health;
mod kills;
mod ledger_faults;
mod ledger_silence;
mod postgres_proxy;
mod recording;
mod transparency;
mod wire;
