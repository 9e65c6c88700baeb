use std::borrow::Cow;

use narad::__private::{Event as _, TopicEvent as _};
use narad::prelude::*;

#[derive(Event)]
#[event(key = user_id)]
struct UserLogin {
    user_id: String,
}

#[derive(Event)]
#[event(version = "2.0", format = "flat")]
struct UserLogout {
    user_id: String,
}

#[derive(Event)]
#[event(topic = "user.events")]
enum UserEvents {
    Login(UserLogin),
    #[event(type = "USER_LEFT")]
    Logout(UserLogout),
    #[event(type = "USER_LEFT_EARLY")]
    Early(UserLogout),
    #[event(other)]
    Rest,
}

#[derive(Event)]
enum WithJson {
    Login(UserLogin),
    #[event(other)]
    Rest(Json<narad::serde_json::Value>),
}

#[derive(Event)]
#[event(key = self.key())]
enum WithRecord {
    Login(UserLogin),
    #[event(other)]
    Rest(Record),
}

impl WithRecord {
    fn key(&self) -> &str {
        match self {
            Self::Login(login) => &login.user_id,
            Self::Rest(_) => "none",
        }
    }
}

#[derive(Event)]
struct Named<'a, T> {
    name: Cow<'a, str>,
    value: T,
}

#[derive(Event)]
enum Generic<'a, T> {
    Named(Named<'a, T>),
    Login(UserLogin),
}

fn is_event<'r, E: narad::__private::DecodeEvent<'r>>() {}

fn main() {
    let shape = UserEvents::SHAPE;
    assert_eq!(shape.types, ["USER_LOGIN", "USER_LEFT", "USER_LEFT_EARLY"]);
    assert_eq!(shape.variants.iter().map(|shape| shape.types[0]).collect::<Vec<_>>(), shape.types);
    assert_eq!(shape.variants[1].format, UserLogout::SHAPE.format);
    assert!(shape.other && !WithJson::SHAPE.variants.is_empty());
    assert!(!shape.keyed && WithJson::SHAPE.keyed && WithRecord::SHAPE.keyed);
    assert_eq!(UserEvents::TOPIC, "user.events");

    let early = UserEvents::Early(UserLogout { user_id: "1".into() });
    assert_eq!((early.event_type(), early.event_version()), ("USER_LEFT_EARLY", "2.0"));
    let login = UserEvents::Login(UserLogin { user_id: "1".into() });
    assert_eq!((login.event_type(), login.event_version()), ("USER_LOGIN", "1.0"));
    assert_eq!(login.event_key().as_deref(), Some(&b"1"[..]));
    assert_eq!(UserEvents::Rest.event_key(), None);

    is_event::<Generic<'_, u8>>();
    is_event::<WithJson>();
    is_event::<WithRecord>();
    assert_eq!(Generic::<u8>::SHAPE.types, ["NAMED", "USER_LOGIN"]);
    let _ = (
        UserEvents::Logout,
        WithJson::Login,
        WithRecord::Login,
        Generic::<u8>::Login,
        WithRecord::Rest,
        WithJson::Rest,
    );
    let _ = Generic::Named(Named { name: "n".into(), value: 1 });
}
