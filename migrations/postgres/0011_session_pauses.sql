-- Sessions that spent too fast: paused until somebody resumes them, each with one alert.

create table session_pause (
    user_id text not null,
    id text not null,
    session_id text not null,
    paused_at_ms bigint not null,
    -- what its calls cost that ended within a minute, and what they may
    spent_nano_usd bigint not null,
    limit_nano_usd bigint not null,
    resumed_at_ms bigint,
    resumed_by text,
    primary key (user_id, id)
);

create unique index session_pause_open on session_pause (user_id, session_id) where resumed_at_ms is null;

-- of a session that ran away: its pause
alter table alert add column pause_id text;
create unique index alert_pause on alert (user_id, pause_id) where pause_id is not null;
