-- Logins through another provider: who of there is whose account here, and the logins that are under way. Neither tokens nor
-- secrets of the provider are here.

create table oidc_identity (
    user_id text not null references account (user_id) on delete cascade,
    issuer text not null,
    subject text not null,
    -- as it was when the link was made; shown, and compared with nothing
    email text not null,
    linked_at_ms bigint not null,
    primary key (user_id, issuer),
    unique (issuer, subject)
);

create table oidc_login (
    -- SHA-256 of what the browser's cookie holds, in hex
    hash text not null primary key,
    next text not null,
    -- SHA-256 of the invitation's token, in hex
    invite_hash text,
    expires_at_ms bigint not null
);

-- The provider has answered; only the account's password is missing.
create table oidc_pending_link (
    -- SHA-256 of what the browser's cookie holds, in hex
    hash text not null primary key,
    user_id text not null references account (user_id) on delete cascade,
    issuer text not null,
    subject text not null,
    email text not null,
    next text not null,
    expires_at_ms bigint not null
);
