-- The ledger: one row a call, and sums of them per quarter hour and per day. Times are UTC milliseconds, money is
-- nano-dollars. `user_id` comes first in every key, so that the schema can be sharded by user.

create table usage_event (
    user_id text not null,
    id text not null,
    dedup_key text not null,
    part_of text,
    is_sidechain boolean not null,
    occurred_at_ms bigint not null,
    source text not null,
    api_key_id text,
    provider text not null,
    model text not null,
    model_family text not null,
    input bigint not null,
    cache_write_5m bigint not null,
    cache_write_1h bigint not null,
    cache_read bigint not null,
    output bigint not null,
    thinking bigint not null,
    output_thinking bigint,
    web_search_count bigint not null,
    -- null: unpriced, never zero
    cost_nano_usd bigint,
    cost_input_nano_usd bigint not null,
    cost_cache_write_5m_nano_usd bigint not null,
    cost_cache_write_1h_nano_usd bigint not null,
    cost_cache_read_nano_usd bigint not null,
    cost_output_nano_usd bigint not null,
    cost_thinking_nano_usd bigint not null,
    cost_fees_nano_usd bigint not null,
    pricing_state text not null check (pricing_state in ('exact', 'estimated', 'unpriced', 'no_usage')),
    price_card_id text,
    conversation_id text,
    agent_slug text,
    session_id text,
    project text,
    tools_used text not null,
    success boolean not null,
    status_code bigint,
    error_message text,
    response_time_ms bigint,
    first_token_ms bigint,
    stop_reason text,
    service_tier text,
    speed text,
    geo text,
    request_id text,
    message_id text,
    usage_json text,
    primary key (user_id, id)
);

create unique index usage_event_dedup on usage_event (user_id, dedup_key);
create index usage_event_time on usage_event (user_id, occurred_at_ms, id);
create index usage_event_message on usage_event (user_id, message_id) where message_id is not null;

-- One combination of the dimensions that rollups keep. `user_id` is empty for everyone's sums; empty text means none.
create table series (
    user_id text not null,
    id bigint not null,
    provider text not null,
    model text not null,
    model_family text not null,
    api_key_id text not null,
    source text not null,
    project text not null,
    primary key (user_id, id),
    unique (user_id, provider, model, api_key_id, source, project)
);

-- grain 1: a quarter hour, exact for every time zone; grain 2: a day in the instance's time zone.
create table usage_rollup (
    user_id text not null,
    grain bigint not null check (grain in (1, 2)),
    bucket_at_ms bigint not null,
    series_id bigint not null,
    calls bigint not null,
    failed_calls bigint not null,
    unpriced_calls bigint not null,
    estimated_calls bigint not null,
    input bigint not null,
    cache_write_5m bigint not null,
    cache_write_1h bigint not null,
    cache_read bigint not null,
    output bigint not null,
    thinking bigint not null,
    output_thinking bigint not null,
    web_search_count bigint not null,
    cost_nano_usd bigint not null,
    cost_input_nano_usd bigint not null,
    cost_cache_write_5m_nano_usd bigint not null,
    cost_cache_write_1h_nano_usd bigint not null,
    cost_cache_read_nano_usd bigint not null,
    cost_output_nano_usd bigint not null,
    cost_thinking_nano_usd bigint not null,
    cost_fees_nano_usd bigint not null,
    timed_calls bigint not null,
    response_time_sum_ms bigint not null,
    primary key (user_id, grain, bucket_at_ms, series_id)
);

create table budget (
    user_id text not null,
    id text not null,
    limit_nano_usd bigint not null check (limit_nano_usd > 0),
    -- JSON array of percents
    thresholds text not null,
    time_zone text not null,
    updated_at_ms bigint not null,
    primary key (user_id, id)
);

create table setting (
    name text not null primary key,
    value text not null
);

-- Which log files were read, so that the next import starts with what changed.
create table import_file (
    user_id text not null,
    path text not null,
    size_bytes bigint not null,
    modified_at_ms bigint not null,
    primary key (user_id, path)
);
