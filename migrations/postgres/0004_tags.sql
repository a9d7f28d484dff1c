-- What a client says of a call beside its project and the like: a JSON array of `name:value` or plain words.

alter table usage_event add column tags text not null default '[]';
