//! No token stream makes a macro panic, and what it gives back is always Rust: an expansion, or errors beside
//! the item.
//!
//! A bounded number of cases in `cargo test`; `NARAD_TEST_FUZZ=60` runs for so many seconds, with other
//! seeds.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use fastrand::Rng;
use proc_macro2::{Delimiter, Group, Ident, Literal, Punct, Spacing, Span, TokenStream, TokenTree};

/// Items, and the arguments of the attribute, as users write them: cases begin here.
const ITEMS: &[&str] = &[
    r#"#[event(topic = "user.${STAGE:-dev}", type = "USER_LOGIN", version = "1.0", key = user_id, format = "flat", crate = "narad")]
       #[serde(rename_all = "camelCase", deny_unknown_fields)]
       pub struct UserLogin<'a, T: Clone, const N: usize> where T: Copy {
           #[serde(rename(serialize = "a", deserialize = "b"), alias = "c", borrow)] pub user_id: Cow<'a, str>,
           #[serde(default = "path::of", skip_serializing_if = "Option::is_none", with = "module")] value: Option<T>,
           bytes: [u8; Self::LEN], nested: Vec<HashMap<String, (Line, &'static str)>>, held: <T as Trait>::Item,
       }"#,
    r#"#[event(topic = TOPIC, key = format!("{}/{self}", self.0))] struct Tuple(u64, Option<Box<Tuple>>);"#,
    r#"#[event(key = 0, serde = manual)] struct Newtype<T>(T);"#,
    r#"#[event(key = "user_id")] struct Unit;"#,
    r#"#[event(topic = "user.events", key = self.key())]
       enum Set<'a, T> { Login(UserLogin<'a>), #[event(type = "LEFT")] Left(Left<T>), #[event(other)] Rest(Json<Value>) }"#,
    r#"#[event(type = "SHAPE")] #[serde(tag = "kind", content = "body", untagged, rename_all_fields = "kebab-case")]
       enum Shape { #[serde(other)] Nothing = 1, Circle { #[serde(flatten)] radius: f64 }, #[serde(bound = "T: Copy")] Square(f64) }"#,
    r#"#[serde(bound(serialize = "T: X", deserialize = "for<'x> T: Y<'x>"), from = "u8", transparent)] #[repr(C, packed(2))] union U { a: u8 }"#,
    r#"#[failure(crate = "narad")] enum CountError {
           #[retry(attempts = 8, backoff = "200ms..1m")] Busy, #[dead_letter] Broken(String), #[skip] Old { a: u8 }, #[halt] r#Fatal,
           #[fate(inner)] Store(Box<StoreError>), #[fate(inner)] Bank { #[source] error: BankError, at: u8 } }"#,
    r#"/// A handler.
       #[cfg(test)] pub(crate) async fn count_login<'a>(#[header("x")] event: UserLogin<'a>, #[cfg(x)] Json(ctx): Json<&'a [u8; 3]>, mut own: fn(&'_ u8))
       -> Result<impl IntoReply, Box<dyn Error + Send>> where 'a: 'static { Ok(()) }"#,
    r#"unsafe extern "C" fn plain(&self, events: Batch<UserLogin>, state: impl Trait, ...) -> ! { loop {} }"#,
];

const ARGS: &[&str] = &[
    r#"topic = "user.events", group = GROUP, name = "count", default, ordering = "partition", concurrency = 4, timeout = "5s""#,
    r#"topics = ["a", TOPIC, "b.${X:-y}"], dead_letter = skip, batch(max = 500, wait = "50ms"), start = "latest", crate = "narad""#,
    r#"pattern = r"^user\..*", retry(attempts = 5, backoff = "100ms..30s"), dead_letter = "a.${B}""#,
];

/// Words that mean something here or to Rust.
const WORDS: &[&str] = &[
    "event",
    "serde",
    "topic",
    "topics",
    "pattern",
    "type",
    "version",
    "key",
    "format",
    "encoding",
    "crate",
    "group",
    "name",
    "default",
    "ordering",
    "concurrency",
    "retry",
    "attempts",
    "backoff",
    "dead_letter",
    "off",
    "skip",
    "halt",
    "timeout",
    "batch",
    "max",
    "wait",
    "start",
    "other",
    "manual",
    "failure",
    "cfg",
    "cfg_attr",
    "header",
    "repr",
    "packed",
    "rename",
    "rename_all",
    "serialize",
    "deserialize",
    "bound",
    "with",
    "tag",
    "content",
    "untagged",
    "flatten",
    "borrow",
    "from",
    "transparent",
    "alias",
    "expect",
    "allow",
    "struct",
    "enum",
    "union",
    "fn",
    "async",
    "unsafe",
    "const",
    "static",
    "pub",
    "impl",
    "dyn",
    "for",
    "where",
    "self",
    "Self",
    "super",
    "mut",
    "ref",
    "as",
    "in",
    "match",
    "if",
    "Result",
    "Option",
    "Vec",
    "HashMap",
    "PhantomData",
    "Batch",
    "Outcome",
    "String",
    "u8",
    "T",
    "N",
    "_",
    "r#fn",
    "r#type",
    "é",
    "名前",
];

const TEXTS: &[&str] = &[
    "\"\"",
    "\"flat\"",
    "\"key\"",
    "\"partition\"",
    "\"user.${STAGE\"",
    "\"${}\"",
    "\"${A:-}\"",
    "\"1s..\"",
    "\"5m\"",
    "\"99999999999999999999h\"",
    "\"1h..2s\"",
    "\"(\"",
    "\"T: Copy\"",
    "\"T:\"",
    "\"camelCase\"",
    "\"a::b\"",
    "\"::\"",
    "\"self\"",
    "\"self.0\"",
    "\"é名\\u{0}\\n\"",
    "\"x\"suffix",
    "r#\"raw\"#",
    "b\"bytes\"",
    "c\"text\"",
    "'c'",
    "b'b'",
    "0",
    "1",
    "4294967296",
    "99999999999999999999999999",
    "0u8",
    "1_0",
    "0x1F",
    "1.5",
    "1e9",
    "7f32",
    "0usize",
    "1_",
];

#[test]
fn no_token_stream_makes_a_macro_panic() {
    let seconds = std::env::var("NARAD_TEST_FUZZ").ok();
    let time = seconds.map(|seconds| Duration::from_secs(seconds.parse().expect("seconds")));
    let (first, began) = (time.map_or(0, |_| fastrand::u64(..)), Instant::now());
    let parse = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect::<Vec<TokenStream>>();
    let corpus = Corpus { items: parse(ITEMS), args: parse(ARGS) };
    let rounds = (0..).take_while(|round| time.map_or(*round < 3_000, |time| began.elapsed() < time));
    for seed in rounds.map(|round| first.wrapping_add(round)) {
        let mut rng = Rng::with_seed(seed);
        let (item, args) = (corpus.one_of(&corpus.items, &mut rng), corpus.one_of(&corpus.args, &mut rng));
        check("Event", seed, &item, || crate::event::derive(item.clone()), true);
        check("EventData", seed, &item, || crate::event::derive_data(item.clone()), true);
        check("Failure", seed, &item, || crate::failure::derive(item.clone()), true);
        let is_rust = syn::parse2::<syn::File>(item.clone()).is_ok();
        let both: TokenStream = [args.clone(), item.clone()].into_iter().collect();
        check(
            "kafka_handler",
            seed,
            &both,
            || crate::handler::attribute(args.clone(), item.clone()),
            is_rust,
        );
    }
}

fn check(name: &str, seed: u64, input: &TokenStream, expand: impl FnOnce() -> TokenStream, is_rust: bool) {
    let Ok(expanded) = catch_unwind(AssertUnwindSafe(expand)) else {
        panic!("{name} panicked, seed {seed}: {input}")
    };
    if is_rust && let Err(error) = syn::parse2::<syn::File>(expanded.clone()) {
        panic!("{name} gave back what is not Rust, seed {seed}: {error}\n{input}\n{expanded}");
    }
}

struct Corpus {
    items: Vec<TokenStream>,
    args: Vec<TokenStream>,
}

impl Corpus {
    /// Tokens out of nothing, or a few changes of what a user might write.
    fn one_of(&self, of: &[TokenStream], rng: &mut Rng) -> TokenStream {
        if rng.u8(..) < 16 {
            return tokens(rng, 3);
        }
        let mut stream = of[rng.usize(..of.len())].clone();
        for _ in 0..rng.usize(..6) {
            stream = self.changed(stream, rng);
        }
        stream
    }

    /// One change somewhere in the stream or in a group of it.
    fn changed(&self, stream: TokenStream, rng: &mut Rng) -> TokenStream {
        let mut trees: Vec<TokenTree> = stream.into_iter().collect();
        if trees.is_empty() {
            return tokens(rng, 2);
        }
        let place = rng.usize(..trees.len());
        if let TokenTree::Group(group) = &trees[place]
            && rng.u8(..) < 200
        {
            let inside = self.changed(group.stream(), rng);
            let delimiter = if rng.u8(..) < 8 { delimiter(rng) } else { group.delimiter() };
            trees[place] = TokenTree::Group(Group::new(delimiter, inside));
            return trees.into_iter().collect();
        }
        match rng.u8(..8) {
            0 => drop(trees.remove(place)),
            1 => trees.insert(place, trees[place].clone()),
            2 => {
                let other = rng.usize(..trees.len());
                trees.swap(place, other);
            }
            3 => trees.truncate(place),
            4 => trees.insert(place, tree(rng, 2)),
            5 => {
                // As `macro_rules` hands a fragment on.
                let end = rng.usize(place..trees.len());
                let inside = trees.drain(place..=end).collect();
                trees.insert(place, TokenTree::Group(Group::new(Delimiter::None, inside)));
            }
            6 => {
                let all = if rng.bool() { &self.items } else { &self.args };
                let mut other: Vec<TokenTree> = all[rng.usize(..all.len())].clone().into_iter().collect();
                let from = rng.usize(..other.len());
                trees.splice(place..place, other.drain(from..));
            }
            _ => trees[place] = tree(rng, 2),
        }
        trees.into_iter().collect()
    }
}

fn tokens(rng: &mut Rng, depth: usize) -> TokenStream {
    (0..rng.usize(..8)).map(|_| tree(rng, depth)).collect()
}

fn tree(rng: &mut Rng, depth: usize) -> TokenTree {
    match rng.u8(..10) {
        0 | 1 if depth > 0 => TokenTree::Group(Group::new(delimiter(rng), tokens(rng, depth - 1))),
        2 => TokenTree::Literal(TEXTS[rng.usize(..TEXTS.len())].parse::<Literal>().unwrap()),
        3..=5 => {
            let spacing = if rng.bool() { Spacing::Joint } else { Spacing::Alone };
            let all = b"=,:<>&*!?#.-+|;@^/%~$'";
            TokenTree::Punct(Punct::new(char::from(all[rng.usize(..all.len())]), spacing))
        }
        _ => {
            let word = WORDS[rng.usize(..WORDS.len())];
            TokenTree::Ident(match word.strip_prefix("r#") {
                Some(word) => Ident::new_raw(word, Span::call_site()),
                None => Ident::new(word, Span::call_site()),
            })
        }
    }
}

fn delimiter(rng: &mut Rng) -> Delimiter {
    [Delimiter::Parenthesis, Delimiter::Brace, Delimiter::Bracket, Delimiter::None][rng.usize(..4)]
}
