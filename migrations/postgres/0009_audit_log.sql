-- Who did what, when, and from where: logins, keys, users, budgets, channels, prices. No secret stands in it.

create table audit_log (
    -- UUIDv7
    id text not null primary key,
    at_ms bigint not null,
    -- account, key, local_owner, command_line, nobody, library, server
    actor_kind text not null,
    actor_user_id text,
    -- as it was then
    actor_login text,
    actor_key_id text,
    action text not null,
    target_kind text not null,
    target_id text not null,
    -- as it was then
    target_name text not null,
    detail text not null,
    -- an IP address, or `command line`
    came_from text
);

create index audit_log_by_time on audit_log (at_ms, id);
