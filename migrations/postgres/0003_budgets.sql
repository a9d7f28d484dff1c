-- Several budgets: each has a scope, perhaps a model, a period, and what happens at its limit. The budgets that there are
-- stay as they are: their user's, monthly, and only telling.

alter table budget add column name text not null default '';
-- user, api_key, project or everyone
alter table budget add column scope text not null default 'user';
-- the key's id or the project's name; empty for the others
alter table budget add column scope_id text not null default '';
-- a family or an exact id; null: all models
alter table budget add column model text;
-- day, week or month
alter table budget add column period text not null default 'month';
-- notify or block
alter table budget add column at_limit text not null default 'notify';
alter table budget add column raised_limit_nano_usd bigint;
alter table budget add column raised_until_ms bigint;
