//! What the options of a handler may be together, and what is said of those that may not.

/// So many threads at most run the plain functions.
pub const MAX_THREADS: u32 = 512;

/// Of `ordering = "partition"` beside `concurrency` above 1.
pub const PARTITION_ORDER: &str = "with `ordering = \"partition\"` one record of a partition runs at a time; \
 leave `concurrency` out, or order by `\"key\"`";

/// Of a `timeout` on a plain `fn`.
pub const PLAIN_TIMEOUT: &str =
    "a plain `fn` cannot be stopped, so it has no `timeout`; make it an `async fn`, or leave `timeout` out";

/// Of `dead_letter = off` beside a first wait of zero.
pub const NO_PAUSE: &str = "with `dead_letter = off` a record is tried for ever, and with a first wait of \
 zero without a pause; write one, as in \"100ms..30s\"";

/// Of more threads than there are.
pub fn too_many_threads() -> String {
    format!(
        "a plain `fn` runs on a thread for each record, at most {MAX_THREADS}; make it an `async fn` for more"
    )
}
