-- When each user's numbers last moved, and which process moved them, so that others can tell who listens to them. One sequence
-- for all users: a later move has a larger version.

create table usage_version (
    user_id text not null primary key,
    version bigint not null,
    writer text not null
);

create index usage_version_order on usage_version (version);
