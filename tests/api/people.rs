//! A server with people on it: the owner has a password, a member and an admin have accounts, somebody is shut out.

use super::server::{NOW_MS, TestServer};
use std::collections::HashMap;
use tollbridge::domain::account::{NewPassword, Role};
use tollbridge::domain::api_key::KeyScope;
use tollbridge::domain::audit::Actor;
use tollbridge::domain::usage::{Scope, UserId};
use tollbridge::ledger::EventFilter;
use tollbridge::ledger::invite::Joined;

pub const WORDS: &str = "four words of mine";

pub struct TestPeople {
    pub server: TestServer,
    users: HashMap<Person, UserId>,
    /// The member's, one for each scope: text and id.
    keys: HashMap<KeyScope, (String, String)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Person {
    Owner,
    Member,
    OtherMember,
    Admin,
    ShutOut,
}

impl TestPeople {
    pub async fn start() -> Self {
        let server = TestServer::start().await;
        let ledger = &server.state.ledger;
        ledger
            .set_password(&UserId::owner(), &NewPassword::parse(WORDS).unwrap(), &Actor::command_line(), NOW_MS)
            .await
            .unwrap();
        let mut users = HashMap::from([(Person::Owner, UserId::owner())]);
        for (person, login, role) in [
            (Person::Member, "mia", Role::Member),
            (Person::OtherMember, "otto", Role::Member),
            (Person::Admin, "ada", Role::Admin),
            (Person::ShutOut, "shawn", Role::Admin),
        ] {
            users.insert(person, join(&server, login, role).await);
        }
        ledger.set_disabled(&users[&Person::ShutOut], true, &Actor::command_line(), NOW_MS).await.unwrap();
        let mut keys = HashMap::new();
        for scope in KeyScope::ALL {
            let made = ledger
                .create_key(&users[&Person::Member], scope.name(), &[scope], &Actor::command_line(), NOW_MS)
                .await
                .unwrap();
            keys.insert(scope, (made.text.reveal().to_owned(), made.key.id));
        }
        Self { server, users, keys }
    }

    pub fn user(&self, person: Person) -> &UserId {
        &self.users[&person]
    }

    /// The cookie of a new session.
    pub async fn cookie(&self, person: Person) -> String {
        let token = self
            .server
            .state
            .ledger
            .open_session(self.user(person), &Actor::command_line(), self.server.state.clock.now_ms())
            .await;
        format!("theme=dark; sid={}", token.unwrap().reveal())
    }

    /// The member's key with this scope alone.
    pub fn key(&self, scope: KeyScope) -> String {
        self.keys[&scope].0.clone()
    }

    pub fn key_id(&self, scope: KeyScope) -> String {
        self.keys[&scope].1.clone()
    }

    pub async fn new_key(&self, person: Person, scopes: &[KeyScope]) -> String {
        let made = self
            .server
            .state
            .ledger
            .create_key(self.user(person), "test", scopes, &Actor::command_line(), NOW_MS)
            .await
            .unwrap();
        made.text.reveal().to_owned()
    }

    /// The member's one event.
    pub async fn event_of_member(&self) -> String {
        let scope = Scope::User(self.user(Person::Member).clone());
        let page = self.server.state.ledger.events(&scope, &EventFilter { limit: 2, ..EventFilter::default() }).await;
        let events = page.unwrap().events;
        assert_eq!(events.len(), 1);
        events[0].id.clone()
    }
}

async fn join(server: &TestServer, login: &str, role: Role) -> UserId {
    let ledger = &server.state.ledger;
    let invite = ledger.create_invite(role, &Actor::command_line(), NOW_MS).await.unwrap();
    match ledger
        .accept_invite(&invite, login, &NewPassword::parse(WORDS).unwrap(), &Actor::command_line(), NOW_MS)
        .await
        .unwrap()
    {
        Joined::Account(account) => account.user_id,
        other => panic!("{other:?}"),
    }
}
