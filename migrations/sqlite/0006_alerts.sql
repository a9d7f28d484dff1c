-- Alerts as facts: one row for each threshold that a budget crossed in a period, and one for each anomaly, ever.

create table alert (
    user_id text not null,
    id text not null,
    -- budget, spike, high_cost or unusual_pattern
    kind text not null,
    -- info, warning or critical
    level text not null,
    -- of a crossed threshold: the budget, its period (day, week, month), the period's first day in the budget's zone, percent
    budget_id text,
    period text,
    period_start text,
    threshold integer,
    -- of an anomaly: the day in the user's zone, and weekly_mean or robust
    day text,
    rule text,
    fired_at_ms integer not null,
    message text not null,
    -- JSON: the figures that it rests on, and what brought them about
    evidence text not null,
    -- the user's ledger held sample data at that time: it goes with the sample data
    has_demo_data integer not null check (has_demo_data in (0, 1)),
    acknowledged_at_ms integer,
    acknowledged_by text,
    -- somebody said that an anomaly like this one is none
    is_normal integer not null check (is_normal in (0, 1)),
    primary key (user_id, id)
) strict;

create unique index alert_budget on alert (user_id, budget_id, period, period_start, threshold) where budget_id is not null;
create unique index alert_anomaly on alert (user_id, day, kind, rule) where day is not null;
create index alert_time on alert (user_id, fired_at_ms, id);
