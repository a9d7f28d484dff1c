-- Message batches and their owners: who created one, or else who first fetched its results. Results belong to the
-- project, agent and so on of that request.

create table message_batch (
    user_id text not null,
    -- the provider's
    id text not null unique,
    api_key_id text,
    conversation_id text,
    agent_slug text,
    session_id text,
    project text,
    -- JSON array
    tags text not null,
    claimed_at_ms bigint not null,
    primary key (user_id, id)
);

create index message_batch_time on message_batch (claimed_at_ms);
