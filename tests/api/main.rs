//! The web server from the outside: every route, guard and limit, against a ledger of its own in a temporary folder.

mod access;
mod alerts;
mod analytics;
mod attacks;
mod backup;
mod budget;
mod budgets;
mod channels;
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
mod pauses;
mod people;
mod prices;
mod retention;
mod server;
mod settings;
mod usage;
