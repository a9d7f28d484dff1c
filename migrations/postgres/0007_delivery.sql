-- Where alerts go, and the outbox of what is on its way there.

create table channel (
    user_id text not null,
    id text not null,
    name text not null,
    kind text not null,
    -- JSON: address, mail server, and the secrets that are needed in the clear to send
    target text not null,
    min_level text not null,
    -- JSON list
    topics text not null,
    -- minutes since midnight in time_zone; both null without quiet hours
    quiet_from_minute bigint,
    quiet_to_minute bigint,
    digest text not null,
    time_zone text not null,
    created_at_ms bigint not null,
    disabled_at_ms bigint,
    disabled_reason text,
    primary key (user_id, id)
);

create table delivery (
    user_id text not null,
    id text not null,
    channel_id text not null,
    -- JSON
    notification text not null,
    state text not null,
    -- attempts that were begun
    attempts bigint not null,
    created_at_ms bigint not null,
    next_attempt_at_ms bigint not null,
    last_attempt_at_ms bigint,
    last_status bigint,
    last_answer text,
    primary key (user_id, id)
);

create index delivery_next on delivery (state, next_attempt_at_ms);
