-- Who was erased. Calls of theirs may still come in: of those that were under way, from the spool, from other processes. They
-- are not taken. The id is that of an account that is gone, and names nobody.

create table erased_user (
    user_id text not null primary key,
    erased_at_ms bigint not null
);
