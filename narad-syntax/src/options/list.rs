//! What is made of the list.

/// The structs of the options, and what goes over all of them.
macro_rules! options {
    ($(
        $(#[doc = $doc:literal])+
        $field:ident: $ty:ty {
            $(within: $within:literal,)?
            grammar: $grammar:expr,
            default: $default:tt,
            $(shown: $shown:literal,)?
            example: $example:literal,
            scope: $scope:expr,
            column: $column:expr,
        }
    )+) => {
        /// All options, in the order of the documentation.
        pub const OPTIONS: &[OptionSpec] = &[$(OptionSpec {
            field: stringify!($field),
            within: option!($($within)?),
            grammar: $grammar,
            scope: $scope,
            example: $example,
            column: $column,
            shown: option!($($shown)?),
            doc: &[$($doc),+],
        },)+];

        /// The options of a handler as written; `None` where nobody did. `T` is the name of a topic.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub struct Options<T> {
            /// `default`: takes what no typed handler takes.
            pub default: bool,
            $($(#[doc = $doc])+ pub $field: Option<$ty>,)+
        }

        /// The options that are in force: what was written, and the default of what was not.
        pub struct InForce<T> {
            $($(#[doc = $doc])+ pub $field: in_force!(type $default $ty),)+
        }

        impl<T> Options<T> {
            /// Nothing written.
            pub const NONE: Self = Self { default: false, $($field: None,)+ };

            fn over_defaults(self) -> InForce<T> {
                InForce { $($field: in_force!(of $default, self.$field),)+ }
            }
        }

        impl<T: Clone> Options<T> {
            /// What was written for an option.
            pub fn get(&self, option: &OptionSpec) -> Option<Value<T>> {
                match option.field {
                    $(stringify!($field) => self.$field.as_ref().map(Held::value),)+
                    _ => None,
                }
            }

            /// Writes an option. The value is one that the option's grammar reads.
            pub fn set(&mut self, option: &OptionSpec, value: Value<T>) {
                match option.field {
                    $(stringify!($field) => self.$field = Held::of(value),)+
                    _ => {}
                }
            }
        }

        impl<T: Clone> InForce<T> {
            /// What is in force of an option; `None` where it has no default and nobody wrote it.
            pub fn get(&self, option: &OptionSpec) -> Option<Value<T>> {
                match option.field {
                    $(stringify!($field) => in_force!(value $default, self.$field),)+
                    _ => None,
                }
            }
        }
    };
}

macro_rules! option {
    () => {
        None
    };
    ($some:literal) => {
        Some($some)
    };
}

/// An option without a default stays one that may be missing.
macro_rules! in_force {
    (type none $ty:ty) => { Option<$ty> };
    (type $default:tt $ty:ty) => { $ty };
    (of none, $written:expr) => { $written };
    (of $default:tt, $written:expr) => { $written.unwrap_or($default) };
    (value none, $held:expr) => { $held.as_ref().map(Held::value) };
    (value $default:tt, $held:expr) => { Some(Held::value(&$held)) };
}

/// An enum, each variant of which is a word.
macro_rules! words {
    ($(#[$meta:meta])+ $name:ident { $($(#[$about:meta])+ $variant:ident = $word:literal,)+ }) => {
        $(#[$meta])+
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name {
            $($(#[$about])+ $variant,)+
        }

        impl $name {
            /// Its words.
            pub const WORDS: &'static [Word] = &[$(Word {
                word: $word,
                path: concat!(stringify!($name), "::", stringify!($variant)),
            },)+];
        }

        impl<T> Held<T> for $name {
            fn of(value: Value<T>) -> Option<Self> {
                match value {
                    $(Value::Word(Word { word: $word, .. }) => Some(Self::$variant),)+
                    _ => None,
                }
            }

            fn value(&self) -> Value<T> {
                Value::Word(&Self::WORDS[*self as usize])
            }
        }
    };
}
