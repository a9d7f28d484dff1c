-- Who may use the dashboard, their sessions and the links that invite others. Secrets are kept as hashes.

create table account (
    user_id text not null primary key,
    -- e-mail address or name; stored in lower case
    login text not null unique,
    role text not null,
    -- Argon2id in PHC form; null while no password is set
    password_hash text,
    created_at_ms bigint not null,
    disabled_at_ms bigint
);

insert into account (user_id, login, role, created_at_ms) values ('owner', 'owner', 'owner', 0);

create table web_session (
    user_id text not null,
    -- SHA-256 of the session's id, in hex
    hash text not null unique,
    created_at_ms bigint not null,
    last_seen_at_ms bigint not null,
    expires_at_ms bigint not null,
    primary key (user_id, hash)
);

create table invite (
    -- SHA-256 of the link's token, in hex
    hash text not null primary key,
    role text not null,
    created_by text not null,
    created_at_ms bigint not null,
    expires_at_ms bigint not null,
    used_at_ms bigint
);
