-- The ledger: one row a call, and sums of them per quarter hour and per day. Times are UTC milliseconds, money is
-- nano-dollars. `user_id` comes first in every key, so that the schema can be sharded by user.

create table usage_event (
    user_id text not null,
    id text not null,
    dedup_key text not null,
    part_of text,
    is_sidechain integer not null check (is_sidechain in (0, 1)),
    occurred_at_ms integer not null,
    source text not null,
    api_key_id text,
    provider text not null,
    model text not null,
    model_family text not null,
    input integer not null,
    cache_write_5m integer not null,
    cache_write_1h integer not null,
    cache_read integer not null,
    output integer not null,
    thinking integer not null,
    output_thinking integer,
    web_search_count integer not null,
    -- null: unpriced, never zero
    cost_nano_usd integer,
    cost_input_nano_usd integer not null,
    cost_cache_write_5m_nano_usd integer not null,
    cost_cache_write_1h_nano_usd integer not null,
    cost_cache_read_nano_usd integer not null,
    cost_output_nano_usd integer not null,
    cost_thinking_nano_usd integer not null,
    cost_fees_nano_usd integer not null,
    pricing_state text not null check (pricing_state in ('exact', 'estimated', 'unpriced', 'no_usage')),
    price_card_id text,
    conversation_id text,
    agent_slug text,
    session_id text,
    project text,
    tools_used text not null,
    success integer not null check (success in (0, 1)),
    status_code integer,
    error_message text,
    response_time_ms integer,
    first_token_ms integer,
    stop_reason text,
    service_tier text,
    speed text,
    geo text,
    request_id text,
    message_id text,
    usage_json text,
    primary key (user_id, id)
) strict;

create unique index usage_event_dedup on usage_event (user_id, dedup_key);
create index usage_event_time on usage_event (user_id, occurred_at_ms, id);
create index usage_event_message on usage_event (user_id, message_id) where message_id is not null;

-- One combination of the dimensions that rollups keep. `user_id` is empty for everyone's sums; empty text means none.
create table series (
    user_id text not null,
    id integer not null,
    provider text not null,
    model text not null,
    model_family text not null,
    api_key_id text not null,
    source text not null,
    project text not null,
    primary key (user_id, id),
    unique (user_id, provider, model, api_key_id, source, project)
) strict;

-- grain 1: a quarter hour, exact for every time zone; grain 2: a day in the instance's time zone.
create table usage_rollup (
    user_id text not null,
    grain integer not null check (grain in (1, 2)),
    bucket_at_ms integer not null,
    series_id integer not null,
    calls integer not null,
    failed_calls integer not null,
    unpriced_calls integer not null,
    estimated_calls integer not null,
    input integer not null,
    cache_write_5m integer not null,
    cache_write_1h integer not null,
    cache_read integer not null,
    output integer not null,
    thinking integer not null,
    output_thinking integer not null,
    web_search_count integer not null,
    cost_nano_usd integer not null,
    cost_input_nano_usd integer not null,
    cost_cache_write_5m_nano_usd integer not null,
    cost_cache_write_1h_nano_usd integer not null,
    cost_cache_read_nano_usd integer not null,
    cost_output_nano_usd integer not null,
    cost_thinking_nano_usd integer not null,
    cost_fees_nano_usd integer not null,
    timed_calls integer not null,
    response_time_sum_ms integer not null,
    primary key (user_id, grain, bucket_at_ms, series_id)
) strict, without rowid;

create table budget (
    user_id text not null,
    id text not null,
    limit_nano_usd integer not null check (limit_nano_usd > 0),
    -- JSON array of percents
    thresholds text not null,
    time_zone text not null,
    updated_at_ms integer not null,
    primary key (user_id, id)
) strict;

create table setting (
    name text not null primary key,
    value text not null
) strict;

-- Which log files were read, so that the next import starts with what changed.
create table import_file (
    user_id text not null,
    path text not null,
    size_bytes integer not null,
    modified_at_ms integer not null,
    primary key (user_id, path)
) strict;
