use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use super::*;
use crate::login::Token;

const PATIENCE: Duration = Duration::from_secs(60);

/// What a client was told.
#[derive(Debug, PartialEq, Eq)]
enum Told {
    Token(String),
    Lacks(String),
}

struct Client(Sender<Told>);

impl Recipient for Client {
    fn take(&self, token: &Token) {
        let _ = self.0.send(Told::Token(token.value.clone()));
    }

    fn lacks(&self, why: &str) {
        let _ = self.0.send(Told::Lacks(why.to_owned()));
    }
}

fn join(tokens: &Tokens) -> (Joined, Receiver<Told>) {
    let (sender, told) = channel();
    (tokens.join(Box::new(Client(sender))), told)
}

fn good_for(seconds: u64, name: &str) -> Answer {
    Ok(Token::new(name, SystemTime::now() + Duration::from_secs(seconds)))
}

/// Gives these one after the other, the last one again and again; and how often it was asked.
fn scripted(answers: Vec<Result<(u64, &'static str), &'static str>>) -> (Tokens, Arc<AtomicUsize>) {
    let asked = Arc::<AtomicUsize>::default();
    let count = asked.clone();
    let source = move || {
        let time = count.fetch_add(1, Ordering::SeqCst);
        let answer = answers[time.min(answers.len() - 1)];
        async move { answer.map_err(Into::into).and_then(|(seconds, name)| good_for(seconds, name)) }
    };
    (Tokens::new("the source", source), asked)
}

fn token(name: &str) -> Told {
    Told::Token(name.to_owned())
}

#[test]
fn all_clients_share_a_token_that_is_asked_for_once() {
    let (tokens, asked) = scripted(vec![Ok((3_600, "one")), Ok((3_600, "two"))]);
    let (_first, told) = join(&tokens);
    assert_eq!(told.recv_timeout(PATIENCE), Ok(token("one")));
    for _ in 0..5 {
        let (joined, told) = join(&tokens.clone());
        assert_eq!(told.try_recv(), Ok(token("one")), "at once");
        drop(joined);
        assert!(told.recv().is_err(), "nobody tells it anything any more");
    }
    assert_eq!(asked.load(Ordering::SeqCst), 1);
}

#[test]
fn a_token_is_renewed_before_it_ends_and_a_refresh_that_fails_is_tried_again() {
    let (tokens, _) = scripted(vec![Ok((10, "one")), Err("no"), Ok((3_600, "two"))]);
    let begun = SystemTime::now();
    let (_joined, told) = join(&tokens);
    assert_eq!(told.recv_timeout(PATIENCE), Ok(token("one")));
    // Nobody hears of the failure: the first token is good.
    assert_eq!(told.recv_timeout(PATIENCE), Ok(token("two")));
    assert!(begun.elapsed().unwrap() >= Duration::from_secs(8), "not before it was due");
}

#[test]
fn clients_without_a_token_learn_why_and_get_one_as_soon_as_there_is_one() {
    let (tokens, _) = scripted(vec![Err("wrong secret"), Err("wrong secret"), Ok((3_600, "one"))]);
    let (_first, told) = join(&tokens);
    let why = Told::Lacks("the source: wrong secret".to_owned());
    assert_eq!(told.recv_timeout(PATIENCE).as_ref(), Ok(&why));
    let (_second, later) = join(&tokens);
    assert_eq!(later.try_recv().as_ref(), Ok(&why), "at once");
    for told in [told, later] {
        assert!(told.iter().any(|told| told == token("one")));
    }
}

#[test]
fn a_source_that_panics_or_blocks_its_thread_is_a_failure_like_any_other() {
    let script: Vec<fn() -> Answer> = vec![|| panic!("out of ink"), || {
        std::thread::sleep(Duration::from_secs(4));
        good_for(3_600, "late")
    }];
    let script = Mutex::new(script.into_iter());
    let tokens = Tokens::new("the source", move || {
        let next = script.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).next();
        async move { next.expect("asked twice")() }
    });
    let (_joined, told) = join(&tokens);
    let next = || told.recv_timeout(PATIENCE).expect("it is told");
    assert_eq!(next(), Told::Lacks("the source: it panicked: out of ink".to_owned()));
    assert_eq!(next(), Told::Lacks("the source: no answer for 2 s".to_owned()));
    assert_eq!(next(), token("late"));
}

#[test]
fn who_asks_ends_with_the_last_client_and_begins_again_with_the_next() {
    let (tokens, asked) = scripted(vec![Ok((3_600, "one"))]);
    for _ in 0..3 {
        let (joined, told) = join(&tokens);
        assert_eq!(told.recv_timeout(PATIENCE), Ok(token("one")));
        drop(joined);
        while tokens.0.lock().is_asking {
            std::thread::sleep(Duration::from_millis(5));
        }
    }
    assert_eq!(asked.load(Ordering::SeqCst), 1, "what is good stays");
}
