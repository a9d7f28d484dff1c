-- Keys that clients show. Only a hash is kept of a key; prefix and last4 are for telling keys apart in a list.

create table api_key (
    user_id text not null,
    id text not null,
    name text not null,
    -- SHA-256 of the key, in hex
    hash text not null unique,
    prefix text not null,
    last4 text not null,
    -- JSON array of names
    scopes text not null,
    created_at_ms integer not null,
    last_used_at_ms integer,
    revoked_at_ms integer,
    primary key (user_id, id)
) strict;
