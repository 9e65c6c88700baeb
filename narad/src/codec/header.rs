//! Headers that hold metadata: Narad's own of a flat body, and those of other writers.

use std::str;

use crate::record::Record;

pub(crate) const ID: &str = "narad-id";
pub(super) const TYPE: &str = "narad-type";
pub(super) const VERSION: &str = "narad-version";
pub(super) const SOURCE: &str = "narad-source";

// What CloudEvents have in binary mode. Their type is in the headers that the configuration names.
pub(super) const CLOUD_ID: &str = "ce_id";
pub(super) const CLOUD_SOURCE: &str = "ce_source";
pub(super) const CLOUD_TIME: &str = "ce_time";

/// The value of a header, where it is text.
pub(super) fn text<'r>(record: &'r Record, name: &str) -> Option<&'r str> {
    record.header(name).and_then(|value| str::from_utf8(value).ok())
}

/// The type that another writer has put into a header: that of the first of these headers that is there.
pub(super) fn foreign_type(record: &Record) -> Option<&str> {
    record.type_headers().names().find_map(|name| text(record, name))
}

/// What a record's headers say of its type, Narad's own before others'.
pub(crate) fn types(record: &Record) -> [Option<&str>; 2] {
    [text(record, TYPE), foreign_type(record)]
}
