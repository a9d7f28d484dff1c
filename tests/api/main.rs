//! The web server from the outside: every route, guard and limit, against a ledger of its own in a temporary folder.

mod access;
mod analytics;
mod budget;
mod commands;
mod crash;
mod events;
mod guard;
mod headers;
mod keys;
mod lifecycle;
mod limits;
mod live;
mod login;
mod pages;
mod people;
mod prices;
mod server;
mod settings;
mod usage;
