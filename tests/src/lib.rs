//! The suites of Narad: `tests/` holds one program each.
